"""Reads trades from SQLite and Parquet as one: each trade once, whatever is being rolled."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import polars as pl

from spreadlake.lake.connect import open_reader
from spreadlake.lake.layout import HOUR_MS, Lake, hour_of
from spreadlake.lake.parquet import read_whole
from spreadlake.trades import COLUMNS

__all__ = ["TRADES_SCHEMA", "TradeSpan", "iter_trades", "read_trades", "trades_span"]

TRADES_SCHEMA = pl.Schema(
    {
        "symbol": pl.String,
        "trade_id": pl.Int64,
        "time_ms": pl.Int64,
        "price": pl.Float64,
        "qty": pl.Float64,
        "buyer_is_maker": pl.Int64,
    }
)


class TradeSpan(NamedTuple):
    """Times of the first and the last trade, and the greatest sequence number given so far."""

    first_ms: int
    last_ms: int
    last_seq: int


def trades_span(lake: Lake) -> TradeSpan | None:
    """What time a lake's trades cover, hot and cold; None if there are none."""
    with closing(open_reader(lake.ticks_db)) as db:
        low, high, hot_seq = db.execute(
            "SELECT (SELECT MIN(time_ms) FROM ticks), (SELECT MAX(time_ms) FROM ticks), "
            "(SELECT MAX(seq) FROM ticks)"
        ).fetchone()
        cold_seq = db.execute("SELECT MAX(max_seq) FROM rolls").fetchone()[0]
    hours = [
        lake.partition_hour(path)[1] for path in lake.ticks_dir.glob("symbol=*/date=*/*.parquet")
    ]
    lows = [time for time in (low, min(hours, default=None)) if time is not None]
    highs = [high] * (high is not None) + [hour + HOUR_MS - 1 for hour in hours]
    if not lows:
        return None
    return TradeSpan(min(lows), max(highs), max(hot_seq or 0, cold_seq or 0))


def read_trades(
    lake: Lake,
    start_ms: int,
    end_ms: int,
    symbols: Sequence[str] | None = None,
    db: sqlite3.Connection | None = None,
) -> pl.DataFrame:
    """Trades with start_ms <= time_ms < end_ms, sorted by symbol, time and id.

    SQLite is read before Parquet: rolling renames a finished file before it deletes the rows, so
    a trade that is on its way is seen in at least one place, and the duplicate falls out by id.
    `db` is a reader of `ticks.db` to use instead of a new one.
    """
    hot = _read_hot(lake, start_ms, end_ms, symbols, db)
    cold = [
        _read_cold(path, start_ms, end_ms) for path in _partitions(lake, start_ms, end_ms, symbols)
    ]
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
) -> pl.DataFrame:
    own = db is None
    connection = open_reader(lake.ticks_db) if db is None else db
    try:
        rows = connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM ticks WHERE time_ms >= ? AND time_ms < ?",
            (start_ms, end_ms),
        ).fetchall()
    finally:
        if own:
            connection.close()
    frame = pl.DataFrame(rows, schema=TRADES_SCHEMA, orient="row")
    return frame if symbols is None else frame.filter(pl.col("symbol").is_in(list(symbols)))


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


def _read_cold(path: Path, start_ms: int, end_ms: int) -> pl.DataFrame:
    return read_whole(path, TRADES_SCHEMA).filter(
        (pl.col("time_ms") >= start_ms) & (pl.col("time_ms") < end_ms)
    )
