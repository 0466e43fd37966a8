"""Rolls finished hours: beside the capture a piece at a time, or all of them at once."""

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from collector.parts import Parts
from collector.rate import Bounded
from collector.roll.hot import (
    HotHour,
    HotPart,
    delete_rows,
    give_back_pages,
    hot_parts,
    next_hour,
    read_rows,
    record_roll,
)
from collector.roll.hours import finished_before
from spreadlake.errors import LakeError
from spreadlake.lake import HOUR_MS, Lake, open_reader

__all__ = ["Roller", "roll_all"]

log = logging.getLogger(__name__)
# Rows deleted, and pages given back, in one transaction: some 20 ms of the writer's time.
_ROWS = 5_000
_PAGES = 500

Step = Callable[[], object]
Written = list[tuple[HotPart, int]]


def roll_all(lake: Lake, db: sqlite3.Connection, before_ms: int) -> int:
    """Rolls every hour that ends at or before `before_ms`; returns how many there were."""
    hours, hour = 0, next_hour(db, 0)
    while hour is not None and hour.hour_ms + HOUR_MS <= before_ms:
        for step in _deletions(db, hour, write_hour(lake, hour, threading.Event())):
            step()
        hours, hour = hours + 1, next_hour(db, hour.hour_ms + HOUR_MS)
    return hours


def write_hour(lake: Lake, hour: HotHour, stop: threading.Event) -> Written:
    """Puts the partitions of all symbols of an hour in place, with the rows each then has.

    Reads by a connection of its own, so that it can run beside the writer. Between two symbols
    it looks at `stop`, and then raises InterruptedError.
    """
    import polars as pl  # noqa: PLC0415 needed once an hour, and not small

    from collector.roll.partition import write_partition  # noqa: PLC0415
    from spreadlake.lake.trades import TRADES_SCHEMA  # noqa: PLC0415

    written = []
    with closing(open_reader(lake.ticks_db)) as db:
        for part in hot_parts(db, hour):
            if stop.is_set():
                raise InterruptedError
            rows = read_rows(db, hour, part)
            frames = [pl.DataFrame(page, TRADES_SCHEMA, orient="row") for page in rows]
            path = lake.tick_partition(part.symbol, hour.hour_ms)
            written.append((part, write_partition(path, pl.concat(frames), part)))
    return written


def _deletions(db: sqlite3.Connection, hour: HotHour, written: Written) -> Iterator[Step]:
    """The writer's part, in steps that are short enough to go between two batches."""
    deleted, more = 1, True

    def delete() -> None:
        nonlocal deleted
        deleted = delete_rows(db, hour, _ROWS)

    def give_back() -> None:
        nonlocal more
        more = give_back_pages(db, _PAGES)

    yield lambda: record_roll(db, hour, written, time.time_ns() // 1_000_000)
    while deleted:
        yield delete
    while more:
        yield give_back


class Roller:
    """Rolls what is finished, again and again, while trades are captured."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lake = parts.lake
        self._db = parts.store.db
        self._stop = threading.Event()
        self._writing: list[asyncio.Task[Written]] = []
        self._warn = Bounded(log.error, 60.0)

    async def run(self) -> None:
        """Runs until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._parts.timing.roll_interval)
                await self._pass()
        finally:
            # Nobody else may write partitions before this thread has ended.
            self._stop.set()
            await asyncio.gather(*self._writing, return_exceptions=True)

    async def _pass(self) -> None:
        watermark = self._parts.store.watermark_ms
        if watermark is None:
            return
        before_ms = finished_before(watermark, self._parts.settings.storage.roll_after_hours)
        try:
            await self._roll(before_ms)
        except (OSError, sqlite3.Error, LakeError) as error:
            self._warn("an hour could not be rolled and stays in ticks.db: %s", error)

    async def _roll(self, before_ms: int) -> None:
        hour = await self._next(0)
        while hour is not None and hour.hour_ms + HOUR_MS <= before_ms:
            written = await self._write(hour)
            for step in _deletions(self._db, hour, written):
                await self._parts.writer.persist(step)
            log.info("rolled %d symbols of the hour %s", len(written), _name(hour))
            hour = await self._next(hour.hour_ms + HOUR_MS)

    async def _write(self, hour: HotHour) -> Written:
        writing = asyncio.create_task(asyncio.to_thread(write_hour, self._lake, hour, self._stop))
        self._writing = [writing]
        return await asyncio.shield(writing)

    async def _next(self, from_ms: int) -> HotHour | None:
        return await self._parts.writer.run(lambda: next_hour(self._db, from_ms))


def _name(hour: HotHour) -> str:
    return time.strftime("%Y-%m-%d %H:00 UTC", time.gmtime(hour.hour_ms // 1000))
