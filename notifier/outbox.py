"""What has been told to whom, in `notify.db`: it outlives restarts and outages of receivers."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from notifier.news import AlertRow, What
from notifier.renamed import follow, forget, remember, remembered
from notifier.withdrawn import withdraw, withdrawn_rows
from spreadlake.lake import atomic
from spreadlake.lake.analytics.openings import OpenedAt, openings
from spreadlake.lake.analytics.screen_alerts import said_of, screen_rule_timeframes
from spreadlake.times import timeframe_seconds

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
    """News by event, kind and address, `waiting` or `told`.

    An event that is older than `max_age` seconds is not taken in: it came with an import or a
    rebuild, or while nobody was there to tell it. One that is found again under another id is told
    once.
    """

    def __init__(self, db: sqlite3.Connection, targets: Sequence[str], max_age: float) -> None:
        self._db = db
        self._targets = list(targets)
        self._max_age = max_age

    def take_in(self, analytics: sqlite3.Connection, now: float, closings: bool) -> None:
        """Writes down what is new in `alert_events`; costs what is recent, not what there is.

        `now` is Unix seconds; without `closings` the ends of events that open now are not told.
        """
        recent = list(self._recent(analytics, now - self._max_age))
        with atomic(self._db):
            there = self._there(analytics, remembered(self._db))
            follow(self._db, analytics, there, now)
            withdraw(self._db, analytics, now, self._max_age)
            self._write_opened(recent, now, closings)
            open_ones = self._told_open(analytics)
            self._write_closed([alert for alert in open_ones if alert.closed_at], now)
            remember(self._db, {**there, **{one.id: one for one in (*recent, *open_ones)}}.values())

    def waiting(self, target: str) -> list[Waiting]:
        """What `target` has yet to be told, the oldest first."""
        rows = self._db.execute(
            "SELECT event_id, what, seen_ms FROM news WHERE target = ? AND state = 'waiting' "
            "ORDER BY seen_ms, event_id, what DESC",
            (target,),
        )
        return [Waiting(*row) for row in rows]

    def alerts(self, analytics: sqlite3.Connection, ids: Iterable[int]) -> dict[int, AlertRow]:
        """Rows of `alert_events` by id, with what was known as each opened.

        One that a rebuild took back is not among them; one that was withdrawn is, as it was last.
        """
        ids = list(ids)
        found = withdrawn_rows(self._db, ids)
        for part in _parts(ids):
            alerts = _by_id(analytics, part)
            said = said_of(analytics, part)
            known = openings(
                analytics,
                [OpenedAt(one.id, one.key, one.opened_at, one.opened_zscore) for one in alerts],
            )
            for alert in alerts:
                edge, _ = said.get(alert.id, (None, None))
                found[alert.id] = alert._replace(edge_bps=edge, **known[alert.id]._asdict())
        return found

    def told(self, target: str, news: Iterable[Waiting], now: float) -> None:
        """`target` has been told, and will not be again."""
        with atomic(self._db):
            self._db.executemany(
                "UPDATE news SET state = 'told', told_ms = ? "
                "WHERE event_id = ? AND what = ? AND target = ?",
                [(int(now * 1000), one.event_id, one.what, target) for one in news],
            )

    def forget_old(self, analytics: sqlite3.Connection, now: float) -> None:
        """Drops what was told long ago, and what waits in vain.

        That is what waits for an address that has gone, and events that a rebuild took back and
        did not find again for `max_age`.
        """
        old_ms = int((now - self._max_age) * 1000)
        waiting = [
            row[0]
            for row in self._db.execute(
                "SELECT DISTINCT event_id FROM news WHERE state = 'waiting' AND seen_ms < ?",
                (old_ms,),
            )
        ]
        there = self._there(analytics, waiting).keys() | withdrawn_rows(self._db, waiting).keys()
        gone = set(waiting) - there
        marks = ", ".join("?" * len(self._targets))
        with atomic(self._db):
            self._db.execute(
                "DELETE FROM news WHERE state != 'waiting' AND seen_ms < ?",
                (old_ms - int(_KEPT_SECONDS * 1000),),
            )
            self._db.execute(
                f"DELETE FROM news WHERE state = 'waiting' AND target NOT IN ({marks})",
                self._targets,
            )
            self._db.executemany(
                "DELETE FROM news WHERE state = 'waiting' AND event_id = ?",
                [(event_id,) for event_id in gone],
            )
            forget(self._db, now - self._max_age)

    def _there(self, analytics: sqlite3.Connection, ids: Iterable[int]) -> dict[int, AlertRow]:
        return {one.id: one for part in _parts(ids) for one in _by_id(analytics, part)}

    def _recent(self, analytics: sqlite3.Connection, since: float) -> Iterator[AlertRow]:
        """Events of which it was known at `since` or later that they open."""
        rows = analytics.execute("SELECT DISTINCT timeframe FROM alert_rules").fetchall()
        for timeframe in {row[0] for row in rows} | screen_rule_timeframes(analytics):
            opened = since - timeframe_seconds(timeframe)
            yield from _alerts(analytics, "timeframe = ? AND opened_at >= ?", (timeframe, opened))

    def _told_open(self, analytics: sqlite3.Connection) -> list[AlertRow]:
        """Events whose end is to be told, and is not written down yet."""
        rows = self._db.execute("SELECT DISTINCT event_id FROM news WHERE NOT over")
        return list(self._there(analytics, [row[0] for row in rows]).values())

    def _write_opened(self, alerts: Iterable[AlertRow], now: float, closings: bool) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO news(event_id, what, target, state, seen_ms, over) "
            "VALUES (?, 'opened', ?, 'waiting', ?, ?)",
            [
                (alert.id, target, int(now * 1000), int(not closings))
                for alert in alerts
                for target in self._targets
            ],
        )

    def _write_closed(self, alerts: Sequence[AlertRow], now: float) -> None:
        """An end is told to whom the opening was, or will be."""
        self._db.executemany(
            "INSERT OR IGNORE INTO news(event_id, what, target, state, seen_ms, over) "
            "SELECT event_id, 'closed', target, 'waiting', ?, 1 FROM news "
            "WHERE event_id = ? AND what = 'opened' AND NOT over",
            [(int(now * 1000), alert.id) for alert in alerts],
        )
        self._db.executemany(
            "UPDATE news SET over = 1 WHERE event_id = ? AND what = 'opened'",
            [(alert.id,) for alert in alerts],
        )


def _parts(ids: Iterable[int]) -> Iterator[list[int]]:
    """As many at a time as one query takes."""
    wanted = sorted(set(ids))
    for at in range(0, len(wanted), _MOST_ASKED):
        yield wanted[at : at + _MOST_ASKED]


def _by_id(analytics: sqlite3.Connection, ids: Sequence[int]) -> list[AlertRow]:
    return _alerts(analytics, f"id IN ({', '.join('?' * len(ids))})", ids)


def _alerts(analytics: sqlite3.Connection, where: str, values: Sequence[object]) -> list[AlertRow]:
    rows = analytics.execute(f"SELECT {_COLUMNS} FROM alert_events WHERE {where}", tuple(values))
    return [AlertRow(*row) for row in rows]
