"""What of a lake is in object storage, as `cold.db` has it on record: no request is made for that.

A lake without a cold part has no `cold.db`, and nothing is looked for. A file that is on the disk
counts before its object: who asks here looks at the disk first, and what leaves the disk meanwhile
is on record before it does.
"""

import os
import sqlite3
from functools import lru_cache
from pathlib import Path

from spreadlake.errors import LakeError
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.databases.meta import has_table, read_meta
from spreadlake.lake.layout import Lake

# Lakes of which a process keeps `cold.db` open.
_LAKES = 8


def recorded(lake: Lake) -> "Recorded":
    """The record of the lake's cold part, as it is at each question; cheap when asked again."""
    try:
        there = lake.cold_db.stat()
    except FileNotFoundError:
        return Recorded(lake.root, None)
    try:
        # By process: SQLite's connections do not outlive a fork.
        return _opened(lake, there.st_dev, there.st_ino, os.getpid())
    except _EmptyError:
        return Recorded(lake.root, None)


class _EmptyError(Exception):
    """Nothing is in it yet: asked again the next time."""


@lru_cache(_LAKES)
def _opened(lake: Lake, *_: int) -> "Recorded":
    db = open_reader(lake.cold_db)
    with explaining(lake.cold_db):
        if not has_table(db, "objects"):  # the writer makes the file first, and then its tables
            db.close()
            raise _EmptyError
    return Recorded(lake.root, db)


class Recorded:
    """A read-only view of `cold.db`; paths are of the lake, whether or not they are on the disk."""

    def __init__(self, root: Path, db: sqlite3.Connection | None) -> None:
        self._root = root
        self._db = db

    def __del__(self) -> None:
        if self._db is not None:
            self._db.close()

    @property
    def address(self) -> ColdAddress | None:
        """Where the objects are; None where the lake has no cold part."""
        if self._db is None:
            return None
        with explaining(self._path):
            text = read_meta(self._db, "address")
        return None if text is None else ColdAddress.parse(text)

    def has(self, path: Path) -> bool:
        """Whether the file of the lake is in the bucket."""
        return self.bytes(path) is not None

    def bytes(self, path: Path) -> int | None:
        """The size of its object; None where there is none."""
        rows = self._rows("SELECT bytes FROM objects WHERE path = ?", self._name(path))
        return int(rows[0][0]) if rows else None

    def stamp(self, path: Path) -> tuple[object, ...] | None:
        """Which version of a file is in the bucket: another one has another stamp; None: none."""
        query = "SELECT bytes, sha256, uploaded_ms FROM objects WHERE path = ?"
        rows: list[tuple[object, ...]] = [*self._rows(query, self._name(path))]
        return rows[0] if rows else None

    def children(self, folder: Path) -> set[str]:
        """The names of what is in a folder of the bucket, files and folders: a seek for each."""
        begin = f"{self._name(folder)}/"
        names, after, end = set[str](), begin, f"{begin[:-1]}0"
        query = "SELECT path FROM objects WHERE path >= ? AND path < ? ORDER BY path LIMIT 1"
        while rows := self._rows(query, after, end):
            name, slash, _ = rows[0][0].removeprefix(begin).partition("/")
            names.add(name)
            # Past all that is in it: the character after the slash; past a file the least there is.
            after = f"{begin}{name}0" if slash else f"{begin}{name}\0"
        return names

    def under(self, folder: Path) -> list[Path]:
        """The files in a folder and in those within it that are in the bucket, in order."""
        return [folder / name for name in self.names_under(folder)]

    def names_under(self, folder: Path) -> list[str]:
        """The same, as their paths in the folder: a path is slower to make than to look up."""
        begin = f"{self._name(folder)}/"
        rows = self._rows(
            "SELECT substr(path, ?) FROM objects WHERE path >= ? AND path < ? ORDER BY path",
            len(begin) + 1,
            begin,
            f"{begin[:-1]}0",  # the character after the slash
        )
        return [name for (name,) in rows]

    def url(self, path: Path) -> str:
        """The address of its object; LakeError where the lake has no cold part."""
        address = self.address
        if address is None:
            raise LakeError(f"{path} is in no bucket: lake {self._root} has no cold part")
        return address.url(self._name(path))

    @property
    def _path(self) -> Path:
        return self._root / "cold.db"

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _rows(self, query: str, *values: object) -> list[tuple[str]]:
        if self._db is None:
            return []
        with explaining(self._path):
            return self._db.execute(query, values).fetchall()
