"""Reads trades from SQLite and Parquet as one: each trade once, whatever is being rolled."""

import sqlite3
from collections.abc import Iterator, Sequence, Set
from contextlib import closing, nullcontext
from pathlib import Path
from typing import NamedTuple

import polars as pl

from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.layout import HOUR_MS, Lake, hour_of
from spreadlake.lake.ticks.hot import hot_span, rows_between
from spreadlake.lake.ticks.partitions import read_partition, trades_of
from spreadlake.lake.ticks.rolls import RolledHour, missing_error, newest_seq, rolled_between
from spreadlake.schemas import TRADES_SCHEMA


class TradeSpan(NamedTuple):
    """Times of the first and the last trade, and the greatest sequence number given so far."""

    first_ms: int
    last_ms: int
    last_seq: int


def trades_span(lake: Lake) -> TradeSpan | None:
    """What time a lake's trades cover, hot and cold; None if there are none."""
    with explaining(lake.ticks_db), closing(open_reader(lake.ticks_db)) as db:
        low, high = hot_span(db)
        last_seq = newest_seq(db)
    hours = [
        lake.partition_hour(path)[1] for path in lake.ticks_dir.glob("symbol=*/date=*/*.parquet")
    ]
    lows = [time for time in (low, min(hours, default=None)) if time is not None]
    highs = [*(hour + HOUR_MS - 1 for hour in hours), *([] if high is None else [high])]
    if not lows:
        return None
    return TradeSpan(min(lows), max(highs), last_seq)


def read_trades(
    lake: Lake,
    start_ms: int,
    end_ms: int,
    symbols: Sequence[str] | None = None,
    db: sqlite3.Connection | None = None,
    schema: pl.Schema = TRADES_SCHEMA,
) -> pl.DataFrame:
    """Trades with start_ms <= time_ms < end_ms, sorted by symbol, time and id.

    With the columns of `schema`: TRADES_SCHEMA, or TICKS_SCHEMA for all that the lake keeps.

    SQLite is read before Parquet: rolling renames a finished file before it deletes the rows, so
    a trade that is on its way is seen in at least one place, and the duplicate falls out by id.
    `db` is a reader of `ticks.db` to use instead of a new one. MissingFileError where a partition
    was written and is not there any more: an hour without its trades is not an hour without trades.
    """
    hot, rolled = _read_hot(lake, start_ms, end_ms, symbols, db, schema)
    paths = list(_partitions(lake, start_ms, end_ms, symbols))
    _refuse_missing(lake, rolled, set(paths))
    within = pl.col("time_ms").is_between(start_ms, end_ms, closed="left")
    cold = [read_partition(path, schema).filter(within) for path in paths]
    return (
        pl.concat([hot, *cold])
        .unique(["symbol", "trade_id"], keep="first")
        .sort("symbol", "time_ms", "trade_id")
    )


def iter_trades(
    lake: Lake, start_ms: int, end_ms: int, symbols: Sequence[str] | None = None
) -> Iterator[pl.DataFrame]:
    """The same an hour at a time, so that memory holds one hour; empty hours are left out."""
    for hour in range(hour_of(start_ms), end_ms, HOUR_MS):
        frame = read_trades(lake, max(start_ms, hour), min(end_ms, hour + HOUR_MS), symbols)
        if frame.height:
            yield frame


def _read_hot(
    lake: Lake,
    start_ms: int,
    end_ms: int,
    symbols: Sequence[str] | None,
    db: sqlite3.Connection | None,
    schema: pl.Schema,
) -> tuple[pl.DataFrame, list[RolledHour]]:
    """Hot rows, and the hours that were in Parquet when they were read."""
    reader = nullcontext(db) if db is not None else closing(open_reader(lake.ticks_db))
    with explaining(lake.ticks_db), reader as ticks:
        rows = rows_between(ticks, start_ms, end_ms, schema.names(), symbols)
        rolled = rolled_between(ticks, symbols, start_ms, end_ms)
    return trades_of(rows, schema), rolled


def _refuse_missing(lake: Lake, rolled: Sequence[RolledHour], there: Set[Path]) -> None:
    missing = [hour for hour in rolled if lake.tick_partition(*hour[:2]) not in there]
    if missing:
        raise missing_error(lake, missing)


def _partitions(
    lake: Lake, start_ms: int, end_ms: int, symbols: Sequence[str] | None
) -> Iterator[Path]:
    if not lake.ticks_dir.is_dir():
        return
    if symbols is None:
        symbols = sorted(
            folder.name.removeprefix("symbol=") for folder in lake.ticks_dir.glob("symbol=*")
        )
    for symbol in symbols:
        for hour in range(hour_of(start_ms), end_ms, HOUR_MS):
            path = lake.tick_partition(symbol, hour)
            if path.exists():
                yield path
