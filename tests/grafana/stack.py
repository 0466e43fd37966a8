"""A real Grafana and Prometheus on the fixture lake, started as `--grafana` starts them."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from launcher.dashboards import Observability, plan_observability
from launcher.supervisor.child import Child
from spreadlake.lake import (
    add_counters,
    atomic,
    open_analytics_writer,
    open_cold_writer,
    open_ticks_writer,
    set_status,
)
from spreadlake.ports import free_port
from tests.grafana.lake_fixture import SYMBOLS, FixtureLake
from tests.patience import PATIENCE
from tests.running import COMMAND, environment, until

# What a store says of its log.
_LOG = {
    "entries": 4, "lag": 3, "pending": 1, "oldest_seconds": 0.4, "bytes": 2**20, "dropped": 0,
    "max_bytes": 2**28, "uncarried": 0, "reachable": True, "trouble": "",
    "captures": {"one:12": {"waiting": 5, "symbols": 3, "dropped": 0}},
}  # fmt: skip
# What an uploader says of the bucket.
_UPLOAD: dict[str, Any] = {
    "failures": 2, "waiting": 1, "waiting_bytes": 2**20, "oldest": 1_793_577_600, "objects": 7,
    "bytes": 2**22, "address": "s3://bucket/lake", "trouble": "",
}  # fmt: skip
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Stack:
    """The addresses, and the lake behind them."""

    lake: FixtureLake
    grafana: str
    prometheus: str
    password: str

    @property
    def span(self) -> str:
        """The last quarter of an hour of the lake, as part of a page's address."""
        return f"&from={(self.lake.end - 899) * 1000}&to={(self.lake.end + 1) * 1000}"

    def get(self, path: str) -> httpx.Response:
        """An answer of Grafana's API for the administrator."""
        return httpx.get(self.grafana + path, auth=("admin", self.password), timeout=PATIENCE)


@contextmanager
def running_stack(lake: FixtureLake, variables: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """Exporter, Prometheus and Grafana on `lake`; skips where they are not installed."""
    for tool in ("grafana", "prometheus"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} on PATH: a real Grafana 12 with its SQLite data source")
    _store_work(lake)
    port = free_port()
    settings = {**os.environ, "GF_SERVER_HTTP_PORT": str(free_port()), **(variables or {})}
    watch = plan_observability(lake.lake, f"127.0.0.1:{port}", settings)
    exporter = subprocess.Popen(
        [*COMMAND, "export-metrics", "--data", str(lake.lake.root), "--config", os.devnull],
        env=environment(
            SPREADLAKE_EXPORTER__PORT=str(port), SPREADLAKE_STORAGE__COLD=_UPLOAD["address"]
        ),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with _children(watch, variables or {}):
            password = watch.password_file.read_text()
            yield Stack(lake, watch.grafana_url, watch.prometheus_url, password)
    finally:
        exporter.terminate()
        exporter.wait()


@contextmanager
def _children(watch: Observability, variables: Mapping[str, str]) -> Iterator[None]:
    lines: list[str] = []
    children = [Child(spec, lines.append) for spec in watch.specs]
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        for child in children:
            child.start()
        ready = f"dashboards on {watch.grafana_url}"
        until(lambda: any(line.endswith(ready) for line in lines), f"{ready!r} in {lines}", 120)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        for child in children:
            child.terminate()
            child.wait(PATIENCE)


def _store_work(lake: FixtureLake) -> None:
    """What the collector and the job would leave, so that every metric has a value."""
    now_ms = int(time.time() * 1000)
    with closing(open_ticks_writer(lake.lake)) as db, atomic(db):
        for symbol in SYMBOLS:
            db.execute(
                "INSERT OR REPLACE INTO symbols VALUES (?, 1, 9, ?, 1.5, 9)", (symbol, now_ms)
            )
        add_counters(db, {("ticks", symbol): 9.0 for symbol in SYMBOLS})
        add_counters(db, {("batches", ""): 2.0, ("commit_seconds", ""): 0.01})
        for connection in ("1", "2"):
            add_counters(db, {("first", connection): 9.0, ("single_gaps", connection): 1.0})
        status = {"pid": 1, "started_ms": now_ms, "state": "running", "connections": 1, "buffer": 0}
        set_status(db, now_ms, {"collector": status | {"log": _LOG}})
    with closing(open_cold_writer(lake.lake)) as db, atomic(db):
        add_counters(db, {("uploaded", ""): 7.0, ("bytes", ""): 9.0, ("left", ""): 4.0})
        status = {"pid": 1, "started_ms": now_ms, "state": "running"}
        set_status(db, now_ms, {"uploader": status | {"upload": _UPLOAD}})
    with closing(open_analytics_writer(lake.lake)) as db, atomic(db):
        add_counters(db, {("steps", ""): 2.0, ("step_seconds", ""): 0.01})
        status = {"pid": 1, "started_ms": now_ms, "state": "running", "last_step_ms": now_ms}
        set_status(db, now_ms, {"job": status | {"last_step_seconds": 0.005}})


@contextmanager
def browsing() -> Iterator[Browser]:
    """A headless Chromium of the system; skips where there is none."""
    found = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if found is None:
        pytest.skip("needs chromium on PATH (Debian: chromium)")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page with what went wrong on it."""

    page: Page
    failures: list[str]

    def title(self, text: str) -> None:
        """Waits until a panel has this title."""
        self.page.get_by_role("heading", name=text, exact=True).first.wait_for(
            timeout=1000 * PATIENCE
        )


@contextmanager
def visiting(
    browser: Browser, stack: Stack, path: str, height: int = 1000, width: int = 1600
) -> Iterator[Visit]:
    """A visit of one page; failed requests and script errors are kept."""
    page = browser.new_page(viewport={"width": width, "height": height}, accept_downloads=True)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(f"script: {error}"))
    page.on(
        "response",
        lambda answer: (
            failures.append(f"{answer.status} {answer.url}")
            if answer.status >= 400 and "/api/ds/query" in answer.url
            else None
        ),
    )
    page.goto(stack.grafana + path + (stack.span if "?" in path else ""))
    try:
        yield Visit(page, failures)
    finally:
        page.close()
