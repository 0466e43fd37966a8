"""The dashboards in a real browser on a real Grafana: what is drawn, chosen and exported."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from grafana.source.alerts import ALERTS
from tests.grafana.lake_fixture import LATE_BARS, LATE_SYMBOL, build_lake
from tests.grafana.rendering import all_dashboards, dashboard, panels_of
from tests.grafana.stack import Stack, browsing, running_stack, visiting
from tests.patience import PATIENCE

PATIENCE_MS = 1000 * PATIENCE
GOOD = "rgb(0, 158, 115)"
# Whether anything is painted on a canvas.
_PAINTED = """canvas => {
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return pixels.some((value, at) => at % 4 === 3 && value > 0);
}"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    lake = build_lake(tmp_path_factory.mktemp("browser"), int(time.time()) - 1)
    with running_stack(lake) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


def colour(text: Any) -> str:
    return str(text.evaluate("element => getComputedStyle(element).color"))


def panel_of(page: Page, number: int) -> Any:
    return page.locator(f'[data-viz-panel-key="panel-{number}"]')


@pytest.mark.parametrize("board", all_dashboards(), ids=lambda board: board["uid"])
def test_every_panel_draws(stack: Stack, browser: Browser, board: dict[str, Any]) -> None:
    live = board["uid"] == "spreadlake-pipeline"  # Prometheus knows nothing of before it began
    path = f"/d/{board['uid']}" if live else f"/d/{board['uid']}?refresh="
    with visiting(browser, stack, path, height=3600) as visit:
        for row in (panel for panel in board["panels"] if panel["type"] == "row"):
            visit.page.get_by_text(row["title"], exact=True).click(timeout=PATIENCE_MS)
        for panel in (panel for panel in panels_of(board) if panel["type"] != "row"):
            shown = panel_of(visit.page, panel["id"])
            expect(shown).to_be_visible(timeout=PATIENCE_MS)
            empty = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "No data")
            if panel.get("targets"):
                expect(shown).not_to_contain_text(
                    re.compile(f"No data|{re.escape(empty)}"), timeout=PATIENCE_MS
                )
            if panel["type"] in ("timeseries", "candlestick"):
                canvas = shown.locator("canvas").first
                expect(canvas).to_be_visible(timeout=PATIENCE_MS)
                assert canvas.evaluate(_PAINTED), panel["title"]
        assert visit.page.get_by_test_id(re.compile("Panel status error")).count() == 0
        assert visit.failures == []


def test_grafana_has_no_complaint_about_the_provisioning(stack: Stack) -> None:
    found = {board["uid"] for board in stack.get("/api/search?type=dash-db").json()}
    assert found == {board["uid"] for board in all_dashboards()}
    rules = stack.get("/api/v1/provisioning/alert-rules").json()
    assert len(rules) == len(ALERTS) + 1  # and that of the pairs
    (folder,) = stack.get("/api/folders").json()
    assert {rule["folderUID"] for rule in rules} == {folder["uid"]}
    log = (stack.lake.lake.root / "grafana" / "log" / "grafana.log").read_text()
    provisioning = [line for line in log.splitlines() if "provisioning" in line]
    assert not [line for line in provisioning if "level=error" in line or "level=warn" in line]


def test_the_pair_dashboard_is_home_and_links_keep_what_was_chosen(
    stack: Stack, browser: Browser
) -> None:
    with visiting(browser, stack, "/") as visit:
        visit.title("z · BTCUSDT/ETHUSDT")
    with visiting(browser, stack, "/d/spreadlake-pair?var-window=30&refresh=") as visit:
        visit.title("z-score · 30 bars · raw prices")
        visit.page.get_by_role("link", name="Overview").click()
        visit.title("Pairs by |z| · raw prices")
        assert "var-window=30" in visit.page.url
        panel_of(visit.page, 5).get_by_role("link", name="ETHUSDT/SOLUSDT").click()
        visit.title("z · ETHUSDT/SOLUSDT")
        visit.title("z-score · 30 bars · raw prices")
        assert visit.failures == []


CHOICES = [
    ("A", "BTCUSDT", "SOLUSDT", "z · SOLUSDT/ETHUSDT"),
    ("B", "ETHUSDT", "SOLUSDT", "z · BTCUSDT/SOLUSDT"),
    ("Timeframe", "1s", "1m", "BTCUSDT_ETHUSDT_1m"),
    ("z window", "60", "120", "z-score · 120 bars · raw prices"),
    ("z window", "60", "47", "z-score · 47 bars · raw prices"),
    ("Lookback", "300", "600", "Hedge ratio β of raw prices · 600 bars"),
    ("Prices", "raw", "log", "z-score · 60 bars · log prices"),
    ("Lookback", "300", "77", "Hedge ratio β of raw prices · 77 bars"),
]


@pytest.mark.parametrize(("label", "before", "after", "title"), CHOICES)
def test_a_drop_down_changes_what_is_drawn(
    stack: Stack, browser: Browser, label: str, before: str, after: str, title: str
) -> None:
    with visiting(browser, stack, "/d/spreadlake-pair?refresh=", height=2600) as visit:
        visit.title("z · BTCUSDT/ETHUSDT")
        numbers = panel_of(visit.page, 4)
        expect(numbers).to_contain_text("correlation", timeout=PATIENCE_MS)
        was = numbers.inner_text(), panel_of(visit.page, 18).inner_text()
        choose(visit.page, before, after)
        visit.title(title)
        expect(visit.page.get_by_text(re.compile("^(ready|warming up|flat|late)"))).to_be_visible()
        visit.page.wait_for_function(
            "([number, was]) => document.querySelector("
            "`[data-viz-panel-key='panel-${number}']`).innerText !== was",
            arg=[18, was[1]],
            timeout=PATIENCE_MS,
        )
        assert visit.failures == []


def choose(page: Page, before: str, after: str) -> None:
    """Picks or types another value in the drop-down that shows `before`."""
    name = "data-testid Dashboard template variables Variable Value DropDown value link text"
    page.get_by_test_id(f"{name} {before}").first.click()
    page.keyboard.type(after)
    page.keyboard.press("Enter")


def test_a_typed_threshold_colours_the_number(stack: Stack, browser: Browser) -> None:
    with visiting(browser, stack, "/d/spreadlake-pair?refresh=&var-threshold=9") as visit:
        z = panel_of(visit.page, 1)
        expect(z).to_contain_text(re.compile(r"[+−]\d\.\d\d"), timeout=PATIENCE_MS)
        expect(z).not_to_contain_text(re.compile("[▲▼]"))
        choose(visit.page, "9", "0.0001")
        expect(z).to_contain_text(re.compile("[▲▼]"), timeout=PATIENCE_MS)


def test_warming_up_is_told_and_is_no_error(stack: Stack, browser: Browser) -> None:
    path = f"/d/spreadlake-pair?refresh=&var-symbol_b={LATE_SYMBOL}"
    with visiting(browser, stack, path, height=2600) as visit:
        expected = f"warming up: {LATE_BARS} of 60 bars"
        expect(panel_of(visit.page, 3)).to_contain_text(expected, timeout=PATIENCE_MS)
        for number in (10, 12, 13, 14, 18):
            expect(panel_of(visit.page, number)).to_contain_text("Nothing to draw: ")
        for number in (11, 15, 16):
            canvas = panel_of(visit.page, number).locator("canvas").first
            expect(canvas).to_be_visible(timeout=PATIENCE_MS)
        assert visit.page.get_by_test_id(re.compile("Panel status error")).count() == 0
        assert visit.failures == []


def test_the_overview_while_warming_up_has_a_word_in_every_cell(
    stack: Stack, browser: Browser
) -> None:
    with visiting(browser, stack, "/d/spreadlake-overview?refresh=&var-timeframe=1m") as visit:
        cells = panel_of(visit.page, 5).get_by_role("gridcell")
        expect(cells.filter(has_text="warming up: 40 of 60 bars")).to_have_count(2)
        shown = [cell.strip() for cell in cells.all_inner_texts()]
        assert shown[:6] == ["BTCUSDT/ETHUSDT", "–", "warming up: 40 of 60 bars", "–", "–", "–"]
        for cell in cells.all():
            assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth"), "cut off"
        assert colour(cells.nth(1)) != GOOD
        assert visit.failures == []


def test_columns_of_the_overview_are_in_view_or_can_be_scrolled_to(
    stack: Stack, browser: Browser
) -> None:
    path = "/d/spreadlake-overview?refresh="
    with visiting(browser, stack, path) as visit:
        for number in (5, 6):
            grid = panel_of(visit.page, number).get_by_role("grid")
            expect(grid).to_be_visible(timeout=PATIENCE_MS)
            assert grid.evaluate("grid => grid.scrollWidth <= grid.clientWidth"), number
    with visiting(browser, stack, path, width=700) as visit:
        grid = panel_of(visit.page, 5).get_by_role("grid")
        grid.get_by_text("ETHUSDT/SOLUSDT").hover(timeout=PATIENCE_MS)
        for name in ("pair", "z", "state"):
            expect(grid.get_by_text(name, exact=True)).to_be_in_viewport(ratio=0.9)
        assert grid.get_by_text("β").count() == 0, "what is out of view is not there at all"
        visit.page.mouse.wheel(1000, 0)
        expect(grid.get_by_text("β")).to_be_in_viewport(ratio=0.9)


def test_a_number_without_data_is_not_green(stack: Stack, browser: Browser) -> None:
    path = "/d/spreadlake-pipeline"  # with a time range of before Prometheus began
    with visiting(browser, stack, f"{path}?refresh=&from=1000000000000&to=1000000900000") as visit:
        for number in (2, 3, 4):
            text = panel_of(visit.page, number).get_by_text("no data")
            expect(text).to_be_visible(timeout=PATIENCE_MS)
            assert colour(text) != GOOD


def test_a_click_on_the_state_goes_to_the_newest_bars(stack: Stack, browser: Browser) -> None:
    path = "/d/spreadlake-pair?refresh=&var-window=30"
    with visiting(browser, stack, f"{path}&from=1900000000000&to=1900000900000") as visit:
        state = panel_of(visit.page, 3)
        expect(state).to_contain_text("click here for the newest", timeout=PATIENCE_MS)
        state.get_by_role("link").click()
        expect(state).to_contain_text(re.compile("ready|late"), timeout=PATIENCE_MS)
        assert "from=now-15m&to=now" in visit.page.url
        assert "var-window=30" in visit.page.url


def test_a_kept_back_test_is_found_and_its_trades_lead_to_the_pair(
    stack: Stack, browser: Browser
) -> None:
    path = "/d/spreadlake-backtest?refresh=&from=1000000000000&to=1000000900000"
    with visiting(browser, stack, path, height=2600) as visit:
        state = panel_of(visit.page, 1)
        expect(state).to_contain_text("click here for all of it", timeout=PATIENCE_MS)
        state.get_by_role("link").click()
        expect(state).to_contain_text("BTCUSDT/ETHUSDT · 1s · window 60", timeout=PATIENCE_MS)
        assert "var-backtest=kept" in visit.page.url
        for number in (3, 4, 5, 8):
            canvas = panel_of(visit.page, number).locator("canvas").first
            expect(canvas).to_be_visible(timeout=PATIENCE_MS)
        panel_of(visit.page, 7).get_by_role("link", name="BTCUSDT/ETHUSDT").first.click()
        visit.title("z · BTCUSDT/ETHUSDT")
        expect(panel_of(visit.page, 3)).to_contain_text("ready", timeout=PATIENCE_MS)
        assert visit.failures == []


def test_where_no_back_test_is_kept_there_are_words(stack: Stack, browser: Browser) -> None:
    path = "/d/spreadlake-backtest?refresh=&var-backtest=none"
    with visiting(browser, stack, path, height=2600) as visit:
        expected = "no back-test of this name is kept: choose one above"
        expect(panel_of(visit.page, 1)).to_contain_text(expected, timeout=PATIENCE_MS)
        for number in (3, 4, 8):
            expect(panel_of(visit.page, number)).to_contain_text("Nothing to draw: ")
        for number in (5, 7):
            expect(panel_of(visit.page, number)).to_contain_text("No trade in this time range.")
        assert visit.page.get_by_test_id(re.compile("Panel status error")).count() == 0
        panel_of(visit.page, 6).get_by_role("link", name="kept").click()
        expect(panel_of(visit.page, 1)).to_contain_text("BTCUSDT/ETHUSDT · 1s · window 60")
        assert visit.failures == []


def test_the_aligned_table_shows_the_newest_rows_and_leads_to_all_of_them(
    stack: Stack, browser: Browser
) -> None:
    """A link to the exporter's file of the range, which is named by symbols and timeframe."""
    with visiting(browser, stack, "/d/spreadlake-pair?refresh=", height=3000) as visit:
        table = panel_of(visit.page, 18)
        newest = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(stack.lake.end))
        first = table.get_by_role("gridcell").first
        expect(first).to_have_text(newest, timeout=PATIENCE_MS)
        link = table.get_by_role("link").first.get_attribute("href")
    since, until = (stack.lake.end - 899) * 1000, (stack.lake.end + 1) * 1000
    assert link == (
        "http://127.0.0.1:9464/pair.csv?a=BTCUSDT&b=ETHUSDT&timeframe=1s&window=60&lookback=300"
        f"&prices=raw&from={since}&to={until}"
    )


def test_the_panels_titles_are_what_the_tests_name() -> None:
    titles = {panel["id"]: panel["title"] for panel in dashboard("spreadlake-pair")["panels"]}
    assert titles[1] == "z · ${symbol_a}/${symbol_b}"
    assert titles[18] == "${symbol_a}_${symbol_b}_${timeframe}"


def test_the_events_of_the_range_are_marked_on_z_and_a_message_opens_their_moment(
    stack: Stack, browser: Browser
) -> None:
    """The address of a message: its bar in the middle of half an hour."""
    opened = stack.lake.end - 300
    path = "/d/spreadlake-pair?var-symbol_a=BTCUSDT&var-symbol_b=ETHUSDT&var-timeframe=1s"
    path += f"&var-window=60&var-lookback=300&time={opened}000&time.window=1800000&refresh="

    def asks_for_marks(request: Request) -> bool:
        return "/api/ds/query" in request.url and "timeEnd" in (request.post_data or "")

    page = browser.new_page()
    try:
        with page.expect_request(asks_for_marks, timeout=PATIENCE_MS) as asked:
            page.goto(stack.grafana + path)
        sent: Any = asked.value.post_data_json
        assert [int(sent[name]) for name in ("from", "to")] == [
            (opened - 900) * 1000,
            (opened + 900) * 1000,
        ]
        # Asked again: what the page was answered may be gone with the next refresh.
        url, login = stack.grafana + "/api/ds/query", ("admin", stack.password)
        again = httpx.post(url, json=sent, auth=login, timeout=PATIENCE)
        (answer,) = again.json()["results"].values()
        (frame,) = answer["frames"]
        names = [field["name"] for field in frame["schema"]["fields"]]
        marks = dict(zip(names, frame["data"]["values"], strict=True))
        assert marks["time"] == [(stack.lake.end - ago) * 1000 for ago in (900, 300)]
        assert marks["timeEnd"] == [(stack.lake.end - ago) * 1000 for ago in (860, 281)]
        assert marks["text"][1].startswith("zscore: long the spread, z −2.30 beyond 2")
    finally:
        page.close()
