"""The rows of `cold.db`: what is in the bucket, and of which local file it was made."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from spreadlake.lake import add_counters, atomic
from spreadlake.lake.cold.objects import Sent, Stamp
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.databases.meta import read_meta, write_meta


class Entry(NamedTuple):
    """An object, and the stamp of the local file that it was made of."""

    stamp: Stamp
    sha256: str


class Ledger:
    """Writes them, by the one connection of the uploader.

    LakeError where they cannot be written: the disk may be full, and what leaves it makes room.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def entry(self, path: str) -> Entry | None:
        """What is on record of a file; None where it is not in the bucket."""
        row = self._db.execute(
            "SELECT bytes, mtime_ns, inode, sha256 FROM objects WHERE path = ?", (path,)
        ).fetchone()
        return None if row is None else Entry(Stamp(*row[:3]), row[3])

    def record(self, sent: Sequence[tuple[str, Sent]], now_ms: int, *, local: bool = True) -> None:
        """Files that are in the bucket, as the server said; `local`: and on the disk."""
        if not sent:
            return
        rows = [
            (path, s.stamp.bytes, s.sha256, s.stamp.mtime_ns, s.stamp.inode, now_ms, int(local))
            for path, s in sent
        ]
        put = [s for _, s in sent if s.put]
        counts = {("uploaded", ""): len(put), ("bytes", ""): sum(s.stamp.bytes for s in put)}
        with self._writing():
            self._db.executemany(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?)", rows
            )
            add_counters(self._db, counts)

    def leaves(self, path: str) -> None:
        """A file is about to leave the disk. One that stays all the same is found there again."""
        with self._writing():
            self._db.execute("UPDATE objects SET local = 0 WHERE path = ?", (path,))
            add_counters(self._db, {("left", ""): 1})

    def under(self, begin: str, end: str) -> list[str]:
        """The paths from `begin` to before `end`, in order."""
        rows = self._db.execute(
            "SELECT path FROM objects WHERE path >= ? AND path < ? ORDER BY path", (begin, end)
        ).fetchall()
        return [path for (path,) in rows]

    def forget(self, paths: Iterable[str]) -> None:
        """Objects that are not in the bucket any more."""
        gone = [(path,) for path in paths]
        with self._writing():
            self._db.executemany("DELETE FROM objects WHERE path = ?", gone)
            add_counters(self._db, {("deleted", ""): len(gone)})

    def totals(self) -> tuple[int, int]:
        """How many objects there are, and their bytes."""
        number, size = self._db.execute(
            "SELECT count(*), ifnull(sum(bytes), 0) FROM objects"
        ).fetchone()
        return int(number), int(size)

    def said(self, key: str) -> str | None:
        """A text of `meta`."""
        return read_meta(self._db, key)

    def say(self, **texts: str) -> None:
        """Replaces texts of `meta`."""
        with self._writing():
            for key, text in texts.items():
                write_meta(self._db, key, text)

    def begin_anew(self) -> None:
        """Forgets all objects: they are of another bucket, and all files are on the disk."""
        with self._writing():
            self._db.execute("DELETE FROM objects")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with explaining(self._path, "written"), atomic(self._db):
            yield
