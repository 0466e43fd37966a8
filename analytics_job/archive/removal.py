"""Removes the oldest days of archived bars and analytics, by age and where room is short.

Up to when is on record before the files go (`progress`). Rows in SQLite stay, whatever their age.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from analytics_job.bars.old import DEFAULT_HOURS
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, atomic, open_reader, read_status
from spreadlake.lake.analytics.removal import removed_before, removed_key
from spreadlake.lake.analytics.rollups import kept_from, remove_rollups, save_first, series_in
from spreadlake.lake.keeping import age_cutoff, midnight
from spreadlake.lake.sizes import ColdKind
from spreadlake.series import BARS, PAIR_ANALYTICS, TABLES, SeriesKey, Table
from spreadlake.times import iso_utc

log = logging.getLogger(__name__)

_DAY = 86_400
_ROLLED_BEFORE = f"SELECT 1 FROM pair_rollups WHERE {PAIR_ANALYTICS.is_series} AND time < ? LIMIT 1"
_SERIES = 200  # of which old roll-ups are removed at a time


class Removal:
    """Keeps `keep_days` of each kind, and what the collector says the lake has room for."""

    def __init__(
        self, db: sqlite3.Connection, lake: Lake, keep_days: Mapping[ColdKind, float]
    ) -> None:
        self._db = db
        self._lake = lake
        self._keep_days = keep_days
        self._swept = False

    def work(self, now: int, archived: Callable[[str], int]) -> Iterator[Iterator[None]]:
        """What is to go, in parts; `archived` says before when a timeframe has no row in SQLite."""
        by_size = self._asked_for()
        for table in TABLES.values():
            cutoff = max(age_cutoff(now, self._keep_days.get(table.name)), by_size)
            for folder in sorted((self._lake.root / table.name).glob("timeframe=*")):
                timeframe = folder.name.removeprefix("timeframe=")
                end = min(cutoff, archived(timeframe) // _DAY * _DAY)
                before = removed_before(self._db, table, timeframe)
                if end > before or (before and not self._swept):
                    yield self._remove(folder, table, timeframe, max(end, before))
        self._swept = True

    def _asked_for(self) -> int:
        """The midnight (s) before which the collector has found no room; 0 without one."""
        if not self._lake.ticks_db.exists():
            return 0
        try:
            with closing(open_reader(self._lake.ticks_db)) as ticks:
                told = read_status(ticks).get("storage", ({}, 0))[0]
        except (sqlite3.Error, LakeError):
            return 0
        return int(told.get("remove_before", 0))

    def _remove(self, folder: Path, table: Table, timeframe: str, end: int) -> Iterator[None]:
        self._record(table, timeframe, end)
        yield
        number = 0
        for name in sorted(folder.iterdir()):
            for day in sorted(name.glob("date=*")):
                if midnight(day.name.removeprefix("date=")) < end:
                    number += 1
                    _remove_day(day)
            yield
        if number:
            log.info(
                "removed %d days of %s (%s) before %s from Parquet to make room",
                number, table.name, timeframe, iso_utc(end),
            )  # fmt: skip

    def _record(self, table: Table, timeframe: str, end: int) -> None:
        with atomic(self._db):
            self._db.execute(
                "INSERT OR REPLACE INTO progress VALUES (?, ?)",
                (removed_key(table, timeframe), end),
            )
            if table is BARS:  # the first bar that there is; nothing looks for one before it
                self._db.execute(
                    "UPDATE first_bars SET time = max(time, ?) WHERE timeframe = ?",
                    (end, timeframe),
                )


def remove_old_rollups(
    db: sqlite3.Connection, hours: Mapping[str, float], now: int
) -> Iterator[Iterator[None]]:
    """Removes roll-ups that are not kept any more, in parts; nothing where all are kept."""
    cutoffs: dict[str, int] = {}
    old: list[tuple[SeriesKey, int]] = []
    for key in series_in(db, "pair_rollups"):
        if key.timeframe not in cutoffs:
            kept = hours.get(key.timeframe, DEFAULT_HOURS)
            cutoffs[key.timeframe] = kept_from(db, key.timeframe, kept, now)
        cutoff = cutoffs[key.timeframe]
        if db.execute(_ROLLED_BEFORE, (*key, cutoff)).fetchone():
            old.append((key, cutoff))
    if old:
        yield _remove_rollups(db, old)


def _remove_rollups(db: sqlite3.Connection, old: Sequence[tuple[SeriesKey, int]]) -> Iterator[None]:
    for at in range(0, len(old), _SERIES):
        with atomic(db):
            for key, cutoff in old[at : at + _SERIES]:
                remove_rollups(db, [key], 0, cutoff)
                save_first(db, key.timeframe, cutoff)
        yield


def _remove_day(folder: Path) -> None:
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()
