"""Where alerts arrive in tests: a mail server and an HTTP server that keep what they are sent."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Mails:
    """Received mails as (recipients, raw text), and the address to send to."""

    port: int = 0
    received: list[tuple[list[str], str]] = field(default_factory=list)


@dataclass
class Posts:
    """Received posts as (path, JSON body)."""

    port: int = 0
    received: list[tuple[str, Any]] = field(default_factory=list)


class _MailHandler(socketserver.StreamRequestHandler):
    """Enough SMTP to take a mail: says yes to everything."""

    mails: Mails

    def handle(self) -> None:
        recipients: list[str] = []
        self._say("220 sink")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"QUIT":
                return self._say("221 bye")
            if word == b"RCPT":
                recipients.append(line.decode().split(":", 1)[1].strip().strip("<>"))
            if word == b"DATA":
                self._say("354 go on")
                self.mails.received.append((recipients, self._text()))
                recipients = []
            self._say("250 ok")
        return None

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def _text(self) -> str:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        return b"".join(lines).decode()


@contextmanager
def mail_sink() -> Iterator[Mails]:
    """A server that takes every mail."""
    mails = Mails()
    handler = type("Handler", (_MailHandler,), {"mails": mails})
    with _serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)) as port:
        mails.port = port
        yield mails


@contextmanager
def post_sink(at: int = 0) -> Iterator[Posts]:
    """A server on the port `at` (0: a free one) that answers as Slack's webhooks do: `ok`."""
    posts = Posts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.received.append((self.path, json.loads(body)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *args: object) -> None:
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", at), Handler)) as port:
        posts.port = port
        yield posts


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
