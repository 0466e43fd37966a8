"""Notices the commit that makes a bar final, so that the step need not be waited for."""

import sqlite3
from collections.abc import Callable

from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.hot import came_after, greatest_seq

# A trade from farther ahead is left to the schedule: it may not be what it says it is.
_AHEAD_MS = 60_000


class Arrivals:
    """Looks at `ticks.db` at next to no cost, on a connection of its own.

    `wanted_ms` is the trade time that a trade has to have so that something becomes final with
    it; None where that is not known.
    """

    def __init__(self, lake: Lake, wanted_ms: Callable[[], int | None]) -> None:
        self._path = lake.ticks_db
        self._wanted_ms = wanted_ms
        self._db: sqlite3.Connection | None = None
        self._version = 0
        self._seq = 0

    def __call__(self) -> bool:
        """Whether a commit since the last look brought a trade that late."""
        try:
            return self._look()
        except (sqlite3.Error, LakeError):
            self.close()  # the step, which meets the same, tells it
            return False

    def close(self) -> None:
        """Closes the connection; the next look opens it again."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _look(self) -> bool:
        if self._db is None:
            if not self._path.exists():
                return False
            self._db = open_reader(self._path)
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return False
        self._version = version
        return self._is_final(self._db)

    def _is_final(self, db: sqlite3.Connection) -> bool:
        after, wanted = self._seq, self._wanted_ms()
        self._seq = greatest_seq(db)
        return wanted is not None and came_after(db, after, wanted, wanted + _AHEAD_MS)
