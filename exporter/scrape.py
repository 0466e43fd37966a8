"""All metrics of one scrape; a part of the lake that cannot be read costs only its own part."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from exporter.alerts import alert_families, read_alerts
from exporter.capture import capture_families, read_capture
from exporter.families import gauge
from exporter.funding import funding_families, read_funding_rates
from exporter.job import job_families, read_job
from exporter.notifications import notification_families, read_notifications
from exporter.pairs import (
    pair_families,
    pair_test_families,
    prices_families,
    read_pair_tests,
    read_pairs,
    read_prices_of,
)
from exporter.screens import read_screens, screen_families
from exporter.services import WatchedServices, read_services, service_families
from exporter.storage import read_storage, storage_families
from exporter.universe import read_captured, universe_families
from exporter.uploads import read_uploads, upload_families
from spreadlake import __version__
from spreadlake.lake import Lake
from spreadlake.status import LakeSnapshot

_log = logging.getLogger(__name__)

Part = Callable[[LakeSnapshot], Iterable[Metric]]


def parts_of(symbols: Sequence[str], watched: WatchedServices | None = None) -> dict[str, Part]:
    """The parts of the metrics by name; `symbols` are the configured ones."""
    services = watched or WatchedServices()
    return {
        # First: the snapshot ages while the others are read, and so would the heartbeats in it.
        "services": lambda look: service_families(read_services(look, services)),
        "capture": lambda look: chain(
            capture_families(read_capture(look), symbols),
            universe_families(read_captured(look)),
            funding_families(read_funding_rates(look, symbols)),
        ),
        "pairs": lambda look: chain(
            prices_families(read_prices_of(look)), pair_families(read_pairs(look))
        ),
        "pair_tests": lambda look: pair_test_families(read_pair_tests(look)),
        "alerts": lambda look: alert_families(read_alerts(look)),
        "job": lambda look: job_families(read_job(look)),
        "screens": lambda look: screen_families(read_screens(look)),
        "notifications": lambda look: notification_families(read_notifications(look)),
        "uploads": lambda look: upload_families(read_uploads(look)),
        "storage": lambda look: storage_families(read_storage(look)),
    }


class LakeMetrics(Collector):
    """Fresh families at every scrape, from one snapshot of each database; with the success and the
    duration of each part.

    prometheus_client fails a whole scrape when one collector raises; here the other parts stay.
    """

    def __init__(self, lake: Lake, parts: Mapping[str, Part]) -> None:
        self._lake = lake
        self._parts = parts
        self._failing: set[str] = set()

    def collect(self) -> Iterator[Metric]:
        """Every family of every part that could be read."""
        families: list[Metric] = []
        success: dict[str, float] = {}
        duration: dict[str, float] = {}
        with LakeSnapshot(self._lake) as look:
            for name, part in self._parts.items():
                started = time.perf_counter()
                read = self._families_of(name, part, look)
                duration[name] = time.perf_counter() - started
                success[name] = float(read is not None)
                families += read or ()
        yield from families
        yield from _about_the_scrape(success, duration)

    def _families_of(self, name: str, part: Part, look: LakeSnapshot) -> list[Metric] | None:
        try:
            families = list(part(look))
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
