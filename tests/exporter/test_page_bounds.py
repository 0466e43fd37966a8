"""The page where much is asked of it, where the lake fails, and where the newest bar has no row."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from wsgiref.util import setup_testing_defaults

import polars as pl
import pytest

from exporter.page.app import Page
from exporter.server import MetricsServer
from spreadlake.lake import Lake, open_analytics_writer
from spreadlake.research.frames.pairs import PairRequest, pair_pieces
from spreadlake.times import iso_utc
from tests.exporter.page_lake import add_second
from tests.exporter.serving import get, serving
from tests.grafana.lake_fixture import FixtureLake, build_lake
from tests.patience import PATIENCE

END = 1_795_000_000
KEPT = {"a": "BTCUSDT", "b": "ETHUSDT", "window": 60, "lookback": 300}
UNKEPT = {"a": "SOLUSDT", "b": "BTCUSDT", "window": 45, "lookback": 200}


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> FixtureLake:
    return build_lake(tmp_path_factory.mktemp("page"), END, 1000)


@pytest.fixture(scope="module")
def address(fixture: FixtureLake) -> Iterator[str]:
    with serving(fixture.lake) as address:
        yield address


def ask(address: str, **query: object) -> tuple[int, Any]:
    status, _, body = get(f"{address}/api/pair?{urlencode(query)}")
    return status, json.loads(body)


def test_who_comes_beside_many_others_finds_a_place() -> None:
    with MetricsServer("127.0.0.1", 0, lambda _, __: []) as server, ExitStack() as visitors:
        for _ in range(60):  # and nobody is answered yet
            one = socket.create_connection(("127.0.0.1", server.server_port), timeout=10)
            visitors.enter_context(one)


def test_there_are_not_more_points_than_can_be_drawn_whatever_step_is_asked_for(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(address, **KEPT, range=900, points=100, step=1)[1]["step"] == 1
    monkeypatch.setattr("spreadlake.research.pair_view.MOST_STEPS", 300)
    answer = ask(address, **KEPT, range=900, points=100, step=1)[1]
    assert (answer["step"], len(answer["points"]["time"])) == (10, 91)
    news = ask(address, **KEPT, range=900, points=100, step=1, since=END - 20)[1]
    assert (news["step"], len(news["points"]["time"])) == (1, 21)


def test_what_would_be_computed_from_too_many_bars_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreadlake.research.pair_view.MOST_BARS_READ", 800)
    status, answer = ask(address, **UNKEPT, timeframe="59s", range=16)
    assert status == 400
    assert "computed from 1,003 bars of 1s, and at most 800 are read" in answer["error"]
    assert ask(address, **UNKEPT, range=300)[0] == 200
    assert ask(address, **KEPT, range=900)[0] == 200  # kept: nothing is computed


def test_a_timeframe_longer_than_the_lake_is_answered(address: str) -> None:
    for timeframe in ("999999999h", "999999999m", "40000h"):
        status, answer = ask(address, **UNKEPT, timeframe=timeframe)
        assert (status, answer["bars"], answer["latest"]) == (200, 0, None)


@pytest.mark.parametrize("error", [OSError("the disk is gone"), MemoryError()], ids=repr)
def test_half_of_a_file_does_not_pass_for_the_whole(
    address: str, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(lake: Lake, request: PairRequest) -> Iterator[pl.DataFrame]:
        yield next(pair_pieces(lake, request))
        raise error

    monkeypatch.setattr("spreadlake.research.frames.pairs.pair_pieces", failing)
    monkeypatch.setattr("exporter.page.download._CHUNK", 100)
    status, _, body = get(f"{address}/pair.csv?{urlencode(KEPT)}")
    assert status == 200
    *rows, last = body.decode().splitlines()
    assert len(rows) == 900  # and the header
    assert last == "# not complete: an error of the exporter; its log has it"


def test_an_export_beside_others_waits_for_its_turn(fixture: FixtureLake) -> None:
    page = Page(fixture.lake)

    def export() -> tuple[str, Any]:
        environ: dict[str, Any] = {"PATH_INFO": "/pair.csv", "QUERY_STRING": urlencode(KEPT)}
        setup_testing_defaults(environ)
        told: list[str] = []
        body: Any = page(environ, lambda status, _: told.append(status))
        return told[0], body

    open_ones = [export(), export()]
    with ThreadPoolExecutor(1) as pool:
        third = pool.submit(export)
        open_ones[0][1].close()
        open_ones.append(third.result(PATIENCE))
    assert [status for status, _ in open_ones] == ["200 OK"] * 3


def test_a_row_of_before_does_not_pass_for_the_newest(tmp_path: Path) -> None:
    fixture = build_lake(tmp_path, END, 400)
    with serving(fixture.lake) as address:
        newest = ask(address, **KEPT)[1]
        assert newest["latest"]["time"] == END
        add_second(fixture, "BTCUSDT", "ETHUSDT")
        news = ask(address, **KEPT, step=1, since=END, newest=newest["newest"])[1]
        assert (news["end"], news["points"]["time"], news["latest"]) == (END + 2, [END], None)
        past = ask(address, **KEPT, **{"from": END - 60, "to": END - 30})[1]
        assert past["latest"]["time"] == END - 31


@pytest.mark.parametrize(("leg", "stopped"), [("SOLUSDT", True), ("BTCUSDT", False)])
def test_what_is_computed_says_that_a_leg_has_ended(
    tmp_path: Path, leg: str, stopped: bool
) -> None:
    fixture = build_lake(tmp_path, END, 400)
    with serving(fixture.lake) as address:
        assert ask(address, **UNKEPT)[1]["state"]["state"] == "ready"
        (other,) = {"SOLUSDT", "BTCUSDT"} - {leg}
        for _ in range(60):
            add_second(fixture, other)
        if stopped:
            with closing(open_analytics_writer(fixture.lake)) as db:
                db.execute("INSERT INTO stops VALUES (?, ?)", [leg, END + 1])
        answer = ask(address, **UNKEPT)[1]
    assert answer["latest"] is None
    since = iso_utc(END + 1)
    told = f"ended: no bars of {leg} since {since}" if stopped else "no row of the newest bar"
    assert answer["state"]["message"].startswith(told)
