"""Removes the oldest days of trades, by age and where the lake takes too much room.

What goes is on record before its files go; after a crash in between they go at the next start.
Nothing goes that is in a database, and no day that the analytics job has not taken in.
"""

import asyncio
import logging
import threading
import time

from collector.log_lines import RateLimitedLog
from collector.resources import Resources
from spreadlake.lake import Lake, set_status
from spreadlake.lake.analytics.taken import read_taken
from spreadlake.lake.keeping import GIB, age_cutoff, before, removable_before
from spreadlake.lake.layout import DAY_FILE
from spreadlake.lake.sizes import COLD, Sizes, measure
from spreadlake.lake.ticks.compaction import Day
from spreadlake.lake.ticks.removal import (
    newest_seq_of,
    oldest_days,
    record_removed,
    removed_days,
)
from spreadlake.times import iso_utc

log = logging.getLogger(__name__)

# Between two looks at how much room the lake takes: that of a year is some hundred thousand files.
_MEASURE_SECONDS = 3600.0
_FOLDERS, _REST = 50, 0.01
_FILES = {DAY_FILE, *(f"{hour:02}.parquet" for hour in range(24))}


def remove_files(lake: Lake, day: Day) -> None:
    """Removes the files of a day that is on record as removed; what else is there stays."""
    folder = lake.tick_day(day.symbol, day.day_ms).parent
    for name in sorted(_FILES):
        (folder / name).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass  # all of it had left the disk, for object storage
    except OSError:
        log.warning("%s holds files that are not the lake's: it stays", folder)


class Remover:
    """Does so beside the capture; and tells how much room the lake takes."""

    def __init__(self, resources: Resources, stop: threading.Event) -> None:
        self._resources = resources
        self._lake = resources.lake
        self._db = resources.store.db
        self._writer = resources.writer
        self._storage = resources.settings.storage
        self._stop = stop
        self._sizes: Sizes | None = None
        self._measure_at = 0.0
        self._told_before = 0
        self._swept = False
        self._tell_waiting = RateLimitedLog(log.warning, 3600.0)
        self._tell_full = RateLimitedLog(log.warning, 3600.0)

    async def run(self, watermark_ms: int) -> None:
        """Removes what is older than it is kept, by the time (ms) of the newest trade."""
        now = watermark_ms // 1000
        if time.monotonic() >= self._measure_at:
            await self._measure(now)
        if not self._swept:
            await self._sweep()
        sizes, storage = self._sizes, self._storage
        by_size = 0 if sizes is None else removable_before(sizes, storage.max_gib, now)
        if sizes is not None and by_size != self._told_before:
            await self._tell(sizes, by_size)
        if storage.removed_gib is None:
            by_size = 0  # where there is object storage they only leave the disk, once uploaded
        cutoff = max(age_cutoff(now, storage.removed_days.get("ticks")), by_size)
        if cutoff:
            await self._remove(cutoff * 1000)

    async def _remove(self, cutoff_ms: int) -> None:
        trades, number, waiting = 0, 0, set[Day]()
        taken = await asyncio.to_thread(read_taken, self._lake)
        while days := [d for d in await self._oldest(cutoff_ms) if d not in waiting]:
            for day in days:
                if self._stop.is_set():
                    return
                if not taken.has(day.day_ms, await self._newest_seq(day)):
                    waiting.add(day)
                    continue
                trades += await self._remove_day(day)
                number += 1
        if number:
            log.info(
                "removed %d days of one symbol before %s from Parquet to make room (%d trades)",
                number,
                iso_utc(cutoff_ms // 1000),
                trades,
            )
        if waiting:
            self._tell_waiting(
                "%d days of trades are older than they are kept, and stay until the analytics job "
                "has taken them in",
                len(waiting),
            )

    async def _newest_seq(self, day: Day) -> int:
        return await self._writer.run(lambda: newest_seq_of(self._db, day))

    async def _oldest(self, cutoff_ms: int) -> list[Day]:
        return await self._writer.run(lambda: oldest_days(self._db, cutoff_ms))

    async def _remove_day(self, day: Day) -> int:
        now_ms = time.time_ns() // 1_000_000
        trades = await self._writer.persist(lambda: record_removed(self._db, day, now_ms))
        await asyncio.to_thread(remove_files, self._lake, day)
        return trades

    async def _sweep(self) -> None:
        """What a crash left of days that are on record as removed."""
        gone = await self._writer.run(lambda: removed_days(self._db, None, 0, 2**52))
        for day in gone:
            if self._lake.tick_day(day.symbol, day.day_ms).parent.is_dir():
                await asyncio.to_thread(remove_files, self._lake, day)
        self._swept = True

    async def _measure(self, now: int) -> None:
        self._measure_at = time.monotonic() + _MEASURE_SECONDS
        looked = 0

        def pause() -> None:
            nonlocal looked
            looked += 1
            if looked % _FOLDERS == 0:
                self._stop.wait(_REST)

        sizes = self._sizes = await asyncio.to_thread(measure, self._lake, pause)
        cutoff = removable_before(sizes, self._storage.max_gib, now)
        left = sizes.total - sum(before(sizes.days, kind, cutoff) for kind in COLD)
        if self._storage.max_gib is not None and left > self._storage.max_gib * GIB:
            self._tell_full(
                "the lake takes more than storage.max_gib = %g even without its old days: "
                "what is in databases and of the last two days stays",
                self._storage.max_gib,
            )
        await self._tell(sizes, cutoff)

    async def _tell(self, sizes: Sizes, cutoff: int) -> None:
        """Says what takes how much, and to others before when days are to go for lack of room.

        To the analytics job (`remove_before`), or to the uploader, which takes them from the disk.

        At a start the newest trade may be of long ago: with the next ones other days are old.
        """
        told = {
            "bytes": {kind: room.bytes for kind, room in sizes.kinds.items()},
            "remove_before": 0 if self._storage.removed_gib is None else cutoff,
            "leave_before": 0 if self._storage.cold is None else cutoff,
        }
        now_ms, self._told_before = time.time_ns() // 1_000_000, cutoff
        await self._writer.persist(lambda: set_status(self._db, now_ms, {"storage": told}))
