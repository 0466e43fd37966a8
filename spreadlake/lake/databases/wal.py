"""Keeps the `-wal` file of a writer bounded while readers come and go all the time.

SQLite starts the log again from its beginning only when no reader uses it. With readers that
overlap, that moment never comes by itself: the log grows until the disk is full. A RESTART or
TRUNCATE checkpoint makes it come, because readers that start while it waits read the database
itself; but the writer waits with it, so the wait is short at first and grows only as it must.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from spreadlake.lake.databases.connections import BUSY_MS
from spreadlake.lake.databases.errors import passes

_FIRST_MS = 50
_LONGEST_MS = 10_000
# Between two waits the writer gets so many times what the last one took.
_SHARE = 5


class WalKeeper:
    """Cuts the log of the database at `path` back when it has grown beyond `limit` bytes."""

    def __init__(
        self,
        db: sqlite3.Connection,
        path: Path,
        limit: int = 32 * 2**20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._wal = path.with_name(path.name + "-wal")
        self._limit = limit
        self._clock = clock
        self._wait_ms = _FIRST_MS
        self._next = float("-inf")

    @property
    def size(self) -> int:
        """Bytes of the log now."""
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0

    def keep(self) -> bool:
        """To be called often by the writer, between transactions; whether the log is in bounds."""
        if self.size <= self._limit:
            return True
        if self._clock() < self._next:
            return False
        truncated = self._truncate()
        longer, shorter = min(_LONGEST_MS, 2 * self._wait_ms), max(_FIRST_MS, self._wait_ms // 2)
        self._wait_ms = shorter if truncated else longer
        return truncated

    def empty(self, wait_ms: int = 2_000) -> bool:
        """Brings all of the log into the database, at the end of its writer; whether that was done.

        The database can then be copied as one file. Readers and writers in the way are waited
        for at most `wait_ms`; if they stay, the log stays, and nothing is lost.
        """
        self._wait_ms = wait_ms
        return self._truncate()

    def _truncate(self) -> bool:
        started = self._clock()
        self._db.execute(f"PRAGMA busy_timeout={self._wait_ms}")
        try:
            busy = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            if not passes(error):
                raise
            # The database is locked or the disk full: whoever writes next will meet it.
            busy = 1
        finally:
            self._db.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        ended = self._clock()
        self._next = ended + _SHARE * (ended - started)
        return not busy
