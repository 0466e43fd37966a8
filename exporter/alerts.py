"""Metrics of the alert rules: threshold, whether an alert is open, how many opened.

Rules on the live screen watch a hundred thousand pairs: of these only those with an open alert are
there, and the settings bound how many that may be.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client.core import Metric

from exporter.families import ALERT_LABELS, Sample, counter, gauge
from spreadlake.lake.analytics.openings import OpenedAt, Opening, openings
from spreadlake.lake.analytics.screen_alerts import (
    OpenScreenAlert,
    ScreenRuleCount,
    open_screen_alerts,
    screen_rule_counts,
)
from spreadlake.series import SeriesKey
from spreadlake.status import LakeSnapshot

_WATCH = "pair, timeframe, window_bars, lookback_bars, rule"
# Events that are open, and those that opened so lately that the next scrape has to tell of them,
# also where they are over: the later of a series comes after the earlier.
_TOLD_SECONDS = 180
_TOLD = f"""SELECT {_WATCH}, id, opened_at, opened_zscore FROM alert_events WHERE {{}}"""
_NEWEST = "opened_at >= (SELECT value / 1000 FROM progress WHERE key = 'watermark_ms') - ?"


class WatchedSeries(NamedTuple):
    """One rule on one series, in the order of the labels."""

    pair: str
    timeframe: str
    window: int
    lookback: int
    rule: str


class ToldAlert(NamedTuple):
    """The newest event of a series: the bar (s) that opened it, its z, what was known then."""

    time: int
    zscore: float
    known: Opening


@dataclass(frozen=True)
class Alerts:
    """The thresholds of all configured watches, the open ones, and how often each opened.

    `screened` are the open ones of rules on the screen, which are among them.
    """

    thresholds: Mapping[WatchedSeries, float] = field(default_factory=dict)
    active: Set[WatchedSeries] = frozenset()
    opened: Mapping[WatchedSeries, int] = field(default_factory=dict)
    told: Mapping[WatchedSeries, ToldAlert] = field(default_factory=dict)
    screened: Sequence[OpenScreenAlert] = ()
    screen_rules: Sequence[ScreenRuleCount] = ()


def read_alerts(look: LakeSnapshot) -> Alerts:
    """Thresholds, open alerts and counts."""
    with look.database(look.lake.analytics_db) as db:
        if db is None:
            return Alerts()
        rules = db.execute(f"SELECT {_WATCH}, threshold FROM alert_rules").fetchall()
        active = db.execute(f"SELECT {_WATCH} FROM alert_events WHERE closed_at IS NULL").fetchall()
        counts = db.execute(f"SELECT {_WATCH}, opened FROM alert_counts").fetchall()
        screened, screen_rules = open_screen_alerts(db), screen_rule_counts(db)
        told = _told(db)
    return Alerts(
        {WatchedSeries(*row[:5]): row[5] for row in [*rules, *screened]},
        frozenset(WatchedSeries(*row) for row in active),
        {WatchedSeries(*row[:5]): row[-1] for row in [*counts, *screened]},
        told,
        screened,
        screen_rules,
    )


def _told(db: sqlite3.Connection) -> dict[WatchedSeries, ToldAlert]:
    rows = db.execute(_TOLD.format("closed_at IS NULL")).fetchall()
    rows += db.execute(_TOLD.format(_NEWEST), (_TOLD_SECONDS,)).fetchall()
    newest: dict[WatchedSeries, OpenedAt] = {}
    for *watch, number, time, zscore in sorted(rows, key=lambda row: row[6]):
        newest[WatchedSeries(*watch)] = OpenedAt(number, SeriesKey(*watch[:4]), time, zscore)
    known = openings(db, newest.values())
    return {watch: ToldAlert(one.time, one.zscore, known[one.id]) for watch, one in newest.items()}


def alert_families(alerts: Alerts) -> Iterator[Metric]:
    """Every configured watch of a pair has all three, from the start."""
    watches: Sequence[WatchedSeries] = sorted(alerts.thresholds)
    thresholds: list[Sample] = [(watch, alerts.thresholds[watch]) for watch in watches]
    yield gauge(
        "spreadlake_pair_alert_threshold",
        "|z| above which the rule opens an alert.",
        thresholds,
        ALERT_LABELS,
    )
    yield gauge(
        "spreadlake_pair_alert_active",
        "1 while an alert of the rule is open, else 0.",
        [(watch, float(watch in alerts.active)) for watch in watches],
        ALERT_LABELS,
    )
    yield counter(
        "spreadlake_pair_alerts",
        "Alerts that the rule opened.",
        [(watch, alerts.opened.get(watch, 0)) for watch in watches],
        ALERT_LABELS,
    )
    yield from _told_families(alerts)
    yield from _screen_families(alerts)


def _told_families(alerts: Alerts) -> Iterator[Metric]:
    """Of what is open, or opened lately; a series has them while there is something to tell."""
    told = alerts.told.items()
    for name, text, samples in (
        ("zscore", "z-score that opened the newest alert.", [(w, one.zscore) for w, one in told]),
        (
            "opened_timestamp_seconds",
            "Bar that opened it, Unix time.",
            [(w, float(one.time)) for w, one in told],
        ),
        (
            "spread_bps",
            "How far the spread was from its mean then, in bps of A.",
            [(w, one.known.spread_bps) for w, one in told],
        ),
        (
            "half_life_bars",
            "Half-life of the spread then, in bars.",
            [(w, one.known.half_life) for w, one in told],
        ),
        (
            "log_prices",
            "1 where that is of log prices, 0 of raw ones.",
            [(w, float(one.known.prices == "log")) for w, one in told],
        ),
    ):
        yield gauge(f"spreadlake_pair_alert_{name}", text, samples, ALERT_LABELS)


def _screen_families(alerts: Alerts) -> Iterator[Metric]:
    for name, field_name, text in (
        ("zscore", "zscore", "z-score with which the screen opened the alert that is open."),
        ("edge_bps", "edge_bps", "Edge after costs then, in bps of A's notional."),
        ("half_life_bars", "half_life", "Half-life of the spread then, in bars."),
    ):
        samples = [(WatchedSeries(*one[:5]), getattr(one, field_name)) for one in alerts.screened]
        yield gauge(f"spreadlake_screen_alert_{name}", text, samples, ALERT_LABELS)
    rules = alerts.screen_rules
    yield counter(
        "spreadlake_screen_alerts",
        "Alerts that the rule opened on the screen.",
        [((one.rule,), one.opened) for one in rules],
        ["rule"],
    )
    yield gauge(
        "spreadlake_screen_alerts_left_out",
        "Pairs of the newest screen that met the rule beyond those that may be open.",
        [((one.rule,), one.left_out) for one in rules],
        ["rule"],
    )
