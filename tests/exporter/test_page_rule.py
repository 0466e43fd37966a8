"""From the threshold over the charts to the rule: the line that the page offers does it."""

import os
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from exporter.page.app import Page
from exporter.page.dashboards import BACKTEST, PAIR, SCREEN
from spreadlake.config.added_rules import read_added_rules
from tests.exporter.page_visit import KEPT, expect_drawn, visiting
from tests.exporter.serving import serving
from tests.exporter.test_page import ask, refusal
from tests.grafana.lake_fixture import FixtureLake, build_lake
from tests.grafana.rendering import dashboard
from tests.grafana.stack import browsing
from tests.running import invoke

SERIES: dict[str, Any] = {
    "a": "BTCUSDT",
    "b": "ETHUSDT",
    "timeframe": "1s",
    "window": 60,
    "lookback": 300,
    "threshold": 2.75,
}


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    return build_lake(tmp_path_factory.mktemp("rule"), int(time.time()) - 1, 1000)


@pytest.fixture(scope="module")
def address(fixture: FixtureLake) -> Iterator[str]:
    with serving(fixture.lake) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


def offered(address: str, **other: object) -> list[str]:
    status, answer = ask(address, "/api/rule", **(SERIES | other))
    assert (status, answer["refused"]) == (200, ""), answer
    return [str(one) for one in answer["commands"]]


def paste(line: str, cwd: Path) -> None:
    for command in line.split(" && "):
        program, *arguments = shlex.split(command)
        assert program == "spreadlake"
        ended = invoke(*arguments, cwd=cwd)
        assert ended.returncode == 0, ended.stderr


def test_the_line_sets_the_rule_that_watches_these_settings(tmp_path: Path) -> None:
    lake = build_lake(tmp_path / "a lake", int(time.time()) - 1, 400).lake
    with serving(lake) as address:
        (line,) = offered(address)
        assert line == (
            "spreadlake alerts set BTCUSDT/ETHUSDT --timeframe 1s --window 60 --threshold 2.75 "
            f"--data '{lake.root}'"
        )
        paste(line, tmp_path)
        # What nothing watches gets a rule of its own, and a pair that is not followed is added.
        paste(offered(address, timeframe="1m", window=30)[0], tmp_path)
        (line,) = offered(address, a="SOLUSDT", b="BTCUSDT", threshold=3)
        assert line.startswith("spreadlake pairs add SOLUSDT/BTCUSDT --data ")
        paste(line, tmp_path)
    known = [(one.place, one.rule.lookback, one.said) for one in read_added_rules(lake)]
    assert [place[:2] for place, _, _ in known] == [
        ("zscore", "BTCUSDT/ETHUSDT"),
        ("by hand", "BTCUSDT/ETHUSDT"),
        ("zscore", "SOLUSDT/BTCUSDT"),  # which watches all pairs
    ]
    assert [said for _, _, said in known] == [
        {"threshold": 2.75}, {"threshold": 2.75}, {"threshold": 3.0},
    ]  # fmt: skip


def test_elsewhere_the_program_is_called_otherwise(fixture: FixtureLake) -> None:
    called = "docker compose exec analytics-job spreadlake"
    with serving(fixture.lake, page=Page(fixture.lake, program=called)) as address:
        assert offered(address)[0].startswith(f"{called} alerts set BTCUSDT/ETHUSDT ")


def test_a_threshold_that_the_rule_has_already_needs_no_line(address: str) -> None:
    assert offered(address, threshold=2) == []
    assert len(offered(address, threshold=2.5)) == 1


def test_why_no_rule_can_watch_is_said(address: str) -> None:
    for other, said in (
        ({"window": 45}, "window 45, which is not computed; computed are"),
        ({"timeframe": "5m"}, "timeframe 5m, which is not computed"),
        ({"a": "ETHUSDT", "b": "BTCUSDT"}, "the other way round, as BTCUSDT/ETHUSDT"),
        ({"prices": "log"}, "which is on raw prices"),
    ):
        status, answer = ask(address, "/api/rule", **(SERIES | other))
        assert (status, answer["commands"]) == (200, [])
        assert said in answer["refused"]
        assert "by hand" not in answer["refused"]  # nobody has set a rule
    assert "threshold 'x' is not a number" in refusal(
        address, "/api/rule", {**SERIES, "threshold": "x"}
    )
    injected = {**SERIES, "a": "A;rm -rf ~"}
    assert "is not a symbol" in refusal(address, "/api/rule", injected)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [700, 1600])
def test_the_threshold_says_that_it_only_draws_and_what_to_paste(
    address: str, browser: Browser, width: int, dark: bool, tmp_path: Path
) -> None:
    query = KEPT.replace("threshold=2", "threshold=2.75") + "#rule"
    with visiting(browser, address, query, width, dark) as visit:
        page = visit.page
        expect_drawn(page)
        expect(page.locator("#rules")).to_contain_text("The threshold 2.75 above only draws")
        line = page.locator("#rule code")
        expect(line).to_contain_text("alerts set BTCUSDT/ETHUSDT --timeframe 1s --window 60")
        expect(line).to_be_in_viewport()
        page.locator("#rule button").click()
        expect(page.locator("#rule button")).to_have_text("Copied")
        assert page.evaluate("() => document.documentElement.scrollWidth") == width
        page.screenshot(
            path=Path(os.environ.get("PICTURES", tmp_path)) / f"rule-{width}-{dark}.png"
        )
        page.locator("[name=threshold]").fill("2")
        page.keyboard.press("Enter")
        expect(line).to_have_count(0)
        page.locator("[name=window]").fill("45")
        page.keyboard.press("Enter")
        expect(page.locator("#rule")).to_contain_text("window 45, which is not computed")
        assert visit.complaints == []


def test_the_page_leads_to_the_dashboards_with_what_is_chosen(fixture: FixtureLake) -> None:
    asked = SERIES | {"prices": "log", "range": "1h"}
    span = {"from": 1_795_000_000, "to": 1_795_000_600}
    with serving(fixture.lake, page=Page(fixture.lake, grafana="http://127.0.0.1:3000")) as address:
        links = dict(ask(address, "/api/rule", **asked)[1]["dashboards"])
        then = dict(ask(address, "/api/rule", **(SERIES | span))[1]["dashboards"])
    pair, screen, backtests = links.values()
    assert pair == (
        "http://127.0.0.1:3000/d/spreadlake-pair?var-symbol_a=BTCUSDT&var-symbol_b=ETHUSDT"
        "&var-timeframe=1s&var-window=60&var-lookback=300&var-threshold=2.75&var-prices=log"
        "&from=now-3600s&to=now"
    )
    assert screen.startswith("http://127.0.0.1:3000/d/spreadlake-screen?")
    assert backtests.endswith("/d/spreadlake-backtest?var-pair=BTCUSDT%2FETHUSDT")
    assert then["Pair"].endswith("&from=1795000000000&to=1795000600000")
    # Dashboards and their variables are called so.
    for uid in (PAIR, SCREEN, BACKTEST):
        assert dashboard(uid)["uid"] == uid
    names = {one["name"] for one in dashboard(PAIR)["templating"]["list"]}
    assert set(re.findall(r"var-(\w+)=", pair)) <= names


def test_without_a_known_grafana_there_is_no_link(address: str) -> None:
    assert ask(address, "/api/rule", **SERIES)[1]["dashboards"] == []
