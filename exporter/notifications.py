"""Metrics of the notifier: what was told, and what waits to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from exporter.families import counter, gauge
from spreadlake.lake import read_counters
from spreadlake.status import LakeSnapshot


@dataclass(frozen=True)
class Notifications:
    """What `notify.db` tells: counters, and news that wait for an address."""

    counters: Mapping[tuple[str, str], float] = field(default_factory=dict)
    waiting: int = 0


def read_notifications(look: LakeSnapshot) -> Notifications:
    """What the notifier has told, and what waits."""
    with look.database(look.lake.notify_db) as db:
        if db is None:
            return Notifications()
        waiting = db.execute("SELECT COUNT(*) FROM news WHERE state = 'waiting'").fetchone()[0]
        return Notifications(read_counters(db), waiting)


def notification_families(notifications: Notifications) -> Iterator[Metric]:
    """Counts that begin at 0, also where there is no notifier."""
    for name, metric, text in (
        ("told", "spreadlake_notifications", "Openings and ends of alerts that were told."),
        ("messages", "spreadlake_notification_messages", "Messages that receivers took."),
        ("failures", "spreadlake_notification_failures", "Messages that receivers did not take."),
    ):
        yield counter(metric, text, [((), notifications.counters.get((name, ""), 0.0))])
    yield gauge(
        "spreadlake_notifications_waiting",
        "Openings and ends of alerts that wait to be told.",
        [((), float(notifications.waiting))],
    )
