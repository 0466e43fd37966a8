"""Up to when bars and analytics are in object storage, and a record of them that ends there.

`db` is a copy of `analytics.db` that may be changed, with the record of objects attached as `cold`.
"""

import sqlite3
from collections.abc import Iterator
from datetime import datetime

from spreadlake.lake.layout import Lake
from spreadlake.series import TABLES, Table
from spreadlake.times import iso_utc

LEFT_OUT = (*TABLES, "pair_rollups", "tests_due", "rows_due", "hours_due", "service_status")
"""Tables of which a copy for readers of object storage has no rows."""

_DAY = 86_400


def reach_key(timeframe: str) -> str:
    """The key in `progress` of the end of what object storage has of a timeframe."""
    return f"reach:{timeframe}"


def read_reach(db: sqlite3.Connection) -> dict[str, int]:
    """By timeframe, the end (s) of what is there, where that is less than what was final."""
    rows = db.execute("SELECT key, value FROM progress WHERE key GLOB 'reach:*'").fetchall()
    return {key.removeprefix("reach:"): int(end) for key, end in rows}


def first_hot(db: sqlite3.Connection) -> dict[str, int]:
    """By timeframe, the time (s) of the first row that is in SQLite."""
    firsts: dict[str, int] = {}
    for table in TABLES.values():
        at = table.key.index("timeframe")
        query = f"SELECT min(time) FROM {table.name} WHERE {table.is_series}"
        for key in _series(db, table):
            (first,) = db.execute(query, key).fetchone()
            timeframe = str(key[at])
            firsts[timeframe] = min(first, firsts.get(timeframe, first))
    return firsts


def first_left(db: sqlite3.Connection, lake: Lake) -> dict[str, int]:
    """By timeframe, the start (s) of the first day of which a file is on the disk alone."""
    firsts: dict[str, int] = {}
    for table in TABLES:
        for path in (lake.root / table).glob("timeframe=*/*/date=*/*.parquet"):
            name = path.relative_to(lake.root).as_posix()
            row = db.execute("SELECT 1 FROM cold.objects WHERE path = ?", (name,)).fetchone()
            if row is None:
                timeframe = name.split("/")[1].removeprefix("timeframe=")
                day = _midnight(path.parent.name.removeprefix("date="))
                firsts[timeframe] = min(day, firsts.get(timeframe, day))
    return firsts


def end_timeframe_at(db: sqlite3.Connection, timeframe: str, end: int) -> None:
    """Forgets what is on record of a timeframe from the midnight `end` (s) on."""
    for table in TABLES:
        db.execute(
            "DELETE FROM cold.objects WHERE path GLOB ? "
            "AND substr(path, instr(path, '/date=') + 6, 10) >= ?",
            (f"{table}/timeframe={timeframe}/*", iso_utc(end)[:10]),
        )
    db.execute(
        "UPDATE progress SET value = min(value, ?) WHERE key = ?", (end, f"archived:{timeframe}")
    )
    db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (reach_key(timeframe), end))


def midnight_of(time: int) -> int:
    """The start (s) of the UTC day that holds `time` (s)."""
    return time // _DAY * _DAY


def _series(db: sqlite3.Connection, table: Table) -> Iterator[tuple[object, ...]]:
    """The keys of all series that have rows: a seek for each, however many rows they have."""
    names, marks = ", ".join(table.key), ", ".join("?" * len(table.key))
    query = f"SELECT {names} FROM {table.name} WHERE ({names}) > ({marks}) ORDER BY {names} LIMIT 1"
    key: tuple[object, ...] = ("", "", *[-1] * (len(table.key) - 2))
    while found := db.execute(query, key).fetchone():
        key = found
        yield key


def _midnight(date: str) -> int:
    return int(datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp())
