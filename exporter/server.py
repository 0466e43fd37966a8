"""The HTTP server of the exporter: `/metrics`, `/healthz`, and the page at `/`."""

import json
import socketserver
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from exporter.own_names import App, StartResponse, under_own_names
from exporter.page.app import Page
from exporter.scrape import LakeMetrics
from exporter.services import Health
from spreadlake.ports import address, cannot_listen, resolve


def make_app(metrics: LakeMetrics, health: Callable[[], Health], page: Page | None = None) -> App:
    """The WSGI application; prometheus_client negotiates the format and the compression."""
    registry = CollectorRegistry(auto_describe=True)  # so that ?name[]= can choose families
    registry.register(metrics)
    metrics_app = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            answer: Iterable[bytes] = metrics_app(environ, start_response)
            return answer
        if path == "/healthz":
            return _answer_health(health(), start_response)
        if page is not None and page.has(path):
            return page(environ, start_response)
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"here are /metrics and /healthz, and a page at /\n"]

    return app


def _answer_health(health: Health, start_response: StartResponse) -> Iterable[bytes]:
    status = "200 OK" if health.healthy else "503 Service Unavailable"
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(health.as_json(), indent=1).encode() + b"\n"]


class _Handler(WSGIRequestHandler):
    timeout = 30  # seconds a client may keep a thread waiting

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name is the base's
        pass


class MetricsServer(socketserver.ThreadingMixIn, WSGIServer):
    """Listens on `host`:`port` (0 takes a free one); ConfigError says why it cannot.

    On loopback it answers to its own names alone, of which `url` may have another.
    """

    daemon_threads = True
    # Each request is a connection of its own; one that finds no place comes again a second later.
    request_queue_size = 128

    def __init__(self, host: str, port: int, app: App, url: str | None = None) -> None:
        try:
            self.address_family, numeric = resolve(host, port)
            super().__init__(numeric, _Handler)
        except (OSError, UnicodeError) as error:
            raise cannot_listen(host, port, error) from None
        self.set_app(under_own_names(app, self.server_name, host, url))

    def server_bind(self) -> None:
        """Binds without asking DNS for a name, which http.server would wait for."""
        socketserver.TCPServer.server_bind(self)
        host, port, *_ = self.socket.getsockname()
        self.server_name, self.server_port = str(host), int(port)
        self.setup_environ()

    @property
    def page_url(self) -> str:
        """Address of the page."""
        return f"http://{address(self.server_name, self.server_port)}/"

    @property
    def url(self) -> str:
        """Address of the metrics."""
        return f"{self.page_url}metrics"
