"""Somebody between the uploader and the S3 server, who breaks what a test says."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>of {}</Message></Error>"


@dataclass
class Faults:
    """What goes wrong with requests whose path holds `of`; anything may be changed meanwhile."""

    of: str = "day.parquet"
    status: int = 0  # every answer to `method`
    method: str = "PUT"
    code: str = ""
    cut_at: int = -1  # bytes of a body after which both sides are cut off
    slow: float = 0.0  # seconds before each answer
    swallow: bool = False  # an upload is said to have come, and thrown away
    spoil: bool = False  # one byte of an upload changes, and nothing says so
    lie: bool = False  # the answer says another checksum
    seen: list[tuple[str, str]] = field(default_factory=list)

    def mend(self) -> None:
        self.status, self.cut_at, self.slow = 0, -1, 0.0
        self.swallow = self.spoil = self.lie = False

    def count(self, method: str, of: str = "") -> int:
        return sum(m == method and (of or self.of) in path for m, path in self.seen)


class _Passing(BaseHTTPRequestHandler):
    """One request after the other, of one connection."""

    protocol_version = "HTTP/1.1"
    faults: Faults
    endpoint: str

    def log_message(self, *_: object) -> None:
        pass

    def take(self) -> None:
        faults = self.faults
        faults.seen.append((self.command, self.path))
        concerned = Faults() if faults.of not in self.path else faults
        body = self._body(concerned)
        if body is None:
            return
        time.sleep(concerned.slow)
        if concerned.status and concerned.method in (self.command, "any"):
            self._answer(concerned.status, _ERROR.format(concerned.code, self.headers).encode())
        elif concerned.swallow and self.command == "PUT":
            self._answer(200, b"")
        else:
            self._pass_on(body, concerned)

    def _body(self, faults: Faults) -> bytes | None:
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        length = int(self.headers.get("Content-Length", 0))
        if 0 <= faults.cut_at < length:
            self.rfile.read(faults.cut_at)
            self.close_connection = True
            return None
        return self.rfile.read(length)

    def _pass_on(self, body: bytes, faults: Faults) -> None:
        there = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
        if faults.spoil and self.command == "PUT" and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        there.request(self.command, self.path, body, headers)
        answer = there.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                lies = faults.lie and name.lower() == "x-amz-checksum-sha256"
                self.send_header(name, "A" * 43 + "=" if lies else value)
        told = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(told or 0))
        self.end_headers()
        self.wfile.write(content)
        there.close()

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


for _method in ("GET", "PUT", "HEAD", "POST", "DELETE"):
    setattr(_Passing, f"do_{_method}", _Passing.take)


@contextmanager
def between(endpoint: str, faults: Faults) -> Iterator[str]:
    """The address of one who passes everything on to `endpoint`, but for the faults."""
    handler = type("Passing", (_Passing,), {"faults": faults, "endpoint": endpoint})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
