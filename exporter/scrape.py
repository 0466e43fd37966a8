"""All metrics of one scrape; a part of the lake that cannot be read costs only its own part."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.alerts import alert_families
from exporter.capture import capture_families
from exporter.families import gauge
from exporter.notifications import notification_families
from exporter.operations import job_families, service_families, storage_families
from exporter.pairs import pair_families, pair_test_families
from exporter.read import (
    read_alerts,
    read_capture,
    read_job,
    read_notifications,
    read_pair_tests,
    read_pairs,
    read_services,
    read_storage,
)
from spreadlake import __version__
from spreadlake.config import Settings
from spreadlake.lake import Lake
from spreadlake.status import Heartbeats

_log = logging.getLogger(__name__)

Part = Callable[[], Iterable[Metric]]


def parts_of(
    lake: Lake, settings: Settings, heartbeats: Heartbeats | None = None
) -> dict[str, Part]:
    """The sub-collectors by name; each reads the lake afresh whenever it is called."""
    seen, notifier = heartbeats or Heartbeats(), bool(settings.notify.urls)
    return {
        "capture": lambda: capture_families(read_capture(lake), settings.symbols),
        "pairs": lambda: pair_families(read_pairs(lake)),
        "pair_tests": lambda: pair_test_families(read_pair_tests(lake)),
        "alerts": lambda: alert_families(read_alerts(lake)),
        "job": lambda: job_families(read_job(lake)),
        "services": lambda: service_families(read_services(lake, notifier, seen)),
        "notifications": lambda: notification_families(read_notifications(lake)),
        "storage": lambda: storage_families(read_storage(lake)),
    }


class LakeMetrics(Collector):
    """Fresh families at every scrape, with the success and the duration of each part.

    prometheus_client fails a whole scrape when one collector raises; here the other parts stay.
    """

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._failing: set[str] = set()

    def collect(self) -> Iterator[Metric]:
        """Every family of every part that could be read."""
        success: dict[str, float] = {}
        duration: dict[str, float] = {}
        for name, part in self._parts.items():
            started = time.perf_counter()
            families = self._families_of(name, part)
            duration[name] = time.perf_counter() - started
            success[name] = float(families is not None)
            yield from families or ()
        yield from _about_the_scrape(success, duration)

    def _families_of(self, name: str, part: Part) -> list[Metric] | None:
        try:
            families = list(part())
        except Exception as error:  # noqa: BLE001 whatever it is, the other parts are still true
            if name not in self._failing:
                _log.warning("no metrics of %s until it can be read again: %s", name, error)
            self._failing.add(name)
            return None
        if name in self._failing:
            _log.info("metrics of %s are back", name)
        self._failing.discard(name)
        return families


def _about_the_scrape(
    success: Mapping[str, float], duration: Mapping[str, float]
) -> Iterator[Metric]:
    yield gauge(
        "spreadlake_exporter_collect_success",
        "1 where this part of the metrics could be read, else 0.",
        [((name,), value) for name, value in success.items()],
        ["collector"],
    )
    yield gauge(
        "spreadlake_exporter_collect_duration_seconds",
        "Time it took to read this part of the metrics.",
        [((name,), value) for name, value in duration.items()],
        ["collector"],
    )
    yield gauge(
        "spreadlake_build_info", "The version that runs.", [((__version__,), 1.0)], ["version"]
    )
