"""One consistent read-only view of a database that may not be there yet."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from spreadlake.lake import open_reader
from spreadlake.lake.trouble import explaining


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


def _has_tables(db: sqlite3.Connection) -> bool:
    # The writer creates the file first, and the tables together with the version.
    return int(db.execute("PRAGMA user_version").fetchone()[0]) > 0
