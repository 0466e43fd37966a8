"""Rolled-up rows of pair analytics in `analytics.db`: the table `pair_rollups`."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import polars as pl

from spreadlake.lake.analytics.archive import days, read_day
from spreadlake.lake.analytics.removal import removed_before
from spreadlake.lake.analytics.rows import archived_until
from spreadlake.lake.layout import Lake
from spreadlake.quant.rollups import ROLLED_SCHEMA, span_seconds
from spreadlake.series import PAIR_ANALYTICS, SeriesKey
from spreadlake.times import timeframe_seconds

KEPT_SPANS = 43_200
"""Roll-ups kept of a series: of 1s bars those of 30 days, of 1m bars of five years."""

_IS_SERIES, _KEY = PAIR_ANALYTICS.is_series, ", ".join(PAIR_ANALYTICS.key)
_NAMES = ROLLED_SCHEMA.names()
_ROWS = (
    f"SELECT {', '.join(_NAMES)} FROM pair_analytics WHERE {_IS_SERIES} "
    "AND time >= ? AND time < ?"
)  # fmt: skip


def save_rollups(db: sqlite3.Connection, rollups: pl.DataFrame) -> None:
    """Writes what `roll_up` gave, in place of what was there of the same spans.

    In the caller's transaction.
    """
    db.executemany(
        f"INSERT OR REPLACE INTO pair_rollups({', '.join(rollups.columns)}) "
        f"VALUES ({', '.join('?' * rollups.width)})",
        rollups.rows(),
    )


def remove_rollups(db: sqlite3.Connection, keys: Iterable[SeriesKey], start: int, end: int) -> None:
    """Removes those of the spans that begin in [start, end) (s), in the caller's transaction."""
    db.executemany(
        f"DELETE FROM pair_rollups WHERE {_IS_SERIES} AND time >= ? AND time < ?",
        [(*key, start, end) for key in keys],
    )


def forget_rollups(db: sqlite3.Connection, start: int) -> None:
    """Removes those of all spans that end after `start` (s): their rows are computed again.

    In the caller's transaction.
    """
    for (timeframe,) in db.execute("SELECT DISTINCT timeframe FROM pair_rollups").fetchall():
        span = span_seconds(timeframe_seconds(timeframe))
        first = start // span * span
        db.execute("DELETE FROM pair_rollups WHERE timeframe = ? AND time >= ?", (timeframe, first))
    db.execute("UPDATE progress SET value = min(value, ?) WHERE key GLOB 'rollups*'", (start,))


def missing_before(db: sqlite3.Connection) -> dict[str, int]:
    """Before when (s) rows may be without a roll-up: those of timeframes of an older lake."""
    rows = db.execute("SELECT key, value FROM progress WHERE key GLOB 'rollups:*'")
    return {key.removeprefix("rollups:"): int(value) for key, value in rows}


def save_missing(db: sqlite3.Connection, timeframe: str, before: int) -> None:
    """Puts `missing_before` of a timeframe on record; 0 where no row is without one any more."""
    key = f"rollups:{timeframe}"
    if before:
        db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (key, before))
    else:
        db.execute("DELETE FROM progress WHERE key = ?", (key,))


def save_first(db: sqlite3.Connection, timeframe: str, start: int) -> None:
    """Puts on record that rows before a time (s) have no roll-ups, or none any more.

    In the caller's transaction.
    """
    db.execute(
        "INSERT INTO progress VALUES (?, ?) "
        "ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
        (f"rollups_from:{timeframe}", start),
    )


def kept_from(db: sqlite3.Connection, timeframe: str, hours: float, now: int) -> int:
    """Roll-ups of spans that begin before this time (s) are not kept.

    hours: how long SQLite keeps rows, and their roll-ups at least; now: the newest trade (s). Nor
    are roll-ups kept of what was removed from Parquet to make room.
    """
    kept = max(KEPT_SPANS * span_seconds(timeframe_seconds(timeframe)), round(hours * 3600))
    return max(now - kept, removed_before(db, PAIR_ANALYTICS, timeframe))


def series_in(
    db: sqlite3.Connection, table: Literal["pair_analytics", "pair_rollups"]
) -> Iterator[SeriesKey]:
    """The series of which a table has rows, in order: a seek for each, however many rows it has."""
    query = f"SELECT {_KEY} FROM {table} WHERE ({_KEY}) > (?, ?, ?, ?) ORDER BY {_KEY} LIMIT 1"
    key = SeriesKey("", "", -1, -1)
    while found := db.execute(query, key).fetchone():
        key = SeriesKey(*found)
        yield key


def rows_to_roll(
    db: sqlite3.Connection,
    lake: Lake,
    named: tuple[str, str],
    keys: Sequence[SeriesKey],
    start: int,
    end: int,
) -> pl.DataFrame:
    """Rows of a pair and timeframe with start <= time < end (s), as `roll_up` takes them.

    Those that SQLite has of its series `keys`; and where these have not one for each bar, those
    that only Parquet has, of any series of the pair.
    """
    pair, timeframe = named
    hot = [row for key in keys for row in db.execute(_ROWS, (*key, start, end))]
    rows = pl.DataFrame(hot, schema=ROLLED_SCHEMA, orient="row")
    until = min(end, archived_until(db, timeframe))
    bars = (end - start) // timeframe_seconds(timeframe)
    if start >= until or (keys and len(hot) == bars * len(keys)):
        return rows
    cold = [
        frame.select(_NAMES)
        for day in days(lake, PAIR_ANALYTICS, timeframe, pair, start, until)
        for frame in read_day(db, lake, day, start, until, _NAMES)
    ]
    return pl.concat([rows, *cold]).unique([*PAIR_ANALYTICS.key, "time"], keep="first")
