"""The one thread that writes trades into SQLite, and how the event loop waits for it."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from collector.log_lines import RateLimitedLog
from spreadlake.backoff import Backoff
from spreadlake.lake.databases.errors import explain, passes

log = logging.getLogger(__name__)
T = TypeVar("T")
_FIRST_DELAY = 0.05


class WriterThread:
    """Runs functions that write the database at `path` one after another in a thread of its own."""

    def __init__(self, path: Path, retry_cap: float) -> None:
        self._path = path
        self._executor = ThreadPoolExecutor(1, "writer")
        self._retry_cap = retry_cap
        self._warn = RateLimitedLog(log.error, 60.0)
        self._tell = RateLimitedLog(log.info, 60.0)
        self._failing = 0
        self.trouble: str | None = None

    async def run(self, function: Callable[[], T]) -> T:
        """Runs `function` once."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def persist(self, function: Callable[[], T]) -> T:
        """Runs `function` until the disk and the database let it succeed.

        A lock, a full disk and a failing one are waited out with growing delays; `trouble` says
        so meanwhile. LakeError for whatever does not pass.
        """
        try:
            return await self.run(function)
        except sqlite3.Error as error:
            self._take(error)
        return await self._retry(function)

    async def _retry(self, function: Callable[[], T]) -> T:
        self._failing += 1
        try:
            result = await self._until_it_succeeds(function)
        finally:
            self._failing -= 1
        # Something small may be written while the trades themselves still cannot be.
        if not self._failing:
            self.trouble = None
            self._tell("trades are stored again")
        return result

    async def _until_it_succeeds(self, function: Callable[[], T]) -> T:
        backoff = Backoff(_FIRST_DELAY, self._retry_cap, jitter=0.0)
        while True:
            await asyncio.sleep(backoff.next())
            try:
                return await self.run(function)
            except sqlite3.Error as error:
                self._take(error)

    def _take(self, error: sqlite3.Error) -> None:
        if not passes(error):
            raise explain(error, self._path) from error
        self.trouble = str(error)
        self._warn("trades cannot be stored now (%s); kept in memory and tried again", error)

    def close(self) -> None:
        """Waits for what is running, and ends the thread."""
        self._executor.shutdown(wait=True)
