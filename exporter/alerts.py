"""Metrics of the alert rules: threshold, whether an alert is open, how many opened."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client.core import Metric

from exporter.families import ALERT_LABELS, Sample, counter, gauge
from spreadlake.status import LakeSnapshot

_WATCH = "pair, timeframe, window_bars, lookback_bars, rule"


class WatchedSeries(NamedTuple):
    """One rule on one series, in the order of the labels."""

    pair: str
    timeframe: str
    window: int
    lookback: int
    rule: str


@dataclass(frozen=True)
class Alerts:
    """The thresholds of all configured watches, the open ones, and how often each opened."""

    thresholds: Mapping[WatchedSeries, float] = field(default_factory=dict)
    active: Set[WatchedSeries] = frozenset()
    opened: Mapping[WatchedSeries, int] = field(default_factory=dict)


def read_alerts(look: LakeSnapshot) -> Alerts:
    """Thresholds, open alerts and counts."""
    with look.database(look.lake.analytics_db) as db:
        if db is None:
            return Alerts()
        rules = db.execute(f"SELECT {_WATCH}, threshold FROM alert_rules").fetchall()
        active = db.execute(f"SELECT {_WATCH} FROM alert_events WHERE closed_at IS NULL").fetchall()
        counts = db.execute(f"SELECT {_WATCH}, opened FROM alert_counts").fetchall()
    return Alerts(
        {WatchedSeries(*row[:5]): row[5] for row in rules},
        frozenset(WatchedSeries(*row) for row in active),
        {WatchedSeries(*row[:5]): row[5] for row in counts},
    )


def alert_families(alerts: Alerts) -> Iterator[Metric]:
    """Every configured watch has all three, from the start."""
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
