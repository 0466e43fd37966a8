"""A day of 1s bars in a real browser on a busy machine: how soon, how much, and nothing cancelled.

The bounds are those of a machine of two cores with four busy processes and the browser beside; on a
slower one TESTS_PATIENCE makes them longer, as it does every other.
"""

import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from spreadlake.pairs import Pair
from tests.grafana.day_lake import DAY, KEPT, OTHER, build_day
from tests.grafana.stack import Stack, browsing, running_stack
from tests.patience import FACTOR, PATIENCE

RANGES = {"15 min": 900, "1 h": 3_600, "4 h": 14_400, "24 h": DAY}
# A query shares the cores with the browser, which draws the others, so single ones are late: the
# bound is for what it typically takes, over so many refreshes.
PICTURE_SECONDS, QUERY_SECONDS, MOST_BYTES = 3 * FACTOR, 0.5 * FACTOR, 1_000_000
BUSY, REFRESHES = 4, 5
_PAINTED = """number => {
  const canvas = document.querySelector(`[data-viz-panel-key='panel-${number}'] canvas`);
  if (!canvas) return false;
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.some((value, at) => at % 4 === 3 && value > 0);
}"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    lake = build_day(tmp_path_factory.mktemp("speed"), int(time.time()) - 1)
    with running_stack(lake) as running:
        yield running


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    with browsing() as found:
        page = found.new_page()  # what Grafana does once, at its first visit
        page.goto(stack.grafana)
        page.wait_for_function(_PAINTED, arg=10, timeout=1000 * PATIENCE)
        page.close()
        yield found


def _idle() -> float:
    """Which share of the machine has nothing to do, over a second."""
    moments: list[list[int]] = []
    for seconds in (1, 0):
        moments.append([int(n) for n in Path("/proc/stat").read_text().split("\n")[0].split()[1:]])
        time.sleep(seconds)
    spent = [after - before for before, after in zip(*moments, strict=True)]
    return float(spent[3] / max(1, sum(spent)))


@pytest.fixture
def load() -> Iterator[None]:
    """A load of BUSY, as a machine has that does other things as well."""
    idle = _idle() if Path("/proc/stat").exists() else 0
    if idle < 0.6:
        pytest.skip(f"needs a machine that does nothing else: {idle:.0%} of this one is free")
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    yield
    for process in busy:
        process.kill()
        process.wait()


@dataclass
class Watched:
    """What a page asked of the lake: seconds and bytes by query, and what it cancelled."""

    begun: float = 0.0
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    bytes: dict[str, int] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", self._begins)
        page.on("requestfinished", self._ends)
        page.on("requestfailed", lambda request: self.cancelled.extend(_panel(request)))

    def _begins(self, request: Request) -> None:
        if _panel(request) and not self.begun:
            self.begun = time.monotonic()

    def _ends(self, request: Request) -> None:
        for panel in _panel(request):
            timing = request.timing
            self.seconds[panel].append((timing["responseEnd"] - timing["requestStart"]) / 1000)
            self.bytes[panel] = max(self.bytes.get(panel, 0), request.sizes()["responseBodySize"])


def _panel(request: Request) -> list[str]:
    """Which panel asks, where it is a panel that does."""
    if "/api/ds/query" not in request.url:
        return []
    return [request.headers.get("x-panel-id", "variable")]


@pytest.mark.parametrize("seconds", RANGES.values(), ids=RANGES)
@pytest.mark.parametrize("pair", [KEPT, OTHER], ids=["kept", "not kept"])
@pytest.mark.usefixtures("load")
def test_a_busy_machine_draws_any_range_before_the_next_refresh(
    stack: Stack, browser: Browser, pair: Pair, seconds: int
) -> None:
    page = browser.new_page(viewport={"width": 1600, "height": 1100})
    watched = Watched()
    watched.watch(page)
    legs = f"var-symbol_a={pair.a}&var-symbol_b={pair.b}&var-timeframe=1s"
    page.goto(f"{stack.grafana}/d/spreadlake-pair?{legs}&from=now-{seconds}s&to=now")
    page.wait_for_function(_PAINTED, arg=10, timeout=1000 * PATIENCE, polling=50)
    picture = time.monotonic() - watched.begun
    until = time.monotonic() + PATIENCE
    while len(watched.seconds["10"]) < REFRESHES and time.monotonic() < until:
        page.wait_for_timeout(200)
    page.close()
    typical = {panel: statistics.median(times) for panel, times in watched.seconds.items()}
    print(f"{pair.name} {seconds} s: picture {picture:.2f} s, {typical}, {watched.bytes}")
    assert len(watched.seconds["10"]) >= REFRESHES
    assert watched.cancelled == []
    assert max(watched.bytes.values()) < MOST_BYTES
    assert max(typical.values()) < QUERY_SECONDS, typical
    assert picture < PICTURE_SECONDS


def test_the_table_leads_to_all_rows_of_the_range(
    stack: Stack, browser: Browser, tmp_path: Path
) -> None:
    """A file of the exporter, named by symbols and timeframe, with the columns of the command."""
    page = browser.new_page(viewport={"width": 1600, "height": 3400})
    end = stack.lake.end + 1
    page.goto(f"{stack.grafana}/d/spreadlake-pair?refresh=&from={end - 3_600}000&to={end}000")
    table = page.locator("[data-viz-panel-key='panel-18']")
    expect(table.get_by_role("gridcell").first).to_be_visible(timeout=1000 * PATIENCE)
    href = table.get_by_role("link").first.get_attribute("href")
    page.close()
    assert href is not None
    assert href.startswith("http://127.0.0.1:9464/pair.csv?a=BTCUSDT&b=ETHUSDT&timeframe=1s")
    assert f"&from={end - 3_600}000&to={end}000" in href
