"""Which trades the analytics job has taken in: what it has not is not removed."""

import sqlite3
from contextlib import closing
from typing import NamedTuple

from spreadlake.errors import LakeError
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.layout import DAY_MS, Lake


class Taken(NamedTuple):
    """Trades up to this seq are taken in, but for those of hours (ms) that are due."""

    seq: int
    due: frozenset[int] = frozenset()

    def has(self, day_ms: int, max_seq: int) -> bool:
        """Whether all of a day's trades, of no greater seq, are taken in."""
        return max_seq <= self.seq and not any(day_ms <= h < day_ms + DAY_MS for h in self.due)


def read_taken(lake: Lake) -> Taken:
    """Where the job stands; all there is in a lake that is not analysed, and none in doubt."""
    if not lake.analytics_db.exists():
        return Taken(2**62)
    try:
        with closing(open_reader(lake.analytics_db)) as db:
            row = db.execute("SELECT value FROM progress WHERE key = 'seq'").fetchone()
            due = db.execute("SELECT DISTINCT hour_ms FROM hours_due").fetchall()
    except (sqlite3.Error, LakeError):
        return Taken(0)
    return Taken(0 if row is None else int(row[0]), frozenset(hour for (hour,) in due))
