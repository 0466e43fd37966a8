"""Alerts on the pairs of the live screen: rules, open events, and what a screen made of them.

Their events are found as screens are taken and never again: no rebuild touches them.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from analytics_job.alerts.events import INTO_EVENTS, event_row
from spreadlake.config import Settings
from spreadlake.lake.analytics.screens import ScreenKey
from spreadlake.quant.alerts import AlertEvent, event_id
from spreadlake.quant.screen_alerts import (
    ScreenedAlerts,
    ScreenEvent,
    ScreenLevels,
    scan_screen,
)
from spreadlake.series import SeriesKey

_EVENTS = """
SELECT e.rule, e.pair, e.opened_at, e.opened_zscore, e.peak_zscore, e.closed_at, e.closed_zscore,
  s.qvalue, s.edge_bps, s.half_life, s.persistence, s.seen_at
FROM alert_events AS e CROSS JOIN screen_alerts AS s ON s.event_id = e.id
WHERE"""
# Not by who is watched no longer: nobody can say how it would have gone on.
_END_OPEN = """
UPDATE alert_events SET closed_at =
  (SELECT seen_at FROM screen_alerts WHERE event_id = alert_events.id)
WHERE rule = ? AND closed_at IS NULL AND id IN (SELECT event_id FROM screen_alerts)
"""


class ScreenRule(NamedTuple):
    """A rule on the live screen, and which screens these are."""

    name: str
    key: ScreenKey
    levels: ScreenLevels

    @property
    def definition(self) -> str:
        """What it asks, as JSON."""
        return json.dumps(self.levels._asdict())


KnownEvents = Mapping[str, Sequence[ScreenEvent]]
"""The events of rules on the screen, by rule, that are open or ended lately."""


class RuleFound(NamedTuple):
    """What a screen made of one rule's events."""

    rule: ScreenRule
    found: ScreenedAlerts


def screen_rules(settings: Settings) -> tuple[ScreenRule, ...]:
    """The rules on the live screen."""
    screen = settings.screen
    key = ScreenKey(screen.timeframe, screen.lookback, screen.window)
    return tuple(
        ScreenRule(
            rule.name,
            key,
            ScreenLevels(
                rule.threshold,
                rule.close_level,
                screen.max_qvalue if rule.max_qvalue is None else rule.max_qvalue,
                rule.min_edge_bps or 0.0,
                rule.min_persistence,
                rule.min_volume or 0.0,
                rule.max_open or screen.top,
                rule.quiet_seconds,
            ),
        )
        for rule in settings.screen_rules
    )


def sync_screen_rules(db: sqlite3.Connection, settings: Settings) -> None:
    """Takes on new and edited rules from the next screen on, inside the caller's transaction.

    Open events of a rule that has gone, or watches other screens now, end without a z-score.
    """
    stored = {
        name: (ScreenKey(*key), definition)
        for name, *key, definition in db.execute(
            "SELECT rule, timeframe, lookback_bars, window_bars, definition FROM screen_rules"
        ).fetchall()
    }
    wanted = {rule.name: rule for rule in screen_rules(settings)}
    for name, (key, definition) in stored.items():
        rule = wanted.get(name)
        if rule is None or rule.key != key:
            db.execute(_END_OPEN, (name,))
        if rule is None:
            db.execute("DELETE FROM screen_rules WHERE rule = ?", (name,))
        elif (rule.key, rule.definition) != (key, definition):
            db.execute(
                "UPDATE screen_rules SET timeframe = ?, lookback_bars = ?, window_bars = ?, "
                "definition = ?, left_out = 0 WHERE rule = ?",
                (*rule.key, rule.definition, name),
            )
    db.executemany(
        "INSERT INTO screen_rules VALUES (?, ?, ?, ?, ?, 0, 0)",
        [(name, *r.key, r.definition) for name, r in wanted.items() if name not in stored],
    )


def known_screen_events(
    db: sqlite3.Connection, rules: Iterable[ScreenRule], time: int
) -> dict[str, list[ScreenEvent]]:
    """The events that are open, and those that may keep their pairs quiet at `time` (s)."""
    quiet = max((rule.levels.quiet_seconds for rule in rules), default=0.0)
    known: dict[str, list[ScreenEvent]] = {}
    rows = db.execute(f"{_EVENTS} e.closed_at IS NULL").fetchall()
    rows += db.execute(f"{_EVENTS} e.closed_at > ?", (time - quiet,)).fetchall()
    for rule, pair, *event, qvalue, edge, half_life, persistence, seen_at in rows:
        one = ScreenEvent(pair, AlertEvent(*event), qvalue, edge, half_life, persistence, seen_at)
        known.setdefault(rule, []).append(one)
    return known


def scan_rules(
    rules: Iterable[ScreenRule], known: KnownEvents, rows: pl.DataFrame, time: int
) -> list[RuleFound]:
    """What the whole screen at the bar `time` makes of each rule's events."""
    return [
        RuleFound(rule, scan_screen(known.get(rule.name, ()), rows, time, rule.levels))
        for rule in rules
    ]


def store_found(db: sqlite3.Connection, time: int, results: Iterable[RuleFound]) -> None:
    """Writes the events of the screen at the bar `time`, inside the caller's transaction.

    What was found for a rule that has been edited since counts for nothing.
    """
    for rule, found in results:
        opened = [one for one in found.events if one.event.opened_at == time]
        done = db.execute(
            "UPDATE screen_rules SET opened = opened + ?, left_out = ? WHERE rule = ? "
            "AND timeframe = ? AND lookback_bars = ? AND window_bars = ? AND definition = ?",
            (len(opened), found.left_out, rule.name, *rule.key, rule.definition),
        )
        if done.rowcount:
            _open(db, rule, opened)
            _go_on(db, rule, [one for one in found.events if one.event.opened_at < time])


def _open(db: sqlite3.Connection, rule: ScreenRule, events: Sequence[ScreenEvent]) -> None:
    db.executemany(
        f"INSERT OR IGNORE {INTO_EVENTS}",
        [event_row(rule.name, _key(rule, e), rule.levels.threshold, e.event) for e in events],
    )
    db.executemany(
        "INSERT OR IGNORE INTO screen_alerts VALUES (?, ?, ?, ?, ?, ?)",
        [
            (_id(rule, e), e.qvalue, e.edge_bps, e.half_life, e.persistence, e.seen_at)
            for e in events
        ],
    )


def _go_on(db: sqlite3.Connection, rule: ScreenRule, events: Sequence[ScreenEvent]) -> None:
    """An event that ended since, with the rule that it was of, stays as it is."""
    db.executemany(
        "UPDATE alert_events SET peak_zscore = ?, closed_at = ?, closed_zscore = ? "
        "WHERE id = ? AND closed_at IS NULL",
        [
            (e.event.peak_zscore, e.event.closed_at, e.event.closed_zscore, _id(rule, e))
            for e in events
        ],
    )
    db.executemany(
        "UPDATE screen_alerts SET seen_at = ? WHERE event_id = ?",
        [(one.seen_at, _id(rule, one)) for one in events],
    )


def _id(rule: ScreenRule, one: ScreenEvent) -> int:
    return event_id(rule.name, *_key(rule, one), one.event.opened_at)


def _key(rule: ScreenRule, one: ScreenEvent) -> SeriesKey:
    return SeriesKey(one.pair, rule.key.timeframe, rule.key.window, rule.key.lookback)
