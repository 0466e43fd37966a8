"""Alert events of one series of pair analytics, and the rules that watch it."""

import sqlite3
from typing import NamedTuple

from spreadlake.series import PAIR_ANALYTICS, SeriesKey


class AlertEvent(NamedTuple):
    """An event; times are opens of bars (s), and `closed_at` is None while it is open."""

    id: int
    rule: str
    threshold: float
    opened_at: int
    opened_zscore: float
    peak_zscore: float
    closed_at: int | None
    closed_zscore: float | None


class WatchingRule(NamedTuple):
    """A rule that watches a series, and the |z| above which it opens."""

    rule: str
    threshold: float


# Of a pair by its index, whatever there is of other series and times: a bounded number of seeks.
_OF_SERIES = f"""
SELECT {", ".join(AlertEvent._fields)} FROM (
  SELECT * FROM alert_events WHERE pair = ? AND opened_at < ? ORDER BY opened_at DESC LIMIT ?)
WHERE {PAIR_ANALYTICS.is_series} AND (closed_at IS NULL OR closed_at >= ?)
ORDER BY opened_at DESC LIMIT ?
"""


def series_events(
    db: sqlite3.Connection, key: SeriesKey, start: int, end: int, most: int, among: int
) -> list[AlertEvent]:
    """Events that were open at a time in [start, end) (s), the newest first, `most` at most.

    They are looked for among so many of the pair's newest before `end`, of whatever series.
    """
    rows = db.execute(_OF_SERIES, (key.pair, end, among, *key, start, most))
    return [AlertEvent(*row) for row in rows]


# By their end, and not by the pair: what ended lately is little, whatever there was.
_ENDED = f"""
SELECT {", ".join(AlertEvent._fields)} FROM alert_events
WHERE closed_at >= ? AND opened_at < ? AND +{PAIR_ANALYTICS.is_series}
ORDER BY opened_at DESC LIMIT ?
"""


def ended_events(
    db: sqlite3.Connection, key: SeriesKey, since: int, end: int, most: int
) -> list[AlertEvent]:
    """Events of before `end` that ended at `since` (s) or later, however long ago they opened."""
    rows = db.execute(_ENDED, (since, end, *key, most))
    return [AlertEvent(*row) for row in rows]


def watching_rules(db: sqlite3.Connection, key: SeriesKey) -> list[WatchingRule]:
    """The rules on a series, by name."""
    rows = db.execute(
        f"SELECT rule, threshold FROM alert_rules WHERE {PAIR_ANALYTICS.is_series} ORDER BY rule",
        key,
    )
    return [WatchingRule(*row) for row in rows]
