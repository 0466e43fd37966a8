"""Puts the hours of finished days together: beside the capture a day at a time, or all at once.

By the rule of rolling: the day's file is written beside its place, synced, read back and renamed;
only then is it recorded, and only after that do the files of its hours go. Readers take the hours
first and then the day, each trade once, so that all of these moments are the same to them.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing

from collector.log_lines import RateLimitedLog, several
from collector.resources import Resources
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.ticks.compaction import (
    Day,
    days_left,
    record_day,
    record_hours_gone,
    still_hot,
)

log = logging.getLogger(__name__)

# A day that could not be compacted is looked at again after so many seconds.
_AGAIN = 3600.0


def compact_all(lake: Lake, db: sqlite3.Connection, before_ms: int) -> int:
    """Compacts every day that is over at `before_ms`; returns how many (of one symbol) there were.

    LakeError, after all others were compacted, for days that stay as they are.
    """
    number, left, days = 0, list[str](), days_left(db, 0, before_ms)
    while days:
        hot = still_hot(db, days[0].day_ms)
        for day in days:
            if day.symbol in hot:
                continue
            try:
                write(lake, day, threading.Event())
                record_day(db, day)
                remove(lake, day)
                record_hours_gone(db, day)
                number += 1
            except LakeError as error:
                left.append(str(error))
        days = days_left(db, days[0].day_ms + DAY_MS, before_ms)
    log.info("days compacted: %d", number)
    if left:
        raise LakeError(f"{several(left)}. All other days were compacted")
    return number


def write(lake: Lake, day: Day, stop: threading.Event) -> None:
    """Puts the day's file in place, by a reader of its own; InterruptedError once `stop` is set."""
    # Polars and Arrow are needed once a day, and not small.
    from spreadlake.lake.ticks.days import write_day  # noqa: PLC0415

    with closing(open_reader(lake.ticks_db)) as db:
        for _ in write_day(lake, db, day):
            if stop.is_set():
                raise InterruptedError


def remove(lake: Lake, day: Day) -> None:
    """Removes the files of the hours, which the day's file holds."""
    from spreadlake.lake.ticks.days import remove_hours  # noqa: PLC0415

    remove_hours(lake, day)


class Compactor:
    """Compacts what is finished while trades are captured, in a thread that rests as it works."""

    def __init__(self, resources: Resources, stop: threading.Event) -> None:
        """Whoever sets `stop` waits for `close` then: until then the thread writes files."""
        self._lake = resources.lake
        self._db = resources.store.db
        self._writer = resources.writer
        self._stop = stop
        self._working: list[asyncio.Task[None]] = []
        self._again: dict[Day, float] = {}
        self._warn = RateLimitedLog(log.error, 60.0)

    async def close(self) -> None:
        """Waits for the thread."""
        await asyncio.gather(*self._working, return_exceptions=True)

    async def run(self, before_ms: int, is_wanted: Callable[[], bool]) -> None:
        """Compacts days that are over at `before_ms`, for as long as `is_wanted` says so."""
        days = await self._days(0, before_ms)
        while days:
            number, hot = 0, await self._hot(days[0].day_ms)
            for day in days:
                if not is_wanted():
                    return
                # Where an hour could not be rolled, it is waited for.
                if day.symbol not in hot:
                    number += await self._compact(day)
            if number:
                name = time.strftime("%Y-%m-%d", time.gmtime(days[0].day_ms // 1000))
                log.info("compacted %s (symbols: %d)", name, number)
            days = await self._days(days[0].day_ms + DAY_MS, before_ms)

    async def _days(self, from_ms: int, before_ms: int) -> list[Day]:
        return await self._writer.run(lambda: days_left(self._db, from_ms, before_ms))

    async def _hot(self, day_ms: int) -> set[str]:
        return await self._writer.run(lambda: still_hot(self._db, day_ms))

    async def _compact(self, day: Day) -> bool:
        begin = time.monotonic()
        if begin < self._again.get(day, 0.0):
            return False
        try:
            await self._in_thread(lambda: write(self._lake, day, self._stop))
            await self._writer.persist(lambda: record_day(self._db, day))
            await self._in_thread(lambda: remove(self._lake, day))
            await self._writer.persist(lambda: record_hours_gone(self._db, day))
        except (OSError, LakeError) as error:
            self._again[day] = time.monotonic() + _AGAIN
            self._warn("a day could not be compacted, and stays in hours: %s", error)
            return False
        self._again.pop(day, None)
        await asyncio.sleep(time.monotonic() - begin)
        return True

    async def _in_thread(self, function: Callable[[], None]) -> None:
        working = asyncio.create_task(asyncio.to_thread(function))
        self._working = [working]
        await asyncio.shield(working)
