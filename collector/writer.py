"""The one thread that touches SQLite, and how the event loop waits for it."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from collector.rate import Bounded

__all__ = ["WriterThread"]

log = logging.getLogger(__name__)
T = TypeVar("T")


class WriterThread:
    """Runs functions one after another in a thread of its own."""

    def __init__(self, retry_cap: float) -> None:
        self._executor = ThreadPoolExecutor(1, "writer")
        self._retry_cap = retry_cap
        self._warn = Bounded(log.error, 30.0)
        self.trouble: str | None = None

    async def run(self, function: Callable[[], T]) -> T:
        """Runs `function` once."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    async def persist(self, function: Callable[[], T]) -> T:
        """Runs `function` until the disk and the database let it succeed.

        A lock, a full disk and a failing one (sqlite3.OperationalError) are waited out with
        growing delays; `trouble` says so meanwhile. Anything else is raised.
        """
        delay = 0.05
        while True:
            try:
                result = await self.run(function)
            except sqlite3.OperationalError as error:
                self.trouble = str(error)
                self._warn(
                    "trades cannot be stored now (%s); kept in memory and tried again", error
                )
                await asyncio.sleep(delay)
                delay = min(self._retry_cap, delay * 2)
            else:
                self._recovered()
                return result

    def close(self) -> None:
        """Waits for what is running, and ends the thread."""
        self._executor.shutdown(wait=True)

    def _recovered(self) -> None:
        if self.trouble is not None:
            log.info("trades are stored again")
            self.trouble = None
