"""How the dashboards are laid out in a real browser: on a desk, and on what is 700 pixels wide."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.grafana.lake_fixture import build_lake
from tests.grafana.stack import Stack, browsing, running_stack, visiting
from tests.patience import PATIENCE

PATIENCE_MS = 1000 * PATIENCE
_CONTROLS = "[data-testid='data-testid template variable']"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    lake = build_lake(tmp_path_factory.mktemp("layout"), int(time.time()) - 1)
    with running_stack(lake) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


def panel_of(page: Page, number: int) -> Any:
    return page.locator(f'[data-viz-panel-key="panel-{number}"]')


@pytest.mark.parametrize("board", ["pair", "overview", "screen", "backtest"])
def test_drop_downs_are_in_one_row_on_a_desk(stack: Stack, browser: Browser, board: str) -> None:
    with visiting(browser, stack, f"/d/spreadlake-{board}") as visit:
        expect(visit.page.locator(_CONTROLS).last).to_be_visible(timeout=PATIENCE_MS)
        expect(panel_of(visit.page, 1)).to_be_visible(timeout=PATIENCE_MS)
        boxes = [control.bounding_box() for control in visit.page.locator(_CONTROLS).all()]
        rows = {round(box["y"]) for box in boxes if box is not None}
        assert len(boxes) > 2
        assert len(rows) == 1, boxes


def test_numbers_are_side_by_side_on_a_narrow_screen(stack: Stack, browser: Browser) -> None:
    """Each panel takes a row there; so numbers that belong together are one panel."""
    with visiting(browser, stack, "/d/spreadlake-overview?refresh=1h", width=700) as visit:
        tiles = panel_of(visit.page, 1)
        for title in ("Stretched", "Pairs with a z-score", "Open alerts", "Age"):
            expect(tiles.get_by_text(title)).to_be_visible(timeout=PATIENCE_MS)
        box = tiles.bounding_box()
        assert box is not None
        assert box["height"] < 200
    with visiting(browser, stack, "/d/spreadlake-pair?refresh=1h", width=700) as visit:
        expect(panel_of(visit.page, 4).get_by_text("ADF p")).to_be_visible(timeout=PATIENCE_MS)
        for title in ("β", "correlation", "half-life, bars", "Age"):
            expect(panel_of(visit.page, 4).get_by_text(title, exact=True)).to_be_visible()
        assert panel_of(visit.page, 2).count() == 0, "its age is one of the numbers"


def test_a_wrong_lookback_is_told_and_nothing_is_drawn(stack: Stack, browser: Browser) -> None:
    path = "/d/spreadlake-pair?refresh=1h&var-lookback=abc&var-threshold=5%20OR%201"
    with visiting(browser, stack, path, height=2800) as visit:
        state = panel_of(visit.page, 3)
        for word in ("lookback", "“abc”", "100,000", "threshold", "“5 OR 1”", "above 0"):
            expect(state).to_contain_text(word, timeout=PATIENCE_MS)
        text = state.locator("span").filter(has_text="lookback").last
        assert text.evaluate("one => one.scrollHeight <= one.clientHeight + 1"), "cut off"
        for number in (10, 11, 12, 13, 14, 15, 16, 20, 21):
            expect(panel_of(visit.page, number)).to_contain_text("Nothing to draw: ")
        expect(panel_of(visit.page, 1)).to_contain_text("–")
        assert visit.failures == []
