"""Which records of a file agree with each other and with the lake. Pure."""

import polars as pl

from spreadlake.times import iso_utc
from spreadlake.trades import COLUMNS

# What tells a trade from another; NULL is not known, and like any value.
_VALUES = (*COLUMNS[2:], "first_trade_id", "last_trade_id")


class ConflictError(ValueError):
    """One trade id with two different trades; the message shows both."""


def trades_in(records: pl.DataFrame) -> pl.DataFrame:
    """The records that are trades: those without a quantity only take an id."""
    return records.filter(pl.col("qty") > 0)


def agreeing(new: pl.DataFrame, held: pl.DataFrame, skip: bool) -> pl.DataFrame:
    """The records of a file that say the same of their ids as each other, and as the lake.

    Each once, in the order of the file. ConflictError for the first that contradicts; with `skip`
    it is left out: the lake's trade stays, and of two in a file the one that comes first.
    """
    once = new.unique(maintain_order=True)
    twice = once.filter(pl.col("trade_id").is_duplicated())
    other = _contradicting(once, held)
    if not skip:
        _refuse_two(twice)
        _refuse_other(other)
    first = once.unique("trade_id", keep="first", maintain_order=True)
    return first.join(other.select("trade_id"), on="trade_id", how="anti", maintain_order="left")


def row_in_words(row: dict[str, object]) -> str:
    """`price 1.5, qty 2.0, time 2024-08-08T00:00:00.123Z, buyer_is_maker 1, single 7 to 9`."""
    moment = iso_utc(int(str(row["time_ms"])) / 1000)
    first, last = row.get("first_trade_id"), row.get("last_trade_id")
    single = "" if first is None or last is None else f", single {first} to {last}"
    return (
        f"price {row['price']}, qty {row['qty']}, time {moment}, "
        f"buyer_is_maker {row['buyer_is_maker']}{single}"
    )


def _refuse_two(twice: pl.DataFrame) -> None:
    if twice.height:
        rows = twice.sort("trade_id", maintain_order=True)
        first, second = rows.row(0, named=True), rows.row(1, named=True)
        raise ConflictError(
            f"trade {first['trade_id']} is there twice: {row_in_words(first)}; "
            f"{row_in_words(second)}"
        )


def _contradicting(new: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    both = new.join(held, on="trade_id", suffix="_held")
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_held") for name in _VALUES)
    return both.filter(differs).sort("trade_id")


def _refuse_other(wrong: pl.DataFrame) -> None:
    for row in wrong.head(1).iter_rows(named=True):
        mine = {name: row[f"{name}_held"] for name in _VALUES}
        raise ConflictError(
            f"trade {row['trade_id']} is {row_in_words(row)} in the file, and "
            f"{row_in_words(mine)} in the lake"
        )
