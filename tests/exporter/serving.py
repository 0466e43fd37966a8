"""A real exporter on loopback, in a thread of the test."""

import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from urllib.error import HTTPError

from prometheus_client.parser import text_string_to_metric_families

from exporter.page.app import Page
from exporter.scrape import LakeMetrics, Part, parts_of
from exporter.server import MetricsServer, make_app
from exporter.services import WatchedServices, read_health
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from tests.patience import PATIENCE

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


@contextmanager
def serving(
    lake: Lake, parts: Mapping[str, Part] | None = None, page: Page | None = None
) -> Iterator[str]:
    """Yields the address without a path; `parts` and `page` stand in for those of the lake."""
    watched = WatchedServices()
    of_lake = parts_of(load_settings(None).symbols, watched)
    metrics = LakeMetrics(lake, of_lake if parts is None else parts)
    app = make_app(metrics, lambda: read_health(lake, watched), page or Page(lake))
    with MetricsServer("127.0.0.1", 0, app) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.url.removesuffix("/metrics")
        finally:
            server.shutdown()
            thread.join()


def get(url: str, **headers: str) -> tuple[int, Message, bytes]:
    """Status, headers and body, whatever the status."""
    request = urllib.request.Request(
        url, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def scrape(address: str) -> Samples:
    """All samples by name, then by sorted labels."""
    status, _, body = get(f"{address}/metrics")
    assert status == 200
    return parse(body.decode())


def parse(text: str) -> Samples:
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in samples.get(sample.name, {}), f"twice: {sample}"
            samples.setdefault(sample.name, {})[labels] = sample.value
    return samples


def labels(**values: object) -> tuple[tuple[str, str], ...]:
    """The labels as `scrape` keys them."""
    return tuple(sorted((name, str(value)) for name, value in values.items()))


def series(key: tuple[str, str, int, int], **more: object) -> tuple[tuple[str, str], ...]:
    """The labels of one series of pair analytics."""
    return labels(pair=key[0], timeframe=key[1], window=key[2], lookback=key[3], **more)
