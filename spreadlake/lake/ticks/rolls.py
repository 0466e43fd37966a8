"""The rows of `rolls`: which hours of which symbols were rolled to Parquet.

Sequence numbers are given once and never again, to rolled rows as to hot ones; what was rolled
and is no longer in its place is told, and never taken for an hour without trades.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from spreadlake.errors import MissingFileError
from spreadlake.lake.databases.meta import has_table
from spreadlake.lake.files import cold_part, is_there, names_in
from spreadlake.lake.layout import DAY_FILE, DAY_MS, HOUR_MS, Lake, day_of
from spreadlake.lake.ticks.symbols import read_symbols
from spreadlake.times import iso_utc

_HOURS = 24  # of a folder
_NAMED = 3  # spans of hours that are named one by one
_COMPACTED = """
WITH RECURSIVE days(symbol, day_ms) AS (
  SELECT s.symbol, (
    SELECT min(hour_ms) / :day * :day FROM rolls AS r
    WHERE r.symbol = s.symbol AND hour_ms >= :low)
  FROM symbols AS s
  UNION ALL
  SELECT d.symbol, (
    SELECT min(hour_ms) / :day * :day FROM rolls AS r
    WHERE r.symbol = d.symbol AND hour_ms >= d.day_ms + :day)
  FROM days AS d WHERE d.day_ms IS NOT NULL)
SELECT symbol, day_ms FROM days AS d WHERE EXISTS (
  SELECT 1 FROM rolls AS r
  WHERE r.symbol = d.symbol AND hour_ms >= max(:low, d.day_ms) AND hour_ms < d.day_ms + :day
    AND day_rows > 0)
"""


class Roll(NamedTuple):
    """An hour of one symbol that is in Parquet: how many rows, and the greatest seq of them.

    `day_rows` of them are in the file of the whole day, all others in the hour's own.
    """

    symbol: str
    hour_ms: int
    rows: int
    max_seq: int
    day_rows: int = 0


class RolledHour(NamedTuple):
    """An hour of one symbol that was rolled, how many rows it had, and the day's file of them."""

    symbol: str
    hour_ms: int
    rows: int
    day_rows: int = 0

    def is_there(self, hour_file: bool, day_file: bool) -> bool:
        """Whether all that it had can be there, where these files are or are not."""
        return (hour_file or self.rows <= self.day_rows) and (day_file or not self.day_rows)


def newest_seq(db: sqlite3.Connection) -> int:
    """The greatest `seq` ever given to a trade, rolled or not; 0 in an empty lake."""
    row = db.execute(
        "SELECT max(ifnull((SELECT max(seq) FROM ticks), 0), "
        "ifnull((SELECT max(max_seq) FROM rolls), 0))"
    ).fetchone()
    if not knows_days(db):
        return int(row[0])
    (removed,) = db.execute("SELECT ifnull(max(max_seq), 0) FROM removed").fetchone()
    return max(int(row[0]), int(removed))


def knows_days(db: sqlite3.Connection) -> bool:
    """Whether a lake knows of days and of what was removed; one that was only read since may not.

    It does once its writer has opened it.
    """
    return has_table(db, "removed")


def _columns(db: sqlite3.Connection, of: str = "") -> str:
    """The columns of a RolledHour; `of` is the table's name with a dot, where there are two."""
    day_rows = f"{of}day_rows" if knows_days(db) else "0"
    return f"{of}symbol, {of}hour_ms, {of}rows, {day_rows}"


def record_rolls(db: sqlite3.Connection, rolls: Iterable[Roll], now_ms: int) -> None:
    """Records that the files of these hours are in place; inside the caller's transaction.

    An hour's `max_seq` never falls, whichever rows of it come last: the numbers above it would
    otherwise be given a second time, and the job would pass the second trade over.
    """
    recorded = list(rolls)
    db.executemany(
        "INSERT INTO rolls(symbol, hour_ms, rows, max_seq, day_rows, rolled_ms) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(symbol, hour_ms) DO UPDATE SET "
        "rows = excluded.rows, max_seq = max(max_seq, excluded.max_seq), "
        "day_rows = excluded.day_rows, rolled_ms = excluded.rolled_ms",
        [(*roll, now_ms) for roll in recorded],
    )
    # What stands beside a day's file is to become a part of it.
    db.executemany(
        "INSERT OR IGNORE INTO compacting VALUES (?, ?)",
        [(roll.symbol, day_of(roll.hour_ms)) for roll in recorded if roll.day_rows],
    )


def record_rolls_as_new(
    db: sqlite3.Connection, symbol: str, hours: Iterable[RolledHour], now_ms: int
) -> None:
    """Records hours of one symbol under seqs that were never given, in this order.

    So the job takes in every one of them, as if its trades had come just now. Each hour's seq is
    as many further as it has rows: so seqs count what is yet to be analysed.
    """
    seq, rolls = newest_seq(db), list[Roll]()
    for hour in hours:
        seq += hour.rows
        rolls.append(Roll(symbol, hour.hour_ms, hour.rows, seq, hour.day_rows))
    record_rolls(db, rolls, now_ms)


def rolled_of(
    db: sqlite3.Connection, symbol: str, start_ms: int = 0, end_ms: int = 2**62
) -> dict[int, RolledHour]:
    """The hours of a symbol that are in Parquet and begin in [start_ms, end_ms), by their start."""
    rows = db.execute(
        f"SELECT {_columns(db)} FROM rolls "
        "WHERE symbol = ? AND hour_ms >= ? AND hour_ms < ? ORDER BY hour_ms",
        (symbol, start_ms, end_ms),
    )
    return {hour.hour_ms: hour for hour in map(RolledHour._make, rows.fetchall())}


def rolls_after(db: sqlite3.Connection, seq: int, last: int) -> list[Roll]:
    """The hours with seq < max_seq <= last: some of their trades may be newer than `seq`."""
    rows = db.execute(
        "SELECT symbol, hour_ms, rows, max_seq FROM rolls WHERE max_seq > ? AND max_seq <= ?",
        (seq, last),
    ).fetchall()
    return [Roll(*row) for row in rows]


def rolls_until(db: sqlite3.Connection, start_ms: int, end_ms: int, seq: int) -> list[Roll]:
    """The hours that may hold trades of [start_ms, end_ms), all of no greater seq than `seq`."""
    rows = db.execute(
        "SELECT symbol, hour_ms, rows, max_seq FROM rolls "
        "WHERE hour_ms > ? AND hour_ms < ? AND max_seq <= ?",
        (start_ms - HOUR_MS, end_ms, seq),
    ).fetchall()
    return [Roll(*row) for row in rows]


def recorded_hours(db: sqlite3.Connection) -> set[int]:
    """The starts (ms) of all hours that were rolled, of whatever symbol."""
    return {hour for (hour,) in db.execute("SELECT DISTINCT hour_ms FROM rolls")}


def rolled_between(
    db: sqlite3.Connection, symbols: Sequence[str] | None, start_ms: int, end_ms: int
) -> list[RolledHour]:
    """The hours in Parquet that may hold trades of [start_ms, end_ms); None: of all symbols."""
    names = [row.symbol for row in read_symbols(db)] if symbols is None else list(symbols)
    # In this order, so that each symbol is a seek into the key.
    rows = db.execute(
        f"SELECT {_columns(db, 'r.')} "
        "FROM json_each(?) AS s CROSS JOIN rolls AS r ON r.symbol = s.value "
        "WHERE r.hour_ms > ? AND r.hour_ms < ?",
        (json.dumps(names), start_ms - HOUR_MS, end_ms),
    ).fetchall()
    return [RolledHour(*row) for row in rows]


def missing_error(lake: Lake, missing: Iterable[RolledHour], more: str = "") -> MissingFileError:
    """What a reader says of files that are gone; `more` is another way on."""
    return MissingFileError(
        f"files of {lake.ticks_dir} that were there are gone: {_in_words(missing)}. Put them back "
        f"in their places, or import the dumps of these days again (spreadlake import){more}"
    )


def missing_hours(db: sqlite3.Connection, lake: Lake, from_ms: int = 0) -> list[RolledHour]:
    """Hours that end after `from_ms`, were rolled, and whose files are not there, by symbol.

    Looks for the one file of each day that is compacted, and reads the folders of all others; no
    file is read.
    """
    low = from_ms - HOUR_MS + 1
    days = {(symbol, day_of(hour_ms)) for symbol, hour_ms in _hours_of_their_own(db, low)}
    days |= set(_without_day_file(lake, _compacted_days(db, low)))
    hours = (
        hour
        for symbol, day_ms in sorted(days)
        for hour in rolled_of(db, symbol, max(day_ms, low), day_ms + DAY_MS).values()
    )
    return list(_absent(lake, hours))


def _hours_of_their_own(db: sqlite3.Connection, low: int) -> list[tuple[str, int]]:
    """Hours from `low` (ms) on that a file of their own has trades of."""
    own = "rows > day_rows" if knows_days(db) else "rows > 0"
    return db.execute(
        f"SELECT symbol, hour_ms FROM rolls WHERE {own} AND hour_ms >= ?", (low,)
    ).fetchall()


def _compacted_days(db: sqlite3.Connection, low: int) -> list[tuple[str, int]]:
    """Days with hours from `low` (ms) on that a file of the whole day has trades of.

    One seek for each of a symbol's days, whose hours are not gone through.
    """
    if not knows_days(db):
        return []
    return db.execute(_COMPACTED, {"low": low, "day": DAY_MS}).fetchall()


def _without_day_file(lake: Lake, days: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    # As texts: paths of pathlib take several times as long to make as the look does.
    ticks, dated = str(lake.ticks_dir), dict[int, str]()
    cold, remote = cold_part(lake), dict[str, set[str]]()
    for symbol, day_ms in days:
        if day_ms not in dated:
            dated[day_ms] = lake.tick_day("", day_ms).parent.name
        name = f"{ticks}/symbol={symbol}/{dated[day_ms]}/{DAY_FILE}"
        if os.path.exists(name):  # noqa: PTH110
            continue
        if cold is not None and symbol not in remote:
            remote[symbol] = set(cold.names_under(lake.ticks_dir / f"symbol={symbol}"))
        if f"{dated[day_ms]}/{DAY_FILE}" not in remote.get(symbol, ()):
            yield symbol, day_ms


def _absent(lake: Lake, hours: Iterable[RolledHour]) -> Iterator[RolledHour]:
    names = [lake.tick_partition("", hour * HOUR_MS).name for hour in range(_HOURS)]
    for _, of_day in groupby(hours, lambda hour: (hour.symbol, day_of(hour.hour_ms))):
        rolled = list(of_day)
        there = names_in(lake, lake.tick_day(rolled[0].symbol, rolled[0].hour_ms).parent)
        for hour in rolled:
            own = names[hour.hour_ms // HOUR_MS % _HOURS] in there
            if not hour.is_there(own, DAY_FILE in there):
                yield hour


def refuse_missing(lake: Lake, db: sqlite3.Connection, symbol: str, hour_ms: int) -> None:
    """MissingFileError where an hour was rolled, and a file of it is gone.

    A new file in its place would hide that its trades are missing.
    """
    hour = rolled_of(db, symbol, hour_ms, hour_ms + 1).get(hour_ms)
    if hour is None:
        return
    own, day = lake.tick_partition(symbol, hour_ms), lake.tick_day(symbol, hour_ms)
    if not hour.is_there(is_there(lake, own), is_there(lake, day)):
        raise missing_error(lake, [hour])


def hour_spans(hours: Iterable[RolledHour]) -> Iterator[tuple[str, int, int, int]]:
    """(symbol, start, end in ms, rows) of hours that follow one another."""
    span: tuple[str, int, int, int] | None = None
    for symbol, hour_ms, rows, _ in sorted(hours):
        if span is not None and span[0] == symbol and span[2] == hour_ms:
            span = (symbol, span[1], hour_ms + HOUR_MS, span[3] + rows)
            continue
        if span is not None:
            yield span
        span = (symbol, hour_ms, hour_ms + HOUR_MS, rows)
    if span is not None:
        yield span


def _in_words(hours: Iterable[RolledHour]) -> str:
    """`BTCUSDT 2024-08-08T02:00:00Z to 2024-08-08T04:00:00Z (120 trades)`, and so on."""
    spans = list(hour_spans(hours))
    named = [
        f"{symbol} {iso_utc(start_ms // 1000)} to {iso_utc(end_ms // 1000)} ({rows:,} trades)"
        for symbol, start_ms, end_ms, rows in spans[:_NAMED]
    ]
    more = len(spans) - len(named)
    return ", ".join([*named, f"and {more:,} more"] if more else named)
