"""The exporter as a service."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from exporter.page.app import Page
from exporter.scrape import LakeMetrics, parts_of
from exporter.server import MetricsServer, make_app
from exporter.services import WatchedServices, read_health
from spreadlake.called import command_name
from spreadlake.config import AcceptedCopy
from spreadlake.lake import Lake
from spreadlake.lake.backtests import prepare_backtests
from spreadlake.service import ServiceContext, StopSignal

_log = logging.getLogger(__name__)


def run(context: ServiceContext) -> None:
    """Serves `/metrics`, `/healthz` and the page at `/` until told to stop.

    The lake may come later than the exporter. Raises ConfigError for an address that cannot be
    listened on.
    """
    stop = StopSignal(context.duration)
    prepare_backtests(context.lake)
    lake, settings = context.lake, context.settings
    watched = WatchedServices(
        notifier=bool(settings.notify.urls), uploader=settings.storage.cold is not None
    )
    metrics = LakeMetrics(lake, parts_of(settings.symbol_list, watched))
    where = settings.exporter
    program = where.command or command_name()
    page = Page(lake, program=program, grafana=where.dashboards)
    app = make_app(metrics, lambda: read_health(lake, watched), page)
    with (
        MetricsServer(where.host, where.port, app, where.url) as server,
        _noted(lake, server.page_url),
    ):
        thread = threading.Thread(target=server.serve_forever, name="http")
        thread.start()
        _log.info("charts of %s on %s", lake.root, server.page_url)
        _log.info("metrics of %s on %s", lake.root, server.url)
        stop.wait()
        server.shutdown()
        thread.join()


@contextmanager
def _noted(lake: Lake, url: str) -> Iterator[None]:
    """Says in the lake where we listen, while we do: settings may be edited meanwhile.

    Nowhere where there is no lake yet, or where it cannot be written: a reader makes none.
    """
    note, said = AcceptedCopy(lake.exporter_address if lake.root.exists() else None), url.encode()
    note.keep(said)
    try:
        yield
    finally:
        if note.read() == said:  # and not that of another exporter
            note.forget()
