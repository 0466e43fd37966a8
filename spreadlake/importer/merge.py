"""Puts the trades of a file and those of the lake together; they must not contradict. Pure."""

import polars as pl

from spreadlake.times import iso_utc
from spreadlake.trades import COLUMNS

__all__ = ["ConflictError", "merge", "row_in_words"]

_VALUES = tuple(name for name in COLUMNS if name not in ("symbol", "trade_id"))


class ConflictError(ValueError):
    """One trade id with two different trades; the message shows both."""


def merge(new: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """All trades of both, each once, by time and id.

    Both are one symbol's, with the columns of TRADES_SCHEMA, and `held` has each id once.
    """
    fresh = _each_once(new)
    _refuse_contradictions(fresh, held)
    return pl.concat([held, fresh]).unique("trade_id", keep="first").sort("time_ms", "trade_id")


def row_in_words(row: dict[str, object]) -> str:
    """`price 1.5, qty 2.0, time 2024-08-08T00:00:00.123Z, buyer_is_maker 1`."""
    moment = iso_utc(int(str(row["time_ms"])) / 1000)
    return (
        f"price {row['price']}, qty {row['qty']}, time {moment}, "
        f"buyer_is_maker {row['buyer_is_maker']}"
    )


def _each_once(new: pl.DataFrame) -> pl.DataFrame:
    once = new.unique()
    twice = once.filter(pl.col("trade_id").is_duplicated()).sort("trade_id")
    if twice.height:
        first, second = twice.row(0, named=True), twice.row(1, named=True)
        raise ConflictError(
            f"trade {first['trade_id']} is there twice: {row_in_words(first)}; "
            f"{row_in_words(second)}"
        )
    return once


def _refuse_contradictions(new: pl.DataFrame, held: pl.DataFrame) -> None:
    both = new.join(held, on="trade_id", suffix="_held")
    differs = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_held") for name in _VALUES)
    wrong = both.filter(differs).sort("trade_id").head(1)
    for row in wrong.iter_rows(named=True):
        mine = {name: row[f"{name}_held"] for name in _VALUES}
        raise ConflictError(
            f"trade {row['trade_id']} is {row_in_words(row)} in the file, and "
            f"{row_in_words(mine)} in the lake"
        )
