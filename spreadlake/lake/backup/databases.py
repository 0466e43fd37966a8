"""Copies of databases, each as it is at one moment, taken while others read and write it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from spreadlake.errors import LakeError
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.errors import explain


def beside(path: Path) -> Path:
    """Where the copy of a database is made that is to be at `path`."""
    return path.with_name(f".{path.name}.tmp")


def snapshot(database: Path, path: Path) -> None:
    """Makes a copy of a database beside `path`: whole, checked and on the disk.

    All of it is of one moment. Its writer is not held up, but for the write-ahead log, which grows
    until the copy is done. LakeError if the copy is not as SQLite wants it.
    """
    copy = beside(path)
    discard(copy)
    try:
        with closing(open_reader(database)) as source, closing(sqlite3.connect(copy)) as db:
            # In one step, which is one read transaction: between steps each commit would begin
            # the copy anew.
            source.backup(db)
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise explain(error, copy) from error
    if found != "ok":
        raise LakeError(f"{database} cannot be backed up: {found}; restore it from what is older")
    copy.chmod(database.stat().st_mode & 0o777)
    with copy.open("rb") as file:
        os.fsync(file.fileno())


def read_copy(path: Path) -> sqlite3.Connection:
    """A connection to a copy, which nobody writes: nothing is left beside it."""
    uri = f"{path.resolve().as_uri()}?immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None)


def put_in_place(path: Path) -> None:
    """Lets the copy beside `path` take the place of what is there; LakeError if that is in use."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise LakeError(
            f"{path} was written to since it was backed up ({log.name} says so): this folder is a "
            "lake of its own now; back up to another folder"
        )
    # Left by readers of the copy before; they are of no other one.
    for name in (log.name, f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    beside(path).replace(path)


def discard(copy: Path) -> None:
    """Removes what a killed back-up left of a copy."""
    for end in ("", "-wal", "-shm", "-journal"):
        copy.with_name(copy.name + end).unlink(missing_ok=True)
