"""The page in a real browser on a real exporter: what is drawn, said, chosen, and asked for."""

import csv
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.exporter.page_lake import add_bar
from tests.exporter.page_visit import KEPT, expect_drawn, tile, visiting
from tests.exporter.serving import serving
from tests.grafana.lake_fixture import LATE_BARS, LATE_SYMBOL, FixtureLake, build_lake
from tests.grafana.stack import browsing

_ROOM = "tables => tables.map(table => table.scrollWidth <= table.clientWidth)"


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    return build_lake(tmp_path_factory.mktemp("page"), int(time.time()) - 1, 1000)


@pytest.fixture(scope="module")
def address(fixture: FixtureLake) -> Iterator[str]:
    with serving(fixture.lake) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 700, 1600])
def test_all_is_drawn_at_every_width(
    address: str, browser: Browser, width: int, dark: bool
) -> None:
    with visiting(browser, address, KEPT, width, dark) as visit:
        expect_drawn(visit.page)
        assert re.fullmatch(r"[+−]\d+\.\d\d", tile(visit.page, "z"))
        expect(visit.page.locator("#state")).to_have_text("ready: hedge ratio over 300 bars")
        expect(visit.page.locator("#alerts tbody tr")).to_have_count(2)
        expect(visit.page.locator("#screen tbody tr")).to_have_count(6)
        expect(visit.page.locator("#rules")).to_contain_text("Watched by zscore at |z| > 2")
        assert visit.page.evaluate("() => document.documentElement.scrollWidth") == width
        tables = visit.page.locator(".table:has(table)")
        if width == 1600:  # no column is cut off
            assert tables.evaluate_all(_ROOM) == [True, True]
        assert visit.complaints == []


def test_without_an_address_the_watched_pair_is_shown_and_stands_in_it(
    address: str, browser: Browser
) -> None:
    with visiting(browser, address) as visit:
        expect_drawn(visit.page)
        assert visit.page.url == f"{address}/{KEPT}&range=15m"
        assert visit.page.title() == "BTCUSDT/ETHUSDT 1s · spreadlake"


def test_what_is_chosen_stands_in_the_address_and_back_goes_back(
    address: str, browser: Browser
) -> None:
    with visiting(browser, address, KEPT) as visit:
        page = visit.page
        expect_drawn(page)
        page.locator("[name=b]").fill("solusdt")
        page.locator("[name=window]").fill("47")
        page.keyboard.press("Enter")
        expect(page.locator("#pair-title")).to_have_text("BTCUSDT / SOLUSDT")
        expect(page.locator("#zscore figcaption")).to_contain_text("z-score, 47 bars")
        expect(page.locator("#rules")).to_contain_text("computed as you look at it")
        assert "b=SOLUSDT" in page.url
        assert "window=47" in page.url
        page.go_back()
        page.go_back()
        expect(page.locator("#zscore figcaption")).to_contain_text("z-score, 60 bars")
        expect(page.locator("#pair-title")).to_have_text("BTCUSDT / ETHUSDT")
        assert visit.complaints == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("lookback=abc", "lookback 'abc' is not a whole number of bars from 2 to 100,000"),
        ("threshold=abc", "threshold 'abc' is not a number above 0"),
        ("a=NOSUCH", "the lake has no bars of NOSUCH"),
        ("a=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "is not a symbol"),
    ],
)
def test_a_wrong_input_shows_a_sentence_and_no_number(
    address: str, browser: Browser, wrong: str, sentence: str
) -> None:
    name = wrong.partition("=")[0]
    query = re.sub(rf"(?<=[?&]){name}=[^&]*", wrong, KEPT)
    with visiting(browser, address, query) as visit:
        expect(visit.page.locator("#message")).to_contain_text(sentence)
        assert visit.page.locator("canvas").count() == 0
        assert set(visit.page.locator("#tiles dd").all_inner_texts()) == {"–"}
        assert visit.page.locator("#csv").get_attribute("href") is None
        # And a right one is drawn at once.
        field = visit.page.locator(f"[name={name}]")
        field.fill({"lookback": "300", "threshold": "2.5", "a": "BTCUSDT"}[name])
        field.press("Enter")
        expect_drawn(visit.page)
        expect(visit.page.locator("#message")).to_be_hidden()


def test_what_warms_up_is_said_in_words(address: str, browser: Browser) -> None:
    with visiting(browser, address, KEPT.replace("BTCUSDT", LATE_SYMBOL)) as visit:
        state = visit.page.locator("#state")
        told = f"warming up: {LATE_BARS} of 60 bars"
        expect(state).to_have_text(told)
        # The lake of these tests grows old meanwhile, and what is not of now says so.
        either = re.compile(f"^({told}|as of .* ago)$")
        expect(visit.page.locator("#freshness")).to_have_text(either)
        assert tile(visit.page, "z") == "–"
        expect(visit.page.locator("#prices .key output").first).to_contain_text("%")
        expect(visit.page.locator("#prices canvas")).to_be_visible()
        assert visit.complaints == []


@pytest.mark.parametrize("times", ["from=2040-01-01", "to=2020-01-01"])
def test_a_time_without_bars_is_a_sentence_and_no_axes(
    address: str, browser: Browser, times: str
) -> None:
    with visiting(browser, address, f"{KEPT}&{times}") as visit:
        told = "no row in that time: the lake has 1,000 bars of both, from 20"
        for place in ("#state", "#freshness"):
            expect(visit.page.locator(place)).to_contain_text(told)
        assert visit.page.locator("canvas").count() == 0
        visit.page.locator("#live").click()
        expect_drawn(visit.page)
        expect(visit.page.locator("#state")).to_have_text("ready: hedge ratio over 300 bars")
        assert visit.complaints == []


def test_a_name_that_is_none_of_the_page_is_told_of(address: str, browser: Browser) -> None:
    with visiting(browser, address, f"{KEPT}&windows=30") as visit:
        expect(visit.page.locator("#message")).to_contain_text("has “windows”, which the page does")
        expect_drawn(visit.page)
        visit.page.locator("[name=threshold]").fill("3")
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator("#message")).to_be_hidden()
        assert "windows" not in visit.page.url


def test_the_file_of_one_click(address: str, browser: Browser, tmp_path: Path) -> None:
    with visiting(browser, address, f"{KEPT}&range=5m") as visit:
        expect_drawn(visit.page)
        with visit.page.expect_download() as started:
            visit.page.locator("#csv").click()
        download = started.value
        assert download.suggested_filename == "BTCUSDT_ETHUSDT_1s_60_300.csv"
        download.save_as(tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300
    assert list(rows[0])[:6] == ["time", "price_a", "price_b", "spread", "zscore", "close_time"]


def test_a_drag_zooms_in_and_a_button_goes_back_to_now(address: str, browser: Browser) -> None:
    with visiting(browser, address, f"{KEPT}&range=15m") as visit:
        page = visit.page
        expect_drawn(page)
        over = page.locator("#zscore .u-over").bounding_box()
        assert over is not None
        y = over["y"] + over["height"] / 2
        page.mouse.move(over["x"] + over["width"] * 0.25, y)
        expect(page.locator("#prices .when")).to_contain_text("at 20")  # one cursor in all charts
        page.mouse.down()
        page.mouse.move(over["x"] + over["width"] * 0.5, y, steps=4)
        page.mouse.up()
        expect(page.locator("#freshness")).to_contain_text("zoomed into the past")
        assert re.search(r"&from=20[-\dT:]+Z&to=20[-\dT:]+Z", page.url)
        assert "range=" not in page.url
        expect(page.locator("#span")).to_contain_text(re.compile(r" 22\d bars"))
        page.locator("#live").click()
        expect(page.locator("#freshness")).not_to_contain_text("zoomed")
        assert "from=" not in page.url
        assert visit.complaints == []


def test_the_span_is_moved_by_shift_and_by_buttons(address: str, browser: Browser) -> None:
    with visiting(browser, address, f"{KEPT}&range=5m") as visit:
        page = visit.page
        expect_drawn(page)
        over = page.locator("#spread .u-over").bounding_box()
        assert over is not None
        page.mouse.move(over["x"] + 50, over["y"] + 50)
        page.keyboard.down("Shift")
        page.mouse.down()
        page.mouse.move(over["x"] + 50 + over["width"] / 3, over["y"] + 50, steps=3)
        page.mouse.up()
        page.keyboard.up("Shift")
        span = page.locator("#span")
        expect(page.locator("#freshness")).to_contain_text("zoomed into the past")
        expect(span).to_contain_text("300 bars")
        page.locator("#zoom-in").click()
        expect(span).to_contain_text("150 bars")
        page.locator("#later").click()
        page.locator("#zoom-out").click()
        expect(span).to_contain_text("300 bars")
        assert visit.complaints == []


def test_an_exporter_that_is_gone_does_not_leave_a_live_number(
    browser: Browser, tmp_path: Path
) -> None:
    fixture = build_lake(tmp_path, int(time.time()) - 1, 400)
    with ExitStack() as gone:
        address = gone.enter_context(serving(fixture.lake))
        with visiting(browser, address, KEPT) as visit:
            expect_drawn(visit.page)
            gone.close()
            expect(visit.page.locator("#message")).to_contain_text("does not answer")
            expect(visit.page.locator("#freshness")).to_contain_text("no answer since")
            expect(visit.page.locator("body")).to_have_class("old")


def test_nothing_inline_runs_and_nobody_else_is_asked(address: str, browser: Browser) -> None:
    with visiting(browser, address, KEPT) as visit:
        expect_drawn(visit.page)
        inline = """() => {
          const script = document.createElement('script');
          script.textContent = 'window.ran = true';
          document.head.append(script);
          return window.ran === undefined;
        }"""
        assert visit.page.evaluate(inline)
        outside = "() => fetch('http://127.0.0.1:9/').then(() => 'asked', error => error.name)"
        assert visit.page.evaluate(outside) == "TypeError"
        for refused in ("inline script violates", "Refused to connect"):
            assert any(refused in told for told in visit.complaints), refused
        visit.outside.clear()  # refused, and never sent


def test_a_ranked_pair_opens(address: str, browser: Browser) -> None:
    with visiting(browser, address, KEPT) as visit:
        page = visit.page
        expect_drawn(page)
        page.locator("#screen a").nth(1).click()
        expect(page.locator("#pair-title")).to_have_text("BTCUSDT / SOLUSDT")
        expect(page.locator("[name=timeframe]")).to_have_value("1m")
        assert "prices=log" in page.url


def test_a_new_bar_appears_by_itself(browser: Browser, tmp_path: Path) -> None:
    fixture = build_lake(tmp_path, int(time.time()) - 1, 400)
    with serving(fixture.lake) as address, visiting(browser, address, KEPT) as visit:
        page = visit.page
        expect_drawn(page)
        add_bar(fixture, zscore=6.75)
        expect(page.locator("#tiles div.beyond dd")).to_have_text("+6.75")
        expect(page.locator("#zscore figcaption")).to_contain_text("z +6.75")
        add_bar(fixture, zscore=-0.25)
        expect(page.locator("#tiles div.big dd")).to_have_text("−0.25")
        assert visit.complaints == []


def test_a_lake_of_yesterday_says_as_of_when(browser: Browser, tmp_path: Path) -> None:
    fixture = build_lake(tmp_path, int(time.time()) - 90_000, 400)
    with serving(fixture.lake) as address, visiting(browser, address, KEPT) as visit:
        expect_drawn(visit.page)
        expect(visit.page.locator("#freshness")).to_contain_text(re.compile("as of .*1 d .* ago"))
        shown = visit.page.locator("#tiles .big dd")
        ordinary = visit.page.locator("#tiles dd").nth(2)
        colours = [one.evaluate("e => getComputedStyle(e).color") for one in (shown, ordinary)]
        assert colours[0] != colours[1]
