"""Rolls finished hours: beside the capture a piece at a time, or all of them at once.

Beside the capture finished days are compacted as well, when no hour waits.
"""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from collector.log_lines import RateLimitedLog, several, symbols_counted
from collector.resources import Resources
from collector.roll.compactor import Compactor
from collector.roll.finished import finished_before
from collector.roll.remover import Remover
from collector.roll.writing import WrittenHour, write_hour
from spreadlake.errors import LakeError
from spreadlake.lake import HOUR_MS, Lake
from spreadlake.lake.databases.errors import explain, passes
from spreadlake.lake.ticks.hot import (
    HotHour,
    delete_rows,
    give_back_pages,
    next_hour,
    record_roll,
)

log = logging.getLogger(__name__)
# Rows deleted, and pages given back, in one transaction: some 20 ms of the writer's time.
_ROWS = 5_000
_PAGES = 500

Step = Callable[[], object]
# An hour that could not be rolled as a whole is looked at again after so many seconds.
_AGAIN = 600.0


def roll_all(lake: Lake, db: sqlite3.Connection, before_ms: int) -> int:
    """Rolls every hour that ends at or before `before_ms`; returns how many there were.

    LakeError, after all others were rolled, for partitions that could not be written.
    """
    hours, left, hour = 0, list[str](), next_hour(db, 0)
    while hour is not None and hour.hour_ms + HOUR_MS <= before_ms:
        written = write_hour(lake, hour, threading.Event())
        for step in _deletions(db, hour, written):
            step()
        left += written.left
        hours, hour = hours + bool(written.parts), next_hour(db, hour.hour_ms + HOUR_MS)
    log.info("hours rolled: %d", hours)
    if left:
        raise LakeError(
            f"{several(left)}. The trades of these stay in ticks.db, all others were rolled"
        )
    return hours


def _deletions(db: sqlite3.Connection, hour: HotHour, written: WrittenHour) -> Iterator[Step]:
    """The writer's part, in steps that are short enough to go between two batches."""
    symbols = written.symbols
    from_ms: int | None = hour.hour_ms
    more = True

    def delete() -> None:
        nonlocal from_ms
        if from_ms is not None:
            from_ms = delete_rows(db, hour, symbols, from_ms, _ROWS)

    def give_back() -> None:
        nonlocal more
        more = give_back_pages(db, _PAGES)

    if not symbols:
        return
    yield lambda: record_roll(db, hour, written.parts, time.time_ns() // 1_000_000)
    while from_ms is not None:
        yield delete
    while more:
        yield give_back


class Roller:
    """Rolls and compacts what is finished, again and again, while trades are captured."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._lake = resources.lake
        self._db = resources.store.db
        self._stop = threading.Event()
        self._compactor = Compactor(resources, self._stop)
        self._remover = Remover(resources, self._stop)
        self._writing: list[asyncio.Task[WrittenHour]] = []
        self._again: dict[int, float] = {}
        self._warn = RateLimitedLog(log.error, 60.0)
        self._warn_of_left = RateLimitedLog(log.error, _AGAIN)

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._resources.timing.roll_interval)
                await self._pass()
        finally:
            # Nobody else may write partitions before this thread has ended.
            self._stop.set()
            await asyncio.gather(*self._writing, return_exceptions=True)
            await self._compactor.close()

    async def _pass(self) -> None:
        before_ms = self._finished_ms()
        if before_ms is None or not self._resources.may_roll():
            return
        try:
            await self._roll(before_ms)
            # The next hour is not to wait for all of a day.
            await self._compactor.run(before_ms, lambda: self._finished_ms() == before_ms)
            await self._remover.run(self._resources.store.watermark_ms or 0)
        except (OSError, sqlite3.Error, LakeError) as error:
            if isinstance(error, sqlite3.Error) and not passes(error):
                raise explain(error, self._lake.ticks_db) from error
            self._warn("an hour could not be rolled and stays in ticks.db: %s", error)

    def _finished_ms(self) -> int | None:
        watermark = self._resources.store.watermark_ms
        if watermark is None:
            return None
        return finished_before(watermark, self._resources.settings.storage.roll_after_hours)

    async def _roll(self, before_ms: int) -> None:
        hour = await self._next(0)
        while hour is not None and hour.hour_ms + HOUR_MS <= before_ms:
            # Hours that stay would otherwise be read again with every pass, ever more of them.
            if time.monotonic() >= self._again.get(hour.hour_ms, 0.0):
                await self._roll_hour(hour)
            hour = await self._next(hour.hour_ms + HOUR_MS)

    async def _roll_hour(self, hour: HotHour) -> None:
        written = await self._write(hour)
        for step in _deletions(self._db, hour, written):
            await self._resources.writer.persist(step)
        self._again.pop(hour.hour_ms, None)
        if written.left:
            self._again[hour.hour_ms] = time.monotonic() + _AGAIN
            self._warn_of_left(
                "the hour %s is rolled but for %d of its symbols, "
                "whose trades stay in ticks.db: %s",
                _name(hour),
                len(written.left),
                several(written.left),
            )
        if written.parts:
            log.info("rolled %s of the hour %s", symbols_counted(len(written.parts)), _name(hour))

    async def _write(self, hour: HotHour) -> WrittenHour:
        writing = asyncio.create_task(asyncio.to_thread(write_hour, self._lake, hour, self._stop))
        self._writing = [writing]
        return await asyncio.shield(writing)

    async def _next(self, from_ms: int) -> HotHour | None:
        return await self._resources.writer.run(lambda: next_hour(self._db, from_ms))


def _name(hour: HotHour) -> str:
    return time.strftime("%Y-%m-%d %H:00 UTC", time.gmtime(hour.hour_ms // 1000))
