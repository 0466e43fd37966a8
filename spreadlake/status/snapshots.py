"""Consistent read-only views of databases that may not be there yet."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Self

from spreadlake.lake import Lake, open_reader
from spreadlake.lake.databases.errors import explaining


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A read transaction on the database, or None where its writer has yet to create it.

    Keep it short: while it lasts, the writer cannot take its write-ahead log back.
    Raises LakeError for a database that cannot be read.
    """
    if not path.exists():
        yield None
        return
    with explaining(path), closing(open_reader(path)) as db:
        db.execute("BEGIN")
        yield db if _has_tables(db) else None


class LakeSnapshot:
    """One look at a lake: whoever reads in it shares one snapshot of each database.

    A database is opened when it is first asked for, and closed with the look.
    """

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._opened: dict[Path, sqlite3.Connection | None] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @contextmanager
    def database(self, path: Path) -> Iterator[sqlite3.Connection | None]:
        """As `snapshot`; one that could not be opened is tried again by the next who asks."""
        with explaining(path):
            if path not in self._opened:
                self._opened[path] = self._closing.enter_context(snapshot(path))
            yield self._opened[path]


def _has_tables(db: sqlite3.Connection) -> bool:
    # The writer creates the file first, and the tables together with the version.
    return int(db.execute("PRAGMA user_version").fetchone()[0]) > 0
