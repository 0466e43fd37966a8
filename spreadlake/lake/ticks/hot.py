"""The rows of `ticks`: what of them is in an hour, which are there, and how they are deleted.

What speaks of an hour speaks of rows up to one greatest seq, taken at the beginning: a trade that
is repaired into the hour while it is being rolled stays for the next time.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from spreadlake.lake.databases.connections import atomic, shrink
from spreadlake.lake.databases.status import add_counters
from spreadlake.lake.layout import DAY_MS, HOUR_MS, day_of, hour_of
from spreadlake.lake.ticks.rolls import Roll, record_rolls
from spreadlake.trades import COLUMNS, TICK_COLUMNS, TradeEvent

_IN_HOUR = "time_ms >= ? AND time_ms < ? AND seq <= ?"
_SUMMARY = (
    "symbol, count(*), min(trade_id), max(trade_id), max(seq), "
    f"sum(time_ms % {HOUR_MS}), total(price), total(qty)"
)
_NAMES = ", ".join(COLUMNS)
_ALL_NAMES = ", ".join(TICK_COLUMNS)
# Pages kept free for the ticks to come; what is beyond them goes back to the file system.
_SPARE_PAGES = 2_048


@dataclass(frozen=True)
class HotHour:
    """An hour of hot rows, up to the row `bound`."""

    hour_ms: int
    bound: int

    @property
    def limits(self) -> tuple[int, int, int]:
        """First and end time in ms, and the greatest seq."""
        return self.hour_ms, self.hour_ms + HOUR_MS, self.bound


@dataclass(frozen=True)
class HotPart:
    """What SQLite says of one symbol's rows in an hour."""

    symbol: str
    rows: int
    first_id: int
    last_id: int
    max_seq: int
    time_sum: int  # of ms into the hour: whole times would overflow 64 bits in a wild hour
    price_sum: float
    qty_sum: float


class HotValues(NamedTuple):
    """What tells a row from another trade by the same id; None is not known, and like any value."""

    time_ms: int
    price: float
    qty: float
    first_trade_id: int | None
    last_trade_id: int | None

    def differs(self, trade: TradeEvent) -> bool:
        """Whether the row cannot be this trade."""
        ids = (trade.first_trade_id, trade.last_trade_id)
        return self[:3] != (trade.time_ms, trade.price, trade.qty) or any(
            None not in both and both[0] != both[1] for both in zip(self[3:], ids, strict=True)
        )


def next_hour(db: sqlite3.Connection, from_ms: int) -> HotHour | None:
    """The first hour at or after `from_ms` that has hot rows."""
    (time_ms,) = db.execute(
        "SELECT min(time_ms) FROM ticks WHERE time_ms >= ?", (from_ms,)
    ).fetchone()
    if time_ms is None:
        return None
    return HotHour(hour_of(time_ms), greatest_seq(db))


def greatest_seq(db: sqlite3.Connection) -> int:
    """The greatest seq of a row that is still hot; 0 where none is."""
    return int(db.execute("SELECT ifnull(max(seq), 0) FROM ticks").fetchone()[0])


def hot_parts(db: sqlite3.Connection, hour: HotHour) -> list[HotPart]:
    """The symbols of an hour, with counts and sums to check a partition against."""
    rows = db.execute(
        f"SELECT {_SUMMARY} FROM ticks WHERE {_IN_HOUR} GROUP BY symbol ORDER BY symbol",
        hour.limits,
    )
    return [HotPart(*row) for row in rows]


def hot_part(db: sqlite3.Connection, hour: HotHour, symbol: str) -> HotPart | None:
    """The same of one symbol; None where the hour has no hot rows of it."""
    there = f"SELECT 1 FROM ticks WHERE {_IN_HOUR} LIMIT 1"
    if db.execute(there, hour.limits).fetchone() is None:
        return None
    # By symbol: the hour itself may have the rows of hundreds of others.
    row = db.execute(
        f"SELECT {_SUMMARY} FROM ticks WHERE +time_ms >= ? AND +time_ms < ? AND +seq <= ? "
        "AND symbol = ? GROUP BY symbol",
        (*hour.limits, symbol),
    ).fetchone()
    return HotPart(*row) if row else None


def read_rows(
    db: sqlite3.Connection, hour: HotHour, part: HotPart, size: int = 20_000
) -> Iterable[list[tuple[object, ...]]]:
    """The rows of one symbol in an hour, `size` at a time, in the order of `TICK_COLUMNS`."""
    cursor = db.execute(
        f"SELECT {_ALL_NAMES} FROM ticks "
        f"WHERE symbol = ? AND trade_id BETWEEN ? AND ? AND {_IN_HOUR}",
        (part.symbol, part.first_id, part.last_id, *hour.limits),
    )
    while rows := cursor.fetchmany(size):
        yield rows


def rows_by_id(
    db: sqlite3.Connection, symbol: str, first_id: int, last_id: int
) -> list[tuple[object, ...]]:
    """The rows of a symbol (TICK_COLUMNS) with ids from `first_id` to `last_id`, of any hour."""
    return db.execute(
        f"SELECT {_ALL_NAMES} FROM ticks WHERE symbol = ? AND trade_id BETWEEN ? AND ?",
        (symbol, first_id, last_id),
    ).fetchall()


def rows_between(
    db: sqlite3.Connection,
    start_ms: int,
    end_ms: int,
    columns: Sequence[str] = COLUMNS,
    symbols: Sequence[str] | None = None,
) -> list[tuple[object, ...]]:
    """The `columns` of the rows with start_ms <= time_ms < end_ms; symbols None: of all of them."""
    query = f"SELECT {', '.join(columns)} FROM ticks WHERE time_ms >= ? AND time_ms < ?"
    if symbols is None:
        return db.execute(query, (start_ms, end_ms)).fetchall()
    # The + keeps to the index of the times: by symbol all rows of it would be looked at.
    of_these = f"{query} AND +symbol IN (SELECT value FROM json_each(?))"
    return db.execute(of_these, (start_ms, end_ms, json.dumps(list(symbols)))).fetchall()


def rows_of(
    db: sqlite3.Connection, symbol: str, start_ms: int, end_ms: int, columns: Sequence[str]
) -> list[tuple[object, ...]]:
    """The same of one symbol, by whichever index has fewer rows to look at."""
    (symbols,) = db.execute("SELECT count(*) FROM symbols").fetchone()
    low, high = hot_span(db)
    if low is None or high is None or end_ms <= low or start_ms > high:
        return []
    if high - low > symbols * (end_ms - start_ms):
        return rows_between(db, start_ms, end_ms, columns, [symbol])
    return db.execute(
        f"SELECT {', '.join(columns)} FROM ticks "
        "WHERE symbol = ? AND +time_ms >= ? AND +time_ms < ?",
        (symbol, start_ms, end_ms),
    ).fetchall()


def hot_days(db: sqlite3.Connection, start_ms: int, end_ms: int) -> set[int]:
    """The starts (ms) of the UTC days in which hot rows with start_ms <= time_ms < end_ms are."""
    days, at = set(), start_ms
    query = "SELECT min(time_ms) FROM ticks WHERE time_ms >= ? AND time_ms < ?"
    while (time_ms := db.execute(query, (at, end_ms)).fetchone()[0]) is not None:
        days.add(day_of(time_ms))
        at = day_of(time_ms) + DAY_MS
    return days


def rows_after(db: sqlite3.Connection, seq: int, most: int) -> list[tuple[object, ...]]:
    """At most `most` rows of a seq greater than `seq`, in that order: seq, and COLUMNS."""
    return db.execute(
        f"SELECT seq, {_NAMES} FROM ticks WHERE seq > ? ORDER BY seq LIMIT ?", (seq, most)
    ).fetchall()


def rows_until(
    db: sqlite3.Connection, start_ms: int, end_ms: int, seq: int
) -> list[tuple[object, ...]]:
    """The rows with start_ms <= time_ms < end_ms of no greater seq than `seq`: seq, and COLUMNS."""
    return db.execute(
        f"SELECT seq, {_NAMES} FROM ticks WHERE {_IN_HOUR}", (start_ms, end_ms, seq)
    ).fetchall()


def came_after(db: sqlite3.Connection, seq: int, first_ms: int, last_ms: int) -> bool:
    """Whether a row of a seq greater than `seq` has a time from `first_ms` to `last_ms`."""
    query = "SELECT 1 FROM ticks WHERE seq > ? AND time_ms BETWEEN ? AND ? LIMIT 1"
    return db.execute(query, (seq, first_ms, last_ms)).fetchone() is not None


def minutes_from(db: sqlite3.Connection, start_ms: int, seq: int) -> list[int]:
    """Minutes since 1970 in which rows from `start_ms` on are, of no greater seq than `seq`."""
    query = "SELECT DISTINCT time_ms / 60000 FROM ticks WHERE time_ms >= ? AND seq <= ?"
    return [minute for (minute,) in db.execute(query, (start_ms, seq))]


def values_by_id(db: sqlite3.Connection, symbol: str, ids: Sequence[int]) -> dict[int, HotValues]:
    """What tells one trade from another, of those of `ids` that are hot."""
    rows = db.execute(
        f"SELECT trade_id, {', '.join(HotValues._fields)} FROM ticks WHERE symbol = ? "
        "AND trade_id IN (SELECT value FROM json_each(?))",
        (symbol, json.dumps(ids)),
    )
    return {trade_id: HotValues(*values) for trade_id, *values in rows}


def hot_ends(
    db: sqlite3.Connection, symbol: str
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """(trade_id, time_ms) of a symbol's rows with the least and the greatest id."""
    first, last = (
        db.execute(
            "SELECT trade_id, time_ms FROM ticks WHERE symbol = ? "
            f"ORDER BY trade_id {order} LIMIT 1",
            (symbol,),
        ).fetchone()
        for order in ("ASC", "DESC")
    )
    return first, last


def hot_span(db: sqlite3.Connection) -> tuple[int | None, int | None]:
    """The least and the greatest time (Unix ms) of all rows."""
    low, high = db.execute(
        "SELECT (SELECT min(time_ms) FROM ticks), (SELECT max(time_ms) FROM ticks)"
    ).fetchone()
    return low, high


def record_roll(
    db: sqlite3.Connection, hour: HotHour, parts: Sequence[tuple[HotPart, int, int]], now_ms: int
) -> None:
    """Records that the trades of an hour are in place: how many, and in the day's file of them."""
    with atomic(db):
        rolls = (
            Roll(part.symbol, hour.hour_ms, rows, part.max_seq, day_rows)
            for part, rows, day_rows in parts
        )
        record_rolls(db, rolls, now_ms)
        add_counters(db, {("rolled_hours", ""): 1, ("rolled_partitions", ""): len(parts)})


def delete_rows(
    db: sqlite3.Connection, hour: HotHour, symbols: Sequence[str], from_ms: int, most: int
) -> int | None:
    """Deletes at most `most` rows of the rolled `symbols` from `from_ms` on.

    Returns the time (ms) to go on from, so that the rows of other symbols, which stay, are passed
    over once and not again with every piece; None when there was nothing left to delete.
    """
    _, end_ms, bound = hour.limits
    # The + keeps to the index of the times: by symbol all rows of it would be looked at.
    query = (
        f"DELETE FROM ticks WHERE seq IN (SELECT seq FROM ticks WHERE {_IN_HOUR} "
        "AND +symbol IN (SELECT value FROM json_each(?)) ORDER BY time_ms LIMIT ?) "
        "RETURNING time_ms"
    )
    with atomic(db):
        values = (from_ms, end_ms, bound, json.dumps(symbols), most)
        times = db.execute(query, values).fetchall()
    return max(times)[0] if times else None


def delete_part(db: sqlite3.Connection, hour_ms: int, part: HotPart, most: int) -> bool:
    """Deletes at most `most` rows of one symbol's part of an hour; whether there may be more."""
    _, end_ms, bound = HotHour(hour_ms, part.max_seq).limits
    with atomic(db):
        deleted = db.execute(
            "DELETE FROM ticks WHERE seq IN (SELECT seq FROM ticks WHERE symbol = ? AND trade_id "
            "BETWEEN ? AND ? AND +time_ms >= ? AND +time_ms < ? AND +seq <= ? LIMIT ?)",
            (part.symbol, part.first_id, part.last_id, hour_ms, end_ms, bound, most),
        ).rowcount
    return bool(deleted == most)


def give_back_pages(db: sqlite3.Connection, most: int) -> bool:
    """Shrinks the file by at most `most` free pages; whether there are more to give back."""
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    excess = min(most, free - _SPARE_PAGES)
    if excess <= 0:
        return False
    shrink(db, excess)
    (left,) = db.execute("PRAGMA freelist_count").fetchone()
    # A file that another tool made may be one that never shrinks.
    return bool(_SPARE_PAGES < left < free)
