"""`spreadlake dashboards` on a lake of long ago, with the real Grafana, in a real browser."""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from spreadlake.lake import open_ticks_writer
from spreadlake.ports import free_port
from tests.grafana.lake_fixture import build_lake
from tests.grafana.stack import browsing
from tests.patience import PATIENCE
from tests.running import started, until

END = 1_700_000_000
SECONDS = 700
PATIENCE_MS = 1000 * PATIENCE
FROM, TO = f"from={END + 1 - SECONDS}000", f"to={END + 1}000"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that the command printed, once Grafana is up."""
    for tool in ("grafana", "prometheus"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} on PATH: a real Grafana 12 with its SQLite data source")
    folder = tmp_path_factory.mktemp("old")
    with closing(open_ticks_writer(build_lake(folder / "lake", END, SECONDS).lake)) as db:
        db.execute("INSERT INTO symbols VALUES ('BTCUSDT', 1, 9, ?, 1.5, 9)", (END * 1000,))
    ports = {"GF_SERVER_HTTP_PORT": str(free_port()), "SPREADLAKE_EXPORTER__PORT": "0"}
    with started("dashboards", "--data", "lake", cwd=folder, variables=ports) as process:
        said = folder / "err.txt"
        until(lambda: "dashboards on http" in said.read_text(), "Grafana to be ready", 120)
        printed = re.search(r"grafana +(\S+)", (folder / "out.txt").read_text())
        assert printed is not None
        yield printed[1]
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browsing() as browser:
        yield browser.new_page(viewport={"width": 1600, "height": 1000})


def expect_drawn(page: Page) -> None:
    state = page.locator('[data-viz-panel-key="panel-3"]')
    expect(state).to_contain_text("ready: hedge ratio over 300 bars", timeout=PATIENCE_MS)
    chart = page.locator('[data-viz-panel-key="panel-10"]')
    expect(chart.locator("canvas").first).to_be_visible(timeout=PATIENCE_MS)
    assert page.get_by_text("Nothing to draw").count() == 0


def test_the_printed_address_shows_the_newest_bars(home: str, page: Page) -> None:
    assert home.endswith(f"/d/spreadlake-pair?{FROM}&{TO}")
    page.goto(home)
    expect_drawn(page)


def test_from_the_usual_time_range_one_click_leads_there(home: str, page: Page) -> None:
    page.goto(home.partition("/d/")[0])
    state = page.locator('[data-viz-panel-key="panel-3"]')
    said = "no bars in this time range: the newest is of 2023-11-14 22:13:20"
    expect(state).to_contain_text(said, timeout=PATIENCE_MS)
    state.get_by_role("link").click()
    expect_drawn(page)
    assert "from=2023-11-14T22:01:41.000Z&to=2023-11-14T22:13:21.000Z" in page.url


def test_an_age_of_years_is_told_in_years(home: str, page: Page) -> None:
    page.goto(home.partition("/d/")[0] + "/d/spreadlake-pipeline")
    newest = page.locator('[data-viz-panel-key="panel-2"]')
    expect(newest).to_contain_text(re.compile(r"\d+\.\d years"), timeout=PATIENCE_MS)
