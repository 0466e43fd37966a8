"""The page follows a lake in a real browser, through answers that fail, come late or end early."""

import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, Route, expect

from spreadlake.lake import open_analytics_writer
from tests.exporter.page_lake import add_bar, add_second
from tests.exporter.page_visit import KEPT, expect_drawn, tile, visiting
from tests.exporter.serving import serving
from tests.grafana.lake_fixture import FixtureLake, build_lake
from tests.grafana.stack import browsing

BUSY = '{"error": "there are too many questions at once; ask again in a moment"}'


@pytest.fixture
def fixture(tmp_path: Path) -> FixtureLake:
    # It ends a while from now, so that it is live however long a test takes.
    return build_lake(tmp_path, int(time.time()) + 600, 400)


@pytest.fixture
def address(fixture: FixtureLake) -> Iterator[str]:
    with serving(fixture.lake) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


def of_whole_span(asked: Request) -> bool:
    return "/api/pair" in asked.url and "points=" in asked.url


def test_what_is_shown_stays_while_it_is_asked_for_anew(
    fixture: FixtureLake, address: str, browser: Browser
) -> None:
    with visiting(browser, address, KEPT) as visit:
        page = visit.page
        expect_drawn(page)
        refused: list[str] = []

        def refuse(route: Route) -> None:
            if not of_whole_span(route.request):
                return route.continue_()
            refused.append(str(page.locator("body").get_attribute("class")))
            return route.fulfill(status=503, content_type="application/json", body=BUSY)

        page.route("**/api/pair*", refuse)
        with closing(open_analytics_writer(fixture.lake)) as db:  # another past
            db.execute("INSERT INTO counters VALUES ('late_trades', '', 4)")
        expect(page.locator("#message")).to_contain_text("too many questions")
        expect(page.locator("#freshness")).to_contain_text("no answer since")
        assert page.locator("canvas").count() == 4
        assert re.fullmatch(r"[+−]\d+\.\d\d", tile(page, "z"))
        page.unroute("**/api/pair*")
        expect(page.locator("#message")).to_be_hidden()
        assert refused
        assert not [classes for classes in refused if "loading" in classes]


def test_nothing_new_is_asked_for_beside_another_series_that_is_loading(
    address: str, browser: Browser
) -> None:
    with visiting(browser, address, KEPT) as visit:
        page = visit.page
        expect_drawn(page)
        held: list[Route] = []
        beside: list[str] = []

        def hold(route: Route) -> None:
            if of_whole_span(route.request):
                held.append(route)
                return
            if held and "b=SOLUSDT" in route.request.url:
                beside.append(route.request.url)
            route.continue_()

        page.route("**/api/pair*", hold)
        with page.expect_request(of_whole_span):
            page.locator("[name=b]").fill("SOLUSDT")
            page.keyboard.press("Enter")
        page.evaluate("""() => {
          document.dispatchEvent(new Event('visibilitychange'));
          return new Promise((done) => setTimeout(() => fetch('api/lake').then(done), 50));
        }""")
        assert len(held) == 1
        assert beside == []
        held[0].continue_()
        expect(page.locator("#rules")).to_contain_text("computed as you look at it")
        assert visit.complaints == []


def test_an_answer_that_ends_early_is_asked_for_again(address: str, browser: Browser) -> None:
    with visiting(browser, address, KEPT) as visit:
        page = visit.page
        expect_drawn(page)
        page.route(
            "**/api/pair*",
            lambda route: route.fulfill(content_type="application/json", body='{"a": "BTC'),
        )
        expect(page.locator("#message")).to_contain_text("the exporter's answer ended early")
        expect(page.locator("#freshness")).to_contain_text("no answer since")
        page.unroute("**/api/pair*")
        expect(page.locator("#message")).to_be_hidden()
        assert visit.complaints == []


def test_a_number_of_before_is_not_shown_as_that_of_now(
    fixture: FixtureLake, address: str, browser: Browser
) -> None:
    with visiting(browser, address, KEPT) as visit:
        page = visit.page
        expect_drawn(page)
        add_bar(fixture, zscore=6.75)
        expect(page.locator("#tiles div.big dd")).to_have_text("+6.75")
        add_second(fixture, "BTCUSDT", "ETHUSDT")
        expect(page.locator("#freshness")).to_contain_text("no row of the newest bar")
        assert tile(page, "z") == "–"
        expect(page.locator("body")).to_have_class("old")
        expect(page.locator("#zscore .when")).to_contain_text("at 20")  # of when its number is
        add_bar(fixture, zscore=-0.25)
        expect(page.locator("#tiles div.big dd")).to_have_text("−0.25")
        expect(page.locator("#zscore .when")).to_be_empty()
        assert visit.complaints == []


def test_what_takes_long_to_answer_is_asked_less_often(address: str, browser: Browser) -> None:
    with visiting(browser, address, KEPT) as visit:
        paces = """async () => {
          const { pause, untilReload } = await import('/page/js/pace.js');
          const live = { end: 2, newest: 2 };
          return [pause(live, 10), pause({ end: 1, newest: 2 }, 10), pause(live, 4000),
                  untilReload(10), untilReload(4000)];
        }"""
        assert visit.page.evaluate(paces) == [800, 4000, 12000, 5000, 12000]
