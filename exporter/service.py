"""The exporter as a service."""

import logging
import threading

from exporter.health import read_health
from exporter.read import read_services
from exporter.scrape import LakeMetrics, parts_of
from exporter.server import MetricsServer, make_app
from spreadlake.service import ServiceContext, StopSignal
from spreadlake.status import Heartbeats

_log = logging.getLogger(__name__)


def run(context: ServiceContext) -> None:
    """Serves `/metrics` and `/healthz` until told to stop.

    The lake may come later than the exporter. Raises ConfigError for an address that cannot be
    listened on.
    """
    stop = StopSignal(context.duration)
    seen, notifier = Heartbeats(), bool(context.settings.notify.urls)
    metrics = LakeMetrics(parts_of(context.lake, context.settings, seen))
    app = make_app(
        metrics, lambda: read_health(context.lake, lambda lake: read_services(lake, notifier, seen))
    )
    where = context.settings.exporter
    with MetricsServer(where.host, where.port, app) as server:
        thread = threading.Thread(target=server.serve_forever, name="http")
        thread.start()
        _log.info("metrics of %s on %s", context.lake.root, server.url)
        stop.wait()
        server.shutdown()
        thread.join()
