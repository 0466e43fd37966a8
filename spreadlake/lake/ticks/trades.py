"""Reads trades from SQLite and Parquet as one: each trade once, whatever is being rolled."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import polars as pl

from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.files import is_there, matching, names_in, values_in
from spreadlake.lake.layout import DAY_MS, HOUR_MS, Lake, day_of, hour_of
from spreadlake.lake.reading import each
from spreadlake.lake.ticks.hot import hot_days, hot_span, rows_between, rows_of
from spreadlake.lake.ticks.partitions import hours_in_partition, partition_or_none, trades_of
from spreadlake.lake.ticks.removal import refuse_removed
from spreadlake.lake.ticks.rolls import (
    RolledHour,
    missing_error,
    newest_seq,
    recorded_hours,
    rolled_between,
    rolled_of,
)
from spreadlake.schemas import TRADES_SCHEMA

_LOOKS = 3
_FILES = "symbol=*/date=*/*.parquet"


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
    spans = [lake.partition_span(path)[1:] for path in matching(lake, lake.ticks_dir, _FILES)]
    lows = [
        time for time in (low, min((start for start, _ in spans), default=None)) if time is not None
    ]
    highs = [*(end - 1 for _, end in spans), *([] if high is None else [high])]
    if not lows:
        return None
    return TradeSpan(min(lows), max(highs), last_seq)


def cold_hours(db: sqlite3.Connection, lake: Lake) -> set[int]:
    """The starts (ms) of hours of which there are trades in Parquet, of whatever symbol."""
    hours = recorded_hours(db)
    for path in matching(lake, lake.ticks_dir, _FILES):
        symbol, start_ms, end_ms = lake.partition_span(path)
        if end_ms - start_ms == HOUR_MS:
            hours.add(start_ms)
        elif not rolled_of(db, symbol, start_ms, end_ms):
            hours.update(hours_in_partition(lake, path))
    return hours


def trade_days(lake: Lake, symbol: str, start_ms: int, end_ms: int) -> list[int]:
    """The starts (ms) of the UTC days that trades of [start_ms, end_ms) may be in, in order.

    What was rolled and is gone is among them: who reads it is told. SQLite is looked at first, as
    trades move from there.
    """
    with explaining(lake.ticks_db), closing(open_reader(lake.ticks_db)) as db:
        days = hot_days(db, start_ms, end_ms)
        days.update(map(day_of, rolled_of(db, symbol, hour_of(start_ms), end_ms)))
    folder = lake.tick_partition(symbol, 0).parent.parent
    for date in values_in(lake, folder, "date"):
        days.add(lake.partition_hour(folder / f"date={date}" / "00.parquet")[1])
    return sorted(day for day in days if day + DAY_MS > start_ms and day < end_ms)


def read_trades(
    lake: Lake,
    start_ms: int,
    end_ms: int,
    symbols: Sequence[str] | None = None,
    db: sqlite3.Connection | None = None,
    schema: pl.Schema = TRADES_SCHEMA,
    *,
    removed_too: bool = False,
) -> pl.DataFrame:
    """Trades with start_ms <= time_ms < end_ms, sorted by symbol, time and id.

    With the columns of `schema`: TRADES_SCHEMA, or TICKS_SCHEMA for all that the lake keeps.

    SQLite is read before Parquet, and hours before their day: what moves on is put in its new
    place before it leaves the one before, so a trade that is on its way is seen in at least one of
    them, and the duplicate falls out by id. `db` is a reader of `ticks.db` to use instead of a new
    one. MissingFileError where a partition was written and is not there any more, RemovedError
    where it was removed to make room: an hour without its trades is not an hour without trades.
    With `removed_too` it is not asked for, and left out.
    """
    for again in reversed(range(_LOOKS)):
        hot, rolled = _read_hot(lake, start_ms, end_ms, symbols, db, schema)
        cold = _Cold(lake, start_ms, end_ms, schema)
        files = each(lake, cold.read, cold.symbols(symbols))
        frames = [hot, *chain.from_iterable(files)]
        missing = [hour for hour in rolled if not cold.has(hour)]
        if not missing:
            break
        if not again:  # what was on its way at first has its place on record by now
            raise missing_error(lake, missing)
    if not removed_too:
        with nullcontext(db) if db is not None else closing(open_reader(lake.ticks_db)) as ticks:
            refuse_removed(ticks, lake, symbols, start_ms, end_ms)
    return (
        pl.concat(frames)
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
        if symbols is not None and len(symbols) == 1:
            rows = rows_of(ticks, symbols[0], start_ms, end_ms, schema.names())
        else:
            rows = rows_between(ticks, start_ms, end_ms, schema.names(), symbols)
        rolled = rolled_between(ticks, symbols, start_ms, end_ms)
    return trades_of(rows, schema), rolled


class _Cold:
    """Reads what Parquet holds of [start_ms, end_ms), and remembers which files there were."""

    def __init__(self, lake: Lake, start_ms: int, end_ms: int, schema: pl.Schema) -> None:
        self._lake = lake
        self._schema = schema
        self._start_ms, self._end_ms = start_ms, end_ms
        self._seen: set[Path] = set()

    def symbols(self, wanted: Sequence[str] | None) -> Sequence[str]:
        """Those that are wanted, or all that have a folder."""
        if wanted is not None:
            return wanted
        return values_in(self._lake, self._lake.ticks_dir, "symbol")

    def read(self, symbol: str) -> list[pl.DataFrame]:
        """The trades of a symbol, those of hours before those of their day."""
        return list(self._read(symbol))

    def _read(self, symbol: str) -> Iterator[pl.DataFrame]:
        within = pl.col("time_ms").is_between(self._start_ms, self._end_ms, closed="left")
        for day_ms in range(day_of(self._start_ms), self._end_ms, DAY_MS):
            day = self._lake.tick_day(symbol, day_ms)
            there = names_in(self._lake, day.parent)
            for hour_ms in range(
                max(day_ms, hour_of(self._start_ms)), min(day_ms + DAY_MS, self._end_ms), HOUR_MS
            ):
                path = self._lake.tick_partition(symbol, hour_ms)
                if path.name in there:
                    yield from self._of(path, within)
            # Looked for now, and not before: it may have just taken the place of the hours.
            yield from self._of(day, within)

    def has(self, hour: RolledHour) -> bool:
        """Whether all files that an hour's trades are in were there."""
        own = self._lake.tick_partition(hour.symbol, hour.hour_ms)
        day = self._lake.tick_day(hour.symbol, hour.hour_ms)
        return hour.is_there(own in self._seen, day in self._seen)

    def _of(self, path: Path, within: pl.Expr) -> Iterator[pl.DataFrame]:
        trades = partition_or_none(self._lake, path, self._schema, within)
        if trades.height or is_there(self._lake, path):
            self._seen.add(path)
            yield trades
