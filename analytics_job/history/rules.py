"""Runs rules that are new or were edited over older rows: the newest first, a piece at a time.

Under `rule:` and what it watches `progress` says before when (s) events are still those that the
rule found as it was before.
"""

import json
import sqlite3

from analytics_job.alerts.rules import WatchedPair
from analytics_job.alerts.store import AlertStore
from spreadlake.lake import atomic
from spreadlake.times import timeframe_seconds

_AT_ONCE, _PIECE = 2_000, 5_000  # bars of a pair: live trades wait for either
_DAY = 86_400


class RulesDue:
    """What of history rules are still to be run over; a piece that was interrupted is run again."""

    def __init__(self, db: sqlite3.Connection, alerts: AlertStore, alert_days: float) -> None:
        """`alert_days`: how long events are kept."""
        self._db = db
        self._alerts = alerts
        self._kept = alert_days * _DAY
        self._by_key = {_key(one): one for one in alerts.watched}
        self._begins: dict[WatchedPair, int | None] = {}

    def add(self, watched: WatchedPair) -> None:
        """Runs a rule over the newest rows of a pair, in the caller's transaction.

        The older ones are due then.
        """
        final = self._final()
        since = final - _AT_ONCE * timeframe_seconds(watched.timeframe)
        begin = self._alerts.begin(watched, since)
        if begin is not None:
            self._alerts.evaluate(watched, begin, final)
        self._save(_key(watched), since)

    def run_piece(self) -> bool:
        """Runs the next piece; False where nothing is left."""
        due = self._db.execute(
            "SELECT key, value FROM progress WHERE key GLOB 'rule:*' ORDER BY value DESC, key "
            "LIMIT 1"
        ).fetchone()
        if due is None:
            return False
        key, before = due
        watched = self._by_key.get(key)
        with atomic(self._db):
            start = 0 if watched is None else self._run_before(watched, before)
            self._save(key, start)
        return True

    def _run_before(self, watched: WatchedPair, before: int) -> int:
        """Runs a rule over the newest rows before a time; before when it is still to be run."""
        first = self._first(watched)
        start = max(first, before - _PIECE * timeframe_seconds(watched.timeframe))
        if start < before:
            self._alerts.evaluate(watched, start, before)
        return start if start > first else 0

    def _first(self, watched: WatchedPair) -> int:
        """Time of the first row of which events are kept; the end of all without any row."""
        if watched not in self._begins:
            self._begins[watched] = self._alerts.begin(watched, 0)
        begin, final = self._begins[watched], self._final()
        return final if begin is None else max(begin, int(final - self._kept))

    def _final(self) -> int:
        (final,) = self._db.execute(
            "SELECT coalesce(max(value), 0) FROM progress WHERE key = 'final_time'"
        ).fetchone()
        return int(final)

    def _save(self, key: str, before: int) -> None:
        """Puts on record before when a rule is still to be run; 0 where it has been run."""
        if before > 0:
            self._db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (key, before))
        else:
            self._db.execute("DELETE FROM progress WHERE key = ?", (key,))


def _key(watched: WatchedPair) -> str:
    place = watched.rule, watched.pair, watched.timeframe, watched.window
    return f"rule:{json.dumps(place, ensure_ascii=False)}"
