"""Where finished sources (imports) end: no later trade of theirs makes their last bars final."""

import json
import sqlite3
from typing import NamedTuple

from spreadlake.lake.databases.meta import read_meta, write_meta
from spreadlake.lake.ticks.rolls import newest_seq

_KEY = "source_end"


class SourceEnd(NamedTuple):
    """All trades before `until_ms` (Unix ms) were given, as long as `seq` is the newest one.

    Whoever captures into the lake afterwards gives later numbers, and goes on by the trades alone.
    """

    until_ms: int
    seq: int


NO_END = SourceEnd(0, 0)


def record_end(db: sqlite3.Connection, until_ms: int, before: SourceEnd) -> None:
    """Records the end of an import, inside the caller's transaction.

    `before` is what `read_end` said when it began: the later of two imports in a row counts.
    """
    end = SourceEnd(max(until_ms, before.until_ms), newest_seq(db))
    write_meta(db, _KEY, json.dumps(end))


def read_end(db: sqlite3.Connection) -> SourceEnd:
    """The end on record; NO_END without one, or once other trades came after it."""
    text = read_meta(db, _KEY)
    if text is None:
        return NO_END
    end = SourceEnd(*json.loads(text))
    return end if end.seq == newest_seq(db) else NO_END
