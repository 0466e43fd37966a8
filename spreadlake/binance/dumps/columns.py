"""The columns of a dump, and its records as the lake keeps them. Pure.

Times are in milliseconds, or in microseconds (or finer) as Binance writes them in newer dumps: no
time of the one unit is plausible in the other. A record without a quantity is kept here, because
its id is taken: it is no trade, and no trade is missing there either.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from spreadlake.binance.dumps.names import DumpFile, DumpKind
from spreadlake.binance.funding_rates import MOST_RATE
from spreadlake.schemas import FUNDING_SCHEMA, KLINES_SCHEMA, TICKS_SCHEMA

_DAY_MS = 86_400_000
_MICROSECONDS = 100_000_000_000_000  # as ms it would be the year 5138
_NANOSECONDS = 1000 * _MICROSECONDS
_PRICES = ("open", "high", "low", "close")
_VOLUMES = ("volume", "quote_volume", "taker_buy_volume")
# Bounds that no real record passes, the same as for live trades.
_MOST_AMOUNT = 1e15
_MOST_VOLUME = 1e18
_MOST_ID = 2**53


class RecordError(ValueError):
    """A record that cannot be true; the message shows it."""


@dataclass(frozen=True)
class Layout:
    """Of the dumps that Binance calls `name`.

    `names` are the columns of a file without a header, `types` those that are read of any file,
    `optional` those that are read where the file has them. `convert` turns a frame of these into
    one of the lake, or raises RecordError.
    """

    name: str
    names: tuple[str, ...]
    types: Mapping[str, type]
    convert: Callable[[pl.DataFrame, DumpFile], pl.DataFrame]
    optional: Mapping[str, type] = field(default_factory=dict)


def _trades(frame: pl.DataFrame, dump: DumpFile) -> pl.DataFrame:
    trades = frame.select(
        symbol=pl.lit(dump.symbol),
        trade_id=pl.col("agg_trade_id"),
        time_ms=_milliseconds("transact_time"),
        price=pl.col("price"),
        qty=pl.col("quantity"),
        buyer_is_maker=pl.col("is_buyer_maker"),
        first_trade_id=_id_or_null(frame, "first_trade_id"),
        last_trade_id=_id_or_null(frame, "last_trade_id"),
        qty_ex_rpi=None,
        received_ms=None,
    ).cast(TICKS_SCHEMA)
    _refuse(
        trades,
        dump,
        _outside("time_ms", dump),
        ~pl.col("trade_id").is_between(0, _MOST_ID, closed="left"),
        ~pl.col("price").is_between(0, _MOST_AMOUNT, closed="none"),
        ~pl.col("qty").is_between(0, _MOST_AMOUNT, closed="left"),
    )
    return trades


def _klines(frame: pl.DataFrame, dump: DumpFile) -> pl.DataFrame:
    time_ms = frame.select(time_ms=_milliseconds("open_time"))
    _refuse(time_ms, dump, _outside("time_ms", dump), pl.col("time_ms") % 60_000 != 0)
    klines = frame.select(
        pl.lit(dump.symbol).alias("symbol"),
        pl.lit("1m").alias("timeframe"),
        time_ms["time_ms"].alias("time") // 1000,
        *_PRICES,
        *_VOLUMES,
        pl.col("count").alias("trades"),
    ).cast(KLINES_SCHEMA)
    _refuse(
        klines,
        dump,
        ~pl.col(*_PRICES).is_between(0, _MOST_AMOUNT, closed="none"),
        ~pl.col(*_PRICES).is_between(pl.col("low"), pl.col("high")),
        ~pl.col(*_VOLUMES).is_between(0, _MOST_VOLUME),
        pl.col("trades") < 0,
    )
    return klines


def _id_or_null(frame: pl.DataFrame, column: str) -> pl.Expr:
    """An id that is not there, or is no id (the exchange writes -1), is not known."""
    if column not in frame.columns:
        return pl.lit(None)
    return pl.when(pl.col(column).is_between(0, _MOST_ID, closed="left")).then(pl.col(column))


def _funding(frame: pl.DataFrame, dump: DumpFile) -> pl.DataFrame:
    rates = frame.select(
        symbol=pl.lit(dump.symbol),
        time_ms=_milliseconds("calc_time"),
        rate=pl.col("last_funding_rate"),
        mark_price=pl.lit(None),
    ).cast(FUNDING_SCHEMA)
    possible = pl.col("rate").is_between(-MOST_RATE, MOST_RATE)
    _refuse(rates, dump, _outside("time_ms", dump), ~possible)
    return rates


def _milliseconds(column: str) -> pl.Expr:
    time = pl.col(column)
    finer = pl.when(time >= _NANOSECONDS).then(time // 1_000_000).otherwise(time // 1000)
    return pl.when(time >= _MICROSECONDS).then(finer).otherwise(time)


def _outside(column: str, dump: DumpFile) -> pl.Expr:
    """A time that is further than a day from what the file's name says."""
    return ~pl.col(column).is_between(dump.start_ms - _DAY_MS, dump.end_ms + _DAY_MS)


def _refuse(frame: pl.DataFrame, dump: DumpFile, *wrong: pl.Expr) -> None:
    found = frame.filter(pl.any_horizontal(*wrong))
    if found.height:
        values = ", ".join(f"{name} {value}" for name, value in found.row(0, named=True).items())
        raise RecordError(f"a record that cannot be of {dump.first} to {dump.last}: {values}")


LAYOUTS: Mapping[DumpKind, Layout] = {
    "trades": Layout(
        "aggTrades",
        (
            "agg_trade_id",
            "price",
            "quantity",
            "first_trade_id",
            "last_trade_id",
            "transact_time",
            "is_buyer_maker",
        ),
        {
            "agg_trade_id": int,
            "price": float,
            "quantity": float,
            "transact_time": int,
            "is_buyer_maker": bool,
        },
        _trades,
        {"first_trade_id": int, "last_trade_id": int},
    ),
    "klines": Layout(
        "1m",
        (
            "open_time",
            "open",
            "high",
            "low",
            "close",
            "volume",
            "close_time",
            "quote_volume",
            "count",
            "taker_buy_volume",
            "taker_buy_quote_volume",
            "ignore",
        ),
        {"open_time": int}
        | dict.fromkeys((*_PRICES, "volume", "quote_volume", "taker_buy_volume"), float)
        | {"count": int},
        _klines,
    ),
    "funding": Layout(
        "fundingRate",
        ("calc_time", "funding_interval_hours", "last_funding_rate"),
        {"calc_time": int, "last_funding_rate": float},
        _funding,
    ),
}
