"""A way to an S3 server that counts what is asked for, and can be made to answer otherwise."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit

_OF_A_CONNECTION = ("connection", "transfer-encoding", "keep-alive")


class Way:
    """Every request that went by (method, path), the bytes of bodies that came back, and faults."""

    def __init__(self, endpoint: str) -> None:
        self._server = urlsplit(endpoint).netloc
        self.endpoint = ""
        self.requests: list[tuple[str, str]] = []
        self.bytes = 0
        self.status: int | None = None
        """What is answered instead, while it is set."""
        self.silent = False
        """Nothing is answered while it is set."""
        self.before: Callable[[str, str], None] | None = None
        """Called with method and path before each request."""
        self.over = Event()

    def forget(self) -> None:
        self.requests, self.bytes = [], 0

    def fetch(
        self, asked: BaseHTTPRequestHandler, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        server = http.client.HTTPConnection(self._server, timeout=60)
        try:
            # As it was signed, with the name of the host that was asked.
            server.putrequest(asked.command, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                server.putheader(name, value)
            server.endheaders(body or None)
            answer = server.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, headers, answer.read()
        finally:
            server.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    way: Way

    def _pass(self) -> None:
        way = self.way
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        way.requests.append((self.command, self.path))
        if way.before is not None:
            way.before(self.command, self.path)
        if way.silent:
            way.over.wait(60)
            self.close_connection = True
            return
        status, headers, content = way.status, dict[str, str](), b""
        if status is None:
            status, headers, content = way.fetch(self, body)
        way.bytes += len(content)
        self._answer(status, headers, content)

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in ({"content-length": str(len(content))} | headers).items():
            if name not in _OF_A_CONNECTION:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def way_to(endpoint: str) -> Iterator[Way]:
    """Such a way to the server at `endpoint`, on a port of its own."""
    way = Way(endpoint)
    handler = type("Handler", (_Handler,), {"way": way})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        way.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield way
        finally:
            way.over.set()
            server.shutdown()
