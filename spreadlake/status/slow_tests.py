"""How many slow statistics wait to be computed, and how far they are behind the bars."""

import sqlite3
from dataclasses import dataclass

from spreadlake.tests_schedule import RECENT_SECONDS
from spreadlake.times import timeframe_seconds


@dataclass(frozen=True)
class TestsBacklog:
    """`due` rows of `pair_tests` are yet to be computed, the oldest at the bar `oldest_at`.

    `behind_seconds`: how old the oldest of those is that fell due in the last quarter of an hour;
    0 where all of them are computed. History, which is filled up behind, does not count.
    """

    __test__ = False  # not a test of ours, whatever its name

    due: int = 0
    oldest_at: int | None = None
    behind_seconds: float | None = None


def read_tests_backlog(db: sqlite3.Connection, final: int | None) -> TestsBacklog:
    """The backlog where bars are final up to the second `final`."""
    due, oldest = db.execute("SELECT count(*), min(time) FROM tests_due").fetchone()
    if final is None:
        return TestsBacklog(due, oldest)
    names = [row[0] for row in db.execute("SELECT DISTINCT timeframe FROM pair_status").fetchall()]
    ages = [0.0]
    for name in names:
        length = timeframe_seconds(name)
        row = db.execute(
            "SELECT min(time) FROM tests_due WHERE timeframe = ? AND time >= ?",
            (name, final - RECENT_SECONDS - length),
        ).fetchone()
        if row[0] is not None:
            ages.append(float(final - row[0] - length))
    return TestsBacklog(due, oldest, max(ages))
