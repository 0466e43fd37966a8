"""Days of which some hours are in files of their own: which they are, and what is recorded."""

import sqlite3
from typing import NamedTuple

from spreadlake.lake.databases.connections import atomic
from spreadlake.lake.databases.status import add_counters
from spreadlake.lake.layout import DAY_MS, day_of

_IN_DAY = "hour_ms >= ? AND hour_ms < ?"


class Day(NamedTuple):
    """A UTC day of one symbol, by its start in ms."""

    day_ms: int
    symbol: str


def days_left(db: sqlite3.Connection, from_ms: int, before_ms: int) -> list[Day]:
    """The days to compact of the earliest time: from `from_ms` on, over at `before_ms`.

    One day of every symbol that needs it; none where there is none.
    """
    first = [
        row[0]
        for row in (
            # The condition stands in the text, so that SQLite uses its index.
            db.execute(
                "SELECT min(hour_ms) FROM rolls WHERE rows > day_rows AND hour_ms >= ?", (from_ms,)
            ).fetchone(),
            db.execute(
                "SELECT min(day_ms) FROM compacting WHERE day_ms >= ?", (from_ms,)
            ).fetchone(),
        )
        if row[0] is not None
    ]
    if not first or day_of(min(first)) + DAY_MS > before_ms:
        return []
    day_ms = day_of(min(first))
    rows = db.execute(
        f"SELECT symbol FROM rolls WHERE rows > day_rows AND {_IN_DAY} "
        "UNION SELECT symbol FROM compacting WHERE day_ms = ? ORDER BY 1",
        (day_ms, day_ms + DAY_MS, day_ms),
    )
    return [Day(day_ms, symbol) for (symbol,) in rows.fetchall()]


def still_hot(db: sqlite3.Connection, day_ms: int) -> set[str]:
    """Symbols of which trades of a day, whose hours have rolled, are in SQLite none the less."""
    rows = db.execute(
        "SELECT DISTINCT symbol FROM ticks WHERE time_ms >= ? AND time_ms < ?",
        (day_ms, day_ms + DAY_MS),
    )
    return {symbol for (symbol,) in rows}


def record_day(db: sqlite3.Connection, day: Day) -> None:
    """Records that the day's file holds all of its hours, whose own files may go then."""
    with atomic(db):
        db.execute(
            f"UPDATE rolls SET day_rows = rows WHERE symbol = ? AND {_IN_DAY}",
            (day.symbol, day.day_ms, day.day_ms + DAY_MS),
        )
        db.execute("INSERT OR IGNORE INTO compacting VALUES (?, ?)", (day.symbol, day.day_ms))
        add_counters(db, {("compacted_days", ""): 1})


def record_hours_gone(db: sqlite3.Connection, day: Day) -> None:
    """Records that no file of an hour is left beside the day's."""
    with atomic(db):
        db.execute(
            "DELETE FROM compacting WHERE symbol = ? AND day_ms = ?", (day.symbol, day.day_ms)
        )
