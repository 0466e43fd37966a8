"""What asks this very machine goes through no proxy of the environment."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher import health_check
from launcher.dashboards.wrapper import check_grafana
from spreadlake.service import StopSignal


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"message": "", "status": "OK"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is to be read of it."""


@contextmanager
def answering() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(30)


@pytest.fixture(autouse=True)
def _proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("no_proxy", "[::1]")


def test_a_service_is_alive_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as url:
        monkeypatch.setitem(health_check._ANSWERS, "exporter", f"{url}/metrics")
        assert health_check.main("exporter") == 0


def test_dashboards_are_found_behind_a_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "password").write_text("secret")
    monkeypatch.setattr("launcher.dashboards.wrapper._EVERY", 0.05)
    with answering() as url:
        check_grafana(url, tmp_path / "password", StopSignal(60.0))
    assert f"dashboards on {url}" in caplog.text
