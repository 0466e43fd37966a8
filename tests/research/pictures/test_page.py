"""The page in a real browser without network, in light and dark, wide and narrow; and the PNG."""

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from spreadlake.research.pictures import Pictured, figure, html, png
from spreadlake.research.pictures.summary import told_summary
from tests.grafana.stack import browsing
from tests.patience import PATIENCE, Deadline
from tests.research.pictures.made import made_run

PATIENCE_MS = 1000 * PATIENCE
TEXT = {"light": "rgb(36, 36, 42)", "dark": "rgb(213, 213, 220)"}
BACK = {"light": "rgb(255, 255, 255)", "dark": "rgb(19, 19, 23)"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "backtest.html"
    path.write_text(html(made_run()), encoding="utf-8")
    return path


def opened(browser: Browser, path: Path, scheme: str, width: int, asked: list[str]) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        offline=True,
    )
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"script: {error}"))
    page.on("console", lambda said: asked.append(f"console: {said.text}"))
    page.goto(path.as_uri())
    return page


@pytest.mark.parametrize(("scheme", "width"), [("light", 1600), ("dark", 700)])
def test_the_page_draws_everything_without_network_and_follows_scheme_and_width(
    browser: Browser, page_file: Path, scheme: str, width: int
) -> None:
    asked: list[str] = []
    page = opened(browser, page_file, scheme, width, asked)
    charts = page.locator("#charts")
    for name in ("Equity after costs", "Drawdown", "z-score and trades", "Gross", "Net of a trade"):
        expect(charts.locator(".annotation", has_text=name)).to_be_visible(timeout=PATIENCE_MS)
    # Lines: equity, drawdown, z, thresholds on both sides, four of costs, the mean.
    assert charts.locator(".scatterlayer path.js-line").count() == 3 + 6 + 4 + 1
    assert charts.locator(".scatterlayer path.point").count() >= 80
    expect_readable(page, scheme, width)
    other: Literal["light", "dark"] = "dark" if scheme == "light" else "light"
    page.emulate_media(color_scheme=other)
    page.set_viewport_size({"width": 2300 - width, "height": 900})
    expect_readable(page, other, 2300 - width)
    assert asked == [page_file.as_uri()]


def expect_readable(page: Page, scheme: str, width: int) -> None:
    title = page.locator("#charts .annotation-text").first
    expect(title).to_have_css("fill", TEXT[scheme], timeout=PATIENCE_MS)
    expect(page.locator("body")).to_have_css("background-color", BACK[scheme])
    drawn = "document.querySelector('#charts .main-svg').getBoundingClientRect().width"
    deadline = Deadline()
    # Not by the browser's own waiting, which evaluates texts: the page's policy forbids that.
    while abs(page.evaluate(drawn) - min(width, 1560)) >= 60:
        assert not deadline.passed, "drawn anew at the new width"
        page.wait_for_timeout(20)
    assert page.evaluate("document.documentElement.scrollWidth") == width, "nothing is cut off"


def test_the_numbers_are_a_table_and_names_are_text(browser: Browser, tmp_path: Path) -> None:
    run = made_run()._replace(title="<script>alert(1)</script> & more")
    run = run._replace(settings={**run.settings, "note": "</script><b>x</b>"})
    path = tmp_path / "backtest.html"
    path.write_text(html(run), encoding="utf-8")
    asked: list[str] = []
    page = opened(browser, path, "light", 1200, asked)
    expect(page.locator("h1")).to_have_text("<script>alert(1)</script> & more")
    rows = page.locator(".numbers tr")
    assert rows.count() == len(run.summary)
    for row, told in zip(rows.all(), told_summary(run.summary), strict=True):
        assert row.locator("th").inner_text() == told.name
        assert row.locator(".value").inner_text() == told.value
    assert asked == [path.as_uri()]


def test_no_trade_is_said_in_words(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "backtest.html"
    path.write_text(html(made_run(300, 0)), encoding="utf-8")
    page = opened(browser, path, "light", 1200, [])
    expect(page.get_by_text("There is no trade in this span")).to_be_visible()
    expect(page.locator("#charts .annotation")).to_have_text(["z-score and trades"])


def test_no_bar_is_said_in_words() -> None:
    run = without_bars()
    assert "There is no bar in this span" in html(run)
    assert "plotly" not in html(run)
    assert png(run).startswith(b"\x89PNG")


def without_bars() -> Pictured:
    run = made_run(300, 0)
    return run._replace(equity=run.equity.clear())


def test_numbers_without_meaning_are_a_dash() -> None:
    told = {one.name: one.value for one in told_summary(made_run(300, 0).summary)}
    assert told["Sharpe"] == told["Hit rate"] == told["Break-even cost"] == "–"
    assert told["Trades"] == "0"


def test_a_page_does_not_grow_with_the_bars() -> None:
    assert len(html(made_run(60_000, 9_000))) < len(html(made_run(9_000, 9_000 // 4))) + 1_000_000


@pytest.mark.parametrize("run", [made_run(), made_run(300, 0), made_run(300, 1)])
def test_a_png_of_1600_pixels(run: Pictured) -> None:
    picture = png(run)
    assert picture.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", picture[16:24])
    assert width == 1600
    assert 400 < height < 2_000


def test_a_figure_for_a_notebook() -> None:
    run = made_run()
    drawn = figure(run)
    assert drawn.layout.title.text == run.title
    assert {trace.name for trace in drawn.data} >= {"equity", "drawdown", "z-score", "net"}


def test_what_draws_is_imported_only_when_something_is_drawn() -> None:
    code = (
        "import sys, spreadlake, spreadlake.research, spreadlake.research.pictures\n"
        "import launcher.commands.app\n"
        "print([name for name in ('plotly', 'matplotlib') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
