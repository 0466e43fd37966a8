"""Removes alert events that were over long ago; one that is open stays, whatever its age."""

import sqlite3
from collections.abc import Iterator

from spreadlake.lake import atomic

_DAY = 86_400
_EVENTS = 2_000  # removed at a time, so that the job is not held up for long

# By their index; what is open has no end.
_OLD = "SELECT id FROM alert_events WHERE closed_at < ? ORDER BY closed_at LIMIT ?"


class OldEvents:
    """Keeps the events of so many days, counted back from the newest trade."""

    def __init__(self, db: sqlite3.Connection, days: float) -> None:
        self._db = db
        self._seconds = days * _DAY

    def work(self, now: int) -> Iterator[Iterator[None]]:
        """What is to go at `now` (s), in parts; nothing where nothing is old enough."""
        cutoff = int(now - self._seconds)
        if self._db.execute(_OLD, (cutoff, 1)).fetchone():
            yield self._remove(cutoff)

    def _remove(self, cutoff: int) -> Iterator[None]:
        removed = _EVENTS
        while removed == _EVENTS:
            old = (cutoff, _EVENTS)
            with atomic(self._db):
                self._db.execute(f"DELETE FROM screen_alerts WHERE event_id IN ({_OLD})", old)
                removed = self._db.execute(
                    f"DELETE FROM alert_events WHERE id IN ({_OLD})", old
                ).rowcount
            yield
