"""Errors of SQLite: which database they are of, and what they mean, by their code.

One is to be waited for, or is the end, with a remedy.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from spreadlake.errors import LakeError, UnavailableError

Doing = Literal["read", "written"]
T = TypeVar("T")


class LakeConnection(sqlite3.Connection):
    """A connection to the database at `path`, which is being `doing`.

    An error of a statement carries both (`error.database`, `error.doing`), so that whoever tells
    it, far from where it arose, names the right file. One that comes only while rows are fetched
    does not: a cursor that named its errors would be kept by them, and with it the open file.

    `fence`, where there is one, is called inside every transaction, and raises where another writer
    has taken over (`spreadlake.lake.databases.fence`).
    """

    path: Path
    doing: Doing = "written"
    fence: Callable[[], None] | None = None

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """As that of sqlite3, with names in its errors."""
        return self._naming(super().execute, *arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """As that of sqlite3, with names in its errors."""
        return self._naming(super().executemany, *arguments)

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        """As that of sqlite3, with names in its errors."""
        return self._naming(super().executescript, *arguments)

    def _naming(self, work: Callable[..., T], *arguments: Any) -> T:
        try:
            return work(*arguments)
        except sqlite3.Error as error:
            error.database, error.doing = self.path, self.doing  # type: ignore[attr-defined]
            raise


# By the primary code, which is the low byte of the extended one.
_PASSING = {
    sqlite3.SQLITE_BUSY: "another process keeps it locked; end that one (fuser {path} names it)",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked; end that one (fuser {path} names it)",
    sqlite3.SQLITE_PROTOCOL: "other processes lock it all the time; end those (fuser {path})",
    sqlite3.SQLITE_FULL: "the disk is full; free some room",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written; look at the system's log",
    sqlite3.SQLITE_READONLY: "it may not be written by this user; change the owner or the folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened by this user; change the owner or the folder",
    sqlite3.SQLITE_NOMEM: "memory is short; end other processes",
}
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_AGAIN = {
    "ticks.db": "trades that are missing are then fetched",
    "analytics.db": "it is then computed again from the trades",
    "backtests.db": "back-tests can then be kept again",
}


def passes(error: sqlite3.Error) -> bool:
    """Whether it may succeed later as it is: locked, or the disk full, failing or not let in."""
    return _code(error) in _PASSING


def explain(error: sqlite3.Error, path: Path, doing: Doing = "written") -> LakeError:
    """The error as a message that names its database and says what to do.

    `path` is the database, and `doing` what was done with it, where the error itself (of a
    `LakeConnection`) does not say. UnavailableError where it passes. Anything else is damage, or
    a database that is not as spreadlake left it.
    """
    path, doing = getattr(error, "database", path), getattr(error, "doing", doing)
    what = f"{path} cannot be {doing}"
    if passes(error):
        return UnavailableError(f"{what}: {error}", _PASSING[_code(error)].format(path=path))
    if _code(error) in _DAMAGED:
        what += " as a lake's database"
    again = _AGAIN.get(path.name, "it is then made again")
    return LakeError(
        f"{what}: {error}; it is damaged, or was changed by another program: restore it, or move "
        f"it away (with its -wal and -shm) and start again: {again}"
    )


@contextmanager
def explaining(path: Path, doing: Doing = "read") -> Iterator[None]:
    """Turns errors of SQLite into what `explain` makes of them."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path, doing) from error


def _code(error: sqlite3.Error) -> int:
    # Errors of the Python module itself have none.
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
