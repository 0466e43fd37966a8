"""Whether the services are alive: as metrics, and as the answer of `/healthz`.

The pipeline is healthy where the lake can be read and both of its writers show signs of life. A
market without trades is healthy; a collector that says nothing is not.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from prometheus_client.core import Metric

from exporter.families import gauge
from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.status import (
    Heartbeats,
    LakeSnapshot,
    ServiceReport,
    never_started,
    service_in,
)


@dataclass(frozen=True)
class WatchedServices:
    """Which services are looked at, over the looks of one exporter.

    The collector and the analytics job, and the `notifier` and the `uploader` where there is one;
    `heartbeats` are those that were seen so far.
    """

    notifier: bool = False
    uploader: bool = False
    heartbeats: Heartbeats = field(default_factory=Heartbeats)


def read_services(look: LakeSnapshot, watched: WatchedServices) -> list[ServiceReport]:
    """What each of the services is doing."""
    now, lake = time.time(), look.lake
    wanted = {"collector": lake.ticks_db, "analytics-job": lake.analytics_db}
    if watched.notifier:
        wanted["notifier"] = lake.notify_db
    if watched.uploader:
        wanted["uploader"] = lake.cold_db
    services = []
    for name, path in wanted.items():
        with look.database(path) as db:
            services.append(
                never_started(name) if db is None else service_in(db, name, now, watched.heartbeats)
            )
    return services


def service_families(services: Sequence[ServiceReport]) -> Iterator[Metric]:
    """Whether each service is alive, by the signs of life it leaves in the lake."""
    yield gauge(
        "spreadlake_service_up",
        "1 while the service runs, 0 when it stopped or shows no sign of life.",
        [((s.name,), float(s.state == "running")) for s in services],
        ["service"],
    )
    yield gauge(
        "spreadlake_service_heartbeat_timestamp_seconds",
        "Last sign of life of the service.",
        [((s.name,), s.heartbeat_at) for s in services],
        ["service"],
    )
    yield gauge(
        "spreadlake_service_heartbeat_age_seconds",
        "Since the last sign of life of the service, though the wall clock was set.",
        [((s.name,), s.heartbeat_age_seconds) for s in services],
        ["service"],
    )
    yield gauge(
        "spreadlake_service_start_timestamp_seconds",
        "When the service was started.",
        [((s.name,), s.started_at) for s in services],
        ["service"],
    )


@dataclass(frozen=True)
class Health:
    """The answer of `/healthz`: healthy where there is no reason against it."""

    lake: str
    reasons: list[str]
    services: Sequence[ServiceReport] = field(default_factory=tuple)

    @property
    def healthy(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.reasons

    def as_json(self) -> dict[str, Any]:
        """What `/healthz` shows."""
        return {"status": "ok" if self.healthy else "failing", **asdict(self)}


def health_of(lake: str, services: Sequence[ServiceReport]) -> Health:
    """Healthy if every service runs."""
    reasons = [f"{s.name}: {s.message}" for s in services if s.state != "running"]
    return Health(lake, reasons, services)


def read_health(lake: Lake, watched: WatchedServices) -> Health:
    """The health of `lake` now; a database that cannot be read is a reason too."""
    name = str(lake.root.resolve())
    try:
        with LakeSnapshot(lake) as look:
            return health_of(name, read_services(look, watched))
    except LakeError as error:
        return Health(name, [str(error)])
