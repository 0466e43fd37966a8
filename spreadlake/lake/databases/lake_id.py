"""Which lake this is: an id that it keeps wherever it is moved, copied or restored to."""

import sqlite3
from uuid import uuid4

from spreadlake.lake.databases.connections import atomic
from spreadlake.lake.databases.meta import read_meta, write_meta

_KEY = "lake_id"


def lake_id(db: sqlite3.Connection) -> str | None:
    """The id; None where nothing has asked for one yet."""
    return read_meta(db, _KEY)


def given_lake_id(db: sqlite3.Connection) -> str:
    """The id, given now where there is none; `db` is the writer's connection to `ticks.db`."""
    with atomic(db):
        known = read_meta(db, _KEY)
        if known is None:
            known = uuid4().hex
            write_meta(db, _KEY, known)
    return known
