"""What the page is answered: the lake's own numbers, bounded, checked, and never in the way."""

import hashlib
import json
import re
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from exporter.page.app import Page
from exporter.page.files import page_files
from exporter.page.slots import Slots
from spreadlake.lake import Lake, open_analytics_writer
from spreadlake.lake.analytics.definition import SeriesDefinition
from spreadlake.research import computed_rows
from spreadlake.series import SeriesKey
from spreadlake.times import iso_utc
from tests.exporter.page_lake import PAIR, add_bar
from tests.exporter.serving import get, scrape, serving
from tests.fixture_lake import make_ticks
from tests.grafana.lake_fixture import LATE_BARS, LATE_SYMBOL, FixtureLake, build_lake
from tests.paths import ROOT
from tests.patience import PATIENCE
from tests.running import invoke, until

END = 1_795_000_000
KEPT: dict[str, Any] = {
    "a": "BTCUSDT",
    "b": "ETHUSDT",
    "timeframe": "1s",
    "window": 60,
    "lookback": 300,
}
UNKEPT: dict[str, Any] = {
    "a": "SOLUSDT",
    "b": "BTCUSDT",
    "timeframe": "1s",
    "window": 45,
    "lookback": 200,
}
COLUMNS = ("price_a", "price_b", "spread", "spread_mean", "spread_std", "zscore", "correlation")


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    return build_lake(tmp_path_factory.mktemp("page"), END, 1000)


@pytest.fixture(scope="module")
def address(fixture: FixtureLake) -> Iterator[str]:
    with serving(fixture.lake) as address:
        yield address


def ask(address: str, path: str, **query: object) -> tuple[int, Any]:
    status, headers, body = get(f"{address}{path}?{urlencode(query)}")
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


def view(address: str, **query: object) -> dict[str, Any]:
    status, answer = ask(address, "/api/pair", **query)
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


def refusal(address: str, path: str, query: dict[str, Any]) -> str:
    status, answer = ask(address, path, **query)
    assert status == 400
    return str(answer["error"])


def test_what_is_too_long_to_repeat_is_cut(address: str) -> None:
    for name in (*KEPT, "threshold", "range", "from", "prices"):
        told = refusal(address, "/api/pair", KEPT | {name: "x" * 5000})
        assert f"{'x' * 40}…'" in told.replace("X", "x"), told
        assert len(told) < 300, told
    assert len(refusal(address, "/api/pair", KEPT | {"x" * 5000: "1"})) < 300
    assert refusal(address, "/api/lake", {"a": "1"}).endswith("; none is taken here")


@pytest.mark.parametrize("path", ["/", "/page/js/main.js", "/api/lake", "/api/pair", "/pair.csv"])
def test_no_answer_lets_anything_in_from_outside(address: str, path: str) -> None:
    _, headers, _ = get(f"{address}{path}", Origin="http://elsewhere.example")
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_the_page_has_all_of_its_files(address: str) -> None:
    files = page_files()
    for path, file in files.items():
        status, headers, body = get(f"{address}{path}")
        assert (status, body) == (200, file.content)
        assert get(f"{address}{path}", If_None_Match=headers["ETag"])[0] == 304
    text = {path: file.content.decode() for path, file in files.items()}
    named = re.findall(r'(?:href|src)="(page/[^"]+)"', text["/"])
    assert {f"/{name}" for name in named} < set(files)
    for path in (path for path in files if path.startswith("/page/js/")):
        for module in re.findall(r'from "\./([^"]+)"', text[path]):
            assert f"/page/js/{module}" in files
    ours = [path for path in files if "/uplot/" not in path]
    assert not [path for path in ours if re.search(r"https?://(?!www\.w3\.org)", text[path])]
    assert not re.search(r"<script(?![^>]*src)|<style| style=| on\w+=", text["/"])


def test_the_chart_library_is_the_one_that_its_version_says() -> None:
    files = page_files()
    told = files["/page/uplot/VERSION"].content.decode()
    sums = re.findall(r"^([0-9a-f]{64})  (\S+)$", told, re.MULTILINE)
    assert len(sums) == 2
    for digest, name in sums:
        assert hashlib.sha256(files[f"/page/uplot/{name}"].content).hexdigest() == digest
    assert b"MIT" in files["/page/uplot/LICENSE"].content


@pytest.mark.parametrize("asked", [KEPT, UNKEPT], ids=["kept", "computed"])
def test_a_point_a_bar_is_the_row_itself(
    fixture: FixtureLake, address: str, asked: dict[str, Any]
) -> None:
    answer = view(address, **asked, range="10m")
    assert (answer["kept"], answer["step"], answer["bars"]) == (asked is KEPT, 1, 600)
    key = SeriesKey(f"{asked['a']}/{asked['b']}", "1s", asked["window"], asked["lookback"])
    definition = SeriesDefinition(30, 1e-4, 1e-3)
    (rows,) = computed_rows(fixture.lake, key, definition, END - 599, END)
    assert answer["points"]["time"] == rows["time"].to_list()
    for name in COLUMNS:
        assert answer["points"][name] == pytest.approx(rows[name].to_list(), rel=1e-6, abs=1e-9)
        assert f"{name}_max" not in answer["points"]
    assert answer["latest"]["time"] == END


@pytest.mark.parametrize("asked", [KEPT, UNKEPT], ids=["kept", "computed"])
def test_with_few_points_no_excursion_is_lost(address: str, asked: dict[str, Any]) -> None:
    every = view(address, **asked, range="900", points=2000)["points"]
    answer = view(address, **asked, range="900", points=25, threshold=1.5)
    few = answer["points"]
    assert answer["step"] == 60
    assert len(few["time"]) <= 16
    z = [one for one in every["zscore"] if one is not None]
    assert (min(few["zscore_min"]), max(few["zscore_max"])) == (min(z), max(z))
    assert sum(few["beyond"]) == sum(abs(one) >= 1.5 for one in z)
    assert sum(few["counted"]) == len(z)


@pytest.mark.parametrize("asked", [KEPT, UNKEPT], ids=["kept", "computed"])
def test_the_export_has_the_bytes_of_the_command(
    fixture: FixtureLake, address: str, tmp_path: Path, asked: dict[str, Any]
) -> None:
    times = {"from": END - 299, "to": END + 1}
    status, headers, body = get(f"{address}/pair.csv?{urlencode({**asked, **times})}")
    assert (status, headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    name = f"{asked['a']}_{asked['b']}_1s_{asked['window']}_{asked['lookback']}.csv"
    assert f'filename="{name}"' in headers["Content-Disposition"]
    options: list[object] = ["--pair", f"{asked['a']}/{asked['b']}", "--timeframe", "1s"]
    options += ["--window", asked["window"], "--lookback", asked["lookback"], "-o", "-"]
    data = ["--data", fixture.lake.root, "--from", times["from"], "--to", END]
    assert body.decode() == invoke("csv", *options, *data, cwd=tmp_path).stdout
    assert len(body.splitlines()) == 301


WRONG = [
    ({"lookback": "abc"}, "lookback 'abc' is not a whole number of bars from 2 to 100,000"),
    ({"window": "1"}, "window '1' is not a whole number of bars from 2 to 100,000"),
    ({"window": "6e1"}, "window '6e1' is not a whole number"),
    ({"threshold": "abc"}, "threshold 'abc' is not a number above 0, such as 2"),
    ({"threshold": "0"}, "threshold '0' is not a number above 0"),
    ({"threshold": "nan"}, "threshold 'nan' is not a number above 0"),
    ({"threshold": "1_0"}, "threshold '1_0' is not a number above 0"),
    ({"timeframe": "1x"}, "timeframe '1x' is not a whole number of s, m or h"),
    ({"timeframe": "90s", "range": "1m"}, "range: 1m is no whole number of bars"),
    ({"timeframe": f"{'9' * 5_000}s"}, "is not a whole number of s, m or h"),
    ({"range": "9" * 5_000}, "9…' is no span of time"),
    ({"from": "0001-01-01T00:00+14:00"}, "is of no year from 1 to 9999"),
    ({"range": "a while"}, "range: 'a while' is no span of time"),
    ({"a": "NOSUCH"}, "the lake has no bars of NOSUCH; it has those of 1000PEPEUSDT, BTCUSDT"),
    ({"a": "btcusdt"}, "symbol 'btcusdt' must be in upper case: BTCUSDT"),
    ({"a": "ETHUSDT"}, "needs two different symbols"),
    ({"a": "X' OR 1=1 --"}, "is not a symbol"),
    ({"a": ""}, "leg A is missing"),
    ({"from": "yesterday"}, "time 'yesterday' is not understood"),
    ({"from": END, "to": END}, "is not after from"),
    ({"prices": "real"}, "prices 'real': they are raw or log"),
    ({"points": "1000000"}, "points '1000000' is not a whole number from 2 to 2,000"),
    ({"step": "90", "timeframe": "1m"}, "step=90 is no whole number of bars"),
    ({"windows": "60"}, "there is no parameter 'windows'; there are a, b, timeframe"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=[str(one)[:50] for one, _ in WRONG])
def test_a_wrong_input_is_answered_with_a_sentence(
    address: str, wrong: dict[str, object], sentence: str
) -> None:
    assert sentence in refusal(address, "/api/pair", KEPT | wrong)
    if not {"points", "step"} & set(wrong):
        told = refusal(address, "/pair.csv", KEPT | wrong)
        assert sentence.partition("; there are")[0] in told


def test_a_span_of_too_many_bars_is_refused_and_not_drawn_in_part(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreadlake.research.pair_view.MOST_BARS_DRAWN", 900)
    told = refusal(address, "/api/pair", KEPT | {"range": "1d"})
    assert told.startswith("that are 1,000 bars of 1s, and at most 900 are drawn at once")
    assert view(address, **KEPT, range="900")["bars"] == 900


def test_what_is_warming_up_says_how_far_it_is(address: str) -> None:
    late = {**KEPT, "a": LATE_SYMBOL}
    answer = view(address, **late)
    assert answer["state"] == {
        "state": "warming",
        "message": f"warming up: {LATE_BARS} of 60 bars",
    }
    points = answer["points"]
    assert points["time"] == list(range(END - LATE_BARS + 1, END + 1)), "its prices are drawn"
    assert None not in points["price_a"] + points["price_b"]
    assert set(points["zscore"]) == {None}
    assert (sum(points["counted"]), answer["latest"]) == (0, None)
    assert view(address, **KEPT)["state"]["message"] == "ready: hedge ratio over 300 bars"
    unkept = view(address, **UNKEPT)["state"]
    assert unkept == {"state": "ready", "message": "ready: hedge ratio over 200 bars"}


def test_a_time_without_bars_says_which_there_are(address: str) -> None:
    there = f"the lake has 1,000 bars of both, from {iso_utc(END - 999)} to {iso_utc(END)}"
    for asked in (KEPT, UNKEPT):
        for times in (
            {"from": END - 90_000, "to": END - 80_000},
            {"from": END + 500},
            {"to": END - 5_000},
        ):
            state = view(address, **asked, **times)["state"]
            assert state["state"] == "none"
            assert state["message"].startswith(f"no row in that time: {there}")
            assert there in refusal(address, "/pair.csv", asked | times)


def test_an_address_that_is_too_long_is_refused(address: str) -> None:
    status, _, body = get(f"{address}/api/pair?{'a=1&' * 50}")
    assert (status, json.loads(body)["error"]) == (400, "there are more than 40 parameters")
    assert "a is given twice" in refusal_of(f"{address}/api/pair?a=BTCUSDT&a=ETHUSDT")


def refusal_of(url: str) -> str:
    status, _, body = get(url)
    assert status == 400
    return str(json.loads(body)["error"])


def test_a_time_that_is_yet_to_come_has_no_bars(address: str) -> None:
    answer = view(address, **KEPT, **{"from": END + 500})
    assert (answer["start"], answer["end"], answer["bars"]) == (END + 1, END + 1, 0)
    assert answer["points"]["time"] == []


def test_a_lake_without_bars_says_so(tmp_path: Path) -> None:
    make_ticks(tmp_path)
    with serving(Lake(tmp_path)) as address:
        assert ask(address, "/api/lake")[1]["symbols"] == []
        assert ask(address, "/api/screen")[1] == []
        assert "has no bars yet" in refusal(address, "/api/pair", KEPT)


def test_the_lake_says_what_there_is_to_choose(address: str) -> None:
    status, lake = ask(address, "/api/lake")
    assert status == 200
    assert lake["symbols"] == sorted(["BTCUSDT", "ETHUSDT", "SOLUSDT", LATE_SYMBOL])
    assert lake["timeframes"] == ["1s", "1m"]
    assert lake["first"] == KEPT | {"threshold": 2.0}
    assert "there is no parameter" in refusal(address, "/api/lake", {"x": 1})


def test_alerts_and_rules_are_those_of_the_series_and_the_time(address: str) -> None:
    answer = view(address, **KEPT)
    assert answer["rules"] == [{"rule": "zscore", "threshold": 2.0}]
    assert [(one["opened_at"], one["closed_at"]) for one in answer["alerts"]] == [
        (END - 300, END - 281),
        (END - 900, END - 860),
    ]
    assert len(view(address, **KEPT, range="5m")["alerts"]) == 1
    assert view(address, **(KEPT | {"window": 30}))["alerts"] == []
    assert view(address, **KEPT, prices="log")["rules"] == []
    (still_open,) = view(address, **(KEPT | {"a": "ETHUSDT", "b": "SOLUSDT"}))["alerts"]
    assert still_open["closed_at"] is None


def test_of_an_alert_that_is_open_the_end_comes_however_many_opened_since(tmp_path: Path) -> None:
    """Of the pair, in other series: a poll looks at a few of the newest."""
    lake = build_lake(tmp_path, END, 400).lake
    many = [(1_000 + n, f"other {n % 9}", END - 240 + n % 200) for n in range(400)]
    with serving(lake) as address, closing(open_analytics_writer(lake)) as db:
        db.executemany(
            "INSERT INTO alert_events VALUES (?, ?, 'ETHUSDT/SOLUSDT', '1m', 60, 300, 2, ?, 2, 2, "
            "NULL, NULL)",
            many,
        )
        db.execute("UPDATE alert_events SET opened_at = ? WHERE id = 3", (END - 250,))
        legs = {"a": "ETHUSDT", "b": "SOLUSDT"}
        (shown,) = view(address, **KEPT | legs)["alerts"]
        assert shown["closed_at"] is None
        db.execute("UPDATE alert_events SET closed_at = ?, closed_zscore = 1 WHERE id = 3", (END,))
        (ended,) = view(address, **KEPT | legs, since=END)["alerts"]
    assert (ended["id"], ended["closed_at"]) == (3, END)


def test_the_newest_screen_is_ranked(address: str) -> None:
    (screen,) = ask(address, "/api/screen")[1]
    assert (screen["timeframe"], screen["lookback"], screen["window"]) == ("1m", 240, 60)
    assert [one["rank"] for one in screen["ranking"]] == [1, 2, 3, 4, 5, 6]
    assert screen["close"] == screen["time"] + 60


def test_a_poll_brings_what_is_new_and_no_more(tmp_path: Path) -> None:
    fixture = build_lake(tmp_path, END, 400)
    with serving(fixture.lake) as address:
        first = view(address, **KEPT, range="5m", points=100)
        more = {"step": first["step"], "since": first["points"]["time"][-1]}
        again = view(address, **KEPT, range="5m", **more, newest=first["newest"])
        assert (again["points"]["time"], again["state"], again["latest"]) == ([], None, None)
        time = add_bar(fixture, zscore=3.25)
        news = view(address, **KEPT, range="5m", **more, newest=first["newest"])
    assert news["points"]["time"] == [more["since"], time // 3 * 3][: len(news["points"]["time"])]
    assert news["latest"]["time"] == time
    assert news["points"]["zscore"][-1] == 3.25
    assert (news["newest"], news["start"]) == (time + 1, first["start"] + 1)


def test_a_change_of_the_past_is_told(tmp_path: Path) -> None:
    fixture = build_lake(tmp_path, END, 100)
    due = "'1s', 'BTCUSDT/ETHUSDT', 60, 300, 5, 9"
    changes = [
        f"INSERT INTO rows_due VALUES ({due})",
        "DELETE FROM rows_due",
        "INSERT INTO hours_due VALUES (3600000, 'ETHUSDT', 3600000)",
        "INSERT INTO counters VALUES ('late_trades', '', 4)",
        "UPDATE first_bars SET time = time - 60 WHERE timeframe = '1s'",
    ]
    with serving(fixture.lake) as address:
        told = [view(address, **KEPT)["past"]]
        for change in changes:
            with closing(open_analytics_writer(fixture.lake)) as db:
                db.execute(change)
            told.append(view(address, **KEPT)["past"])
        assert view(address, **KEPT)["past"] == told[-1]
    assert all(was != now for was, now in pairwise(told))


OLD_TABLES = ("bars", "first_bars", "pair_analytics", "pair_status", "alert_events", "alert_rules")


def test_a_lake_of_the_first_version_is_drawn_as_it_is(
    fixture: FixtureLake, tmp_path: Path
) -> None:
    old = Lake(tmp_path)
    with closing(sqlite3.connect(old.analytics_db)) as db:
        db.executescript((ROOT / "tests/lake/versions/analytics_1.sql").read_text("utf-8"))
        db.execute("PRAGMA user_version = 1")
        db.execute("ATTACH ? AS new", [str(fixture.lake.analytics_db)])
        for table in (*OLD_TABLES, "progress"):
            columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"INSERT INTO main.{table} SELECT {columns} FROM new.{table}")
        db.commit()
    with serving(fixture.lake) as today, serving(old) as address:
        for asked in (KEPT, UNKEPT):
            new, was = view(today, **asked), view(address, **asked)
            assert was["points"] == new["points"]
            assert was["alerts"] == new["alerts"]
        assert ask(address, "/api/screen") == (200, [])


def test_it_is_only_read(address: str) -> None:
    request = urllib.request.Request(f"{address}/api/lake", data=b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=PATIENCE)
    assert (refused.value.code, refused.value.headers["Allow"]) == (405, "GET, HEAD")
    refused.value.close()
    # Twice: an export that is not read gives back its slot.
    for _ in range(2):
        request = urllib.request.Request(f"{address}/pair.csv?{urlencode(KEPT)}", method="HEAD")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert (answer.status, answer.read()) == (200, b"")


def test_a_scrape_never_waits_for_what_the_page_asks(fixture: FixtureLake) -> None:
    slots = Slots(1, waiting=3, seconds=PATIENCE)
    slots.take()  # a question that takes for ever
    with (
        serving(fixture.lake, page=Page(fixture.lake, slots)) as address,
        ThreadPoolExecutor(3) as pool,
    ):
        waiting = [pool.submit(get, f"{address}/api/lake") for _ in range(3)]
        until(lambda: slots.waiting == 3, "all three to wait")
        status, headers, body = get(f"{address}/api/pair?{urlencode(KEPT)}")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert b"ask again in a moment" in body
        assert f"BTCUSDT/{PAIR.split('/')[1]}" in str(scrape(address)["spreadlake_pair_zscore"])
        assert not any(one.done() for one in waiting)
        slots.give_back()
        assert [one.result()[0] for one in waiting] == [200, 200, 200]
