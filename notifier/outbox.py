"""What has been told to whom, in `notify.db`: it outlives restarts and outages of receivers."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from notifier.news import AlertRow, What, known_at
from spreadlake.lake import atomic

__all__ = ["Outbox", "Waiting"]

_COLUMNS = (
    "id, rule, pair, timeframe, window_bars, lookback_bars, threshold, opened_at, "
    "opened_zscore, peak_zscore, closed_at, closed_zscore"
)
_KEPT_SECONDS = 30 * 86_400.0  # of what was told; older events are history anyway
_MOST_ASKED = 500  # ids in one query


class Waiting(NamedTuple):
    """News for one address that it has yet to be told."""

    event_id: int
    what: What
    seen_ms: int


class Outbox:
    """News by event, kind and address: `waiting`, `told`, or `history` that nobody is told.

    An event that is older than `max_age` seconds when it is first seen is history: it came with
    an import or a rebuild, or while nobody was there to tell it.
    """

    def __init__(self, db: sqlite3.Connection, targets: Sequence[str], max_age: float) -> None:
        self._db = db
        self._targets = list(targets)
        self._max_age = max_age

    def take_in(self, analytics: sqlite3.Connection, now: float, closings: bool) -> None:
        """Writes down what is new in `alert_events`; costs what is recent, not what there is.

        `now` is Unix seconds; without `closings` only openings are told.
        """
        # A bar opens before it is known, at the most a day-long bar earlier.
        since = now - self._max_age - 86_400
        recent = _alerts(analytics, "opened_at >= ?", (since,))
        with atomic(self._db):
            self._write_opened(recent, now)
            if closings:
                self._write_closed((a for a in self._told_open(analytics) if a.closed_at), now)

    def waiting(self, target: str) -> list[Waiting]:
        """What `target` has yet to be told, the oldest first."""
        rows = self._db.execute(
            "SELECT event_id, what, seen_ms FROM news WHERE target = ? AND state = 'waiting' "
            "ORDER BY seen_ms, event_id, what DESC",
            (target,),
        )
        return [Waiting(*row) for row in rows]

    def alerts(self, analytics: sqlite3.Connection, ids: Iterable[int]) -> dict[int, AlertRow]:
        """Rows of `alert_events` by id; one that a rebuild took back is not among them."""
        wanted = sorted(set(ids))
        found: dict[int, AlertRow] = {}
        for at in range(0, len(wanted), _MOST_ASKED):
            part = wanted[at : at + _MOST_ASKED]
            where = f"id IN ({', '.join('?' * len(part))})"
            found |= {alert.id: alert for alert in _alerts(analytics, where, part)}
        return found

    def told(self, target: str, news: Iterable[Waiting], now: float) -> None:
        """`target` has been told, and will not be again."""
        with atomic(self._db):
            self._db.executemany(
                "UPDATE news SET state = 'told', told_ms = ? "
                "WHERE event_id = ? AND what = ? AND target = ?",
                [(int(now * 1000), one.event_id, one.what, target) for one in news],
            )

    def forget_old(self, now: float) -> None:
        """Drops what was told long ago, and what waits for an address that has gone."""
        marks = ", ".join("?" * len(self._targets))
        with atomic(self._db):
            self._db.execute(
                "DELETE FROM news WHERE state != 'waiting' AND seen_ms < ?",
                (int((now - self._max_age - _KEPT_SECONDS) * 1000),),
            )
            self._db.execute(
                f"DELETE FROM news WHERE state = 'waiting' AND target NOT IN ({marks})",
                self._targets,
            )

    def _told_open(self, analytics: sqlite3.Connection) -> list[AlertRow]:
        """Events that are told as open and whose end is not written down yet."""
        rows = self._db.execute(
            "SELECT DISTINCT event_id FROM news AS opened WHERE what = 'opened' "
            "AND state != 'history' AND NOT EXISTS (SELECT 1 FROM news AS closed "
            "WHERE closed.event_id = opened.event_id AND closed.what = 'closed')"
        )
        return list(self.alerts(analytics, [row[0] for row in rows]).values())

    def _write_opened(self, alerts: Sequence[AlertRow], now: float) -> None:
        oldest, now_ms = now - self._max_age, int(now * 1000)
        self._db.executemany(
            "INSERT OR IGNORE INTO news(event_id, what, target, state, seen_ms) "
            "VALUES (?, 'opened', ?, ?, ?)",
            [
                (a.id, target, "history" if known_at(a, "opened") < oldest else "waiting", now_ms)
                for a in alerts
                for target in self._targets
            ],
        )

    def _write_closed(self, alerts: Iterable[AlertRow], now: float) -> None:
        """An end is told to whom the opening was, or will be."""
        self._db.executemany(
            "INSERT OR IGNORE INTO news(event_id, what, target, state, seen_ms) "
            "SELECT event_id, 'closed', target, 'waiting', ? FROM news "
            "WHERE event_id = ? AND what = 'opened' AND state != 'history'",
            [(int(now * 1000), a.id) for a in alerts],
        )


def _alerts(analytics: sqlite3.Connection, where: str, values: Sequence[float]) -> list[AlertRow]:
    rows = analytics.execute(f"SELECT {_COLUMNS} FROM alert_events WHERE {where}", tuple(values))
    return [AlertRow(*row) for row in rows]
