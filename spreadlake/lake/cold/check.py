"""Whether the bucket still holds what was uploaded: each object is read, and nothing is written."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from spreadlake.errors import LakeError
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.errors import ColdError
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.databases.meta import has_table, read_meta
from spreadlake.lake.layout import Lake

AT_ONCE = 4
_PART = 16  # read before it is asked again whether to go on


class Checked(NamedTuple):
    """An object on record; `fault` says what is wrong with it, and is empty where nothing is."""

    path: str
    bytes: int
    fault: str


class _Object(NamedTuple):
    path: str
    bytes: int
    sha256: str


def address_of_record(lake: Lake) -> ColdAddress:
    """Where the objects on record are; LakeError for a lake that has no such record."""
    if lake.cold_db.exists():
        with closing(open_reader(lake.cold_db)) as db, explaining(lake.cold_db):
            text = read_meta(db, "address") if has_table(db, "objects") else None
        if text is not None:
            return ColdAddress.parse(text)
    raise LakeError(
        f"lake {lake.root} has nothing in object storage on record, which spreadlake upload begins"
    )


def check(lake: Lake, objects: Objects, go_on: Callable[[], bool]) -> Iterator[Checked]:
    """Each object on record, in order of its path.

    Another process may upload, merge and remove meanwhile: what is on record otherwise by then is
    left out. Raises ColdError where the bucket cannot be asked.
    """
    with closing(open_reader(lake.cold_db)) as db, explaining(lake.cold_db):
        rows = db.execute("SELECT path, bytes, sha256 FROM objects ORDER BY path").fetchall()
        on_record = [_Object(*row) for row in rows]
        with ThreadPoolExecutor(AT_ONCE) as readers:
            for at in range(0, len(on_record), _PART):
                if not go_on():
                    return
                part = on_record[at : at + _PART]
                faults = readers.map(lambda one: _fault(objects, one), part)
                for one, fault in zip(part, faults, strict=True):
                    if not fault or _is_on_record(db, one):
                        yield Checked(one.path, one.bytes, fault)


def _fault(objects: Objects, one: _Object) -> str:
    try:
        size, sha256 = objects.read_back(one.path)
    except ColdError as error:
        if error.kind == "missing":
            return "is gone"
        raise
    if size != one.bytes:
        return f"has {size:,} bytes, and {one.bytes:,} were uploaded"
    return "" if sha256 == one.sha256 else "has other bytes than were uploaded"


def _is_on_record(db: sqlite3.Connection, one: _Object) -> bool:
    row = db.execute("SELECT bytes, sha256 FROM objects WHERE path = ?", (one.path,)).fetchone()
    return row is not None and tuple(row) == (one.bytes, one.sha256)
