"""The rows of `removed`: days of trades that were removed on purpose, to make room.

Recorded before the files go. Sequence numbers of what is gone are not given again.
"""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from spreadlake.errors import RemovedError
from spreadlake.lake.databases.connections import atomic
from spreadlake.lake.databases.status import add_counters
from spreadlake.lake.layout import DAY_MS, Lake, day_of
from spreadlake.lake.removed import removed_by, still_in_bucket
from spreadlake.lake.ticks.compaction import Day
from spreadlake.lake.ticks.rolls import knows_days
from spreadlake.times import iso_utc

_IN_DAY = "symbol = ? AND hour_ms >= ? AND hour_ms < ?"


class RemovedSpan(NamedTuple):
    """Days in a row of one symbol, [start_ms, end_ms), of which `rows` trades were removed."""

    symbol: str
    start_ms: int
    end_ms: int
    rows: int


def oldest_days(db: sqlite3.Connection, cutoff_ms: int) -> list[Day]:
    """Of each symbol the first day in Parquet, where that ends at or before `cutoff_ms`."""
    rows = db.execute(
        "SELECT symbol, (SELECT min(hour_ms) FROM rolls WHERE rolls.symbol = symbols.symbol) "
        "FROM symbols ORDER BY symbol"
    ).fetchall()
    return [
        Day(day_of(hour_ms), symbol)
        for symbol, hour_ms in rows
        if hour_ms is not None and day_of(hour_ms) + DAY_MS <= cutoff_ms
    ]


def newest_seq_of(db: sqlite3.Connection, day: Day) -> int:
    """The greatest seq of a day's trades in Parquet; 0 where there are none."""
    query = f"SELECT ifnull(max(max_seq), 0) FROM rolls WHERE {_IN_DAY}"
    return int(db.execute(query, _limits(day)).fetchone()[0])


def record_removed(db: sqlite3.Connection, day: Day, now_ms: int) -> int:
    """Records that a day's trades in Parquet are removed, which may be done then; how many."""
    with atomic(db):
        rows, max_seq = db.execute(
            f"SELECT ifnull(sum(rows), 0), ifnull(max(max_seq), 0) FROM rolls WHERE {_IN_DAY}",
            _limits(day),
        ).fetchone()
        db.execute(f"DELETE FROM rolls WHERE {_IN_DAY}", _limits(day))
        where = "symbol = ? AND day_ms = ?"
        db.execute(f"DELETE FROM compacting WHERE {where}", (day.symbol, day.day_ms))
        _extend(db, day, rows, max_seq, now_ms)
        add_counters(db, {("removed_days", ""): 1, ("removed_trades", ""): rows})
    return int(rows)


def _extend(db: sqlite3.Connection, day: Day, rows: int, max_seq: int, now_ms: int) -> None:
    """One row for days that follow each other; days without trades in between are none less."""
    before = db.execute(
        "SELECT start_ms, end_ms FROM removed WHERE symbol = ? AND start_ms <= ? "
        "ORDER BY start_ms DESC LIMIT 1",
        (day.symbol, day.day_ms),
    ).fetchone()
    end_ms = day.day_ms + DAY_MS
    if before is not None and before[1] >= day.day_ms:
        db.execute(
            "UPDATE removed SET end_ms = max(end_ms, ?), rows = rows + ?, "
            "max_seq = max(max_seq, ?), removed_ms = ? WHERE symbol = ? AND start_ms = ?",
            (end_ms, rows, max_seq, now_ms, day.symbol, before[0]),
        )
        return
    db.execute(
        "INSERT INTO removed VALUES (?, ?, ?, ?, ?, ?)",
        (day.symbol, day.day_ms, end_ms, rows, max_seq, now_ms),
    )


def removed_spans(
    db: sqlite3.Connection, symbols: Sequence[str] | None, start_ms: int, end_ms: int
) -> list[RemovedSpan]:
    """What was removed of [start_ms, end_ms); None: of all symbols.

    Days that have come back (an import) are still within their spans: `refuse_removed` looks.
    """
    if not knows_days(db):
        return []
    rows = db.execute(
        "SELECT symbol, start_ms, end_ms, rows FROM removed WHERE start_ms < ? AND end_ms > ? "
        "ORDER BY symbol, start_ms",
        (end_ms, start_ms),
    ).fetchall()
    return [RemovedSpan(*row) for row in rows if symbols is None or row[0] in symbols]


def removed_days(
    db: sqlite3.Connection, symbols: Sequence[str] | None, start_ms: int, end_ms: int
) -> list[Day]:
    """The days with a part in [start_ms, end_ms) that were removed and have not come back."""
    days = [
        Day(day_ms, span.symbol)
        for span in removed_spans(db, symbols, start_ms, end_ms)
        for day_ms in range(max(span.start_ms, day_of(start_ms)), min(span.end_ms, end_ms), DAY_MS)
    ]
    query = f"SELECT 1 FROM rolls WHERE {_IN_DAY} LIMIT 1"
    return [day for day in days if db.execute(query, _limits(day)).fetchone() is None]


def refuse_removed(
    db: sqlite3.Connection, lake: Lake, symbols: Sequence[str] | None, start_ms: int, end_ms: int
) -> None:
    """RemovedError where trades of [start_ms, end_ms) were removed to make room."""
    days = removed_days(db, symbols, start_ms, end_ms)
    if not days:
        return
    first, last = min(days), max(days)
    names = sorted({day.symbol for day in days})
    of = names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    begin, end = first.day_ms // 1000, (last.day_ms + DAY_MS) // 1000
    there = still_in_bucket(lake, lake.tick_day(names[0], first.day_ms).parent.parent, begin, end)
    raise RemovedError(
        f"trades of {of} from {iso_utc(begin)} to "
        f"{iso_utc(end)} were removed from {lake.ticks_dir} to make room ({removed_by(lake)}); "
        f"ask for a later time, or import the dumps of these days again (spreadlake import){there}"
    )


def removed_until(db: sqlite3.Connection) -> int:
    """The end (ms) of the last removed day of any symbol; 0 where nothing was removed."""
    if not knows_days(db):
        return 0
    return int(db.execute("SELECT ifnull(max(end_ms), 0) FROM removed").fetchone()[0])


def _limits(day: Day) -> tuple[str, int, int]:
    return day.symbol, day.day_ms, day.day_ms + DAY_MS
