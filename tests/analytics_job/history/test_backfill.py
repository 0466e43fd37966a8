"""Imported hours and rebuilds: computed once, in order of time, after what is new."""

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics_job.history.backfill import BARS, ROWS, History
from analytics_job.job import AnalyticsJob
from analytics_job.pairs import analyser
from analytics_job.ticks.tail import TickTail
from spreadlake.lake import HOUR_MS
from spreadlake.quant.pair_rows import PairRows
from spreadlake.status import snapshot
from spreadlake.status.services import service_in
from spreadlake.work import Work
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, EPOCH_MS, walk
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
YEAR = 365 * 24 * 3600
OLD = walk(SYMBOLS, 4 * 3600, seed=3, per_second=0.02, start=EPOCH - YEAR)
NEW = [
    trade._replace(trade_id=trade.trade_id + 1_000_000)
    for trade in walk(SYMBOLS, 900, seed=4, per_second=0.3)
]
CONFIG = harness.settings(
    symbols=SYMBOLS,
    pairs="all",
    timeframes=["1s", "1m"],
    windows=[20],
    lookbacks=[60],
    job={"tests_interval": 100_000},
    alerts=[{"name": "z", "window": 20, "threshold": 1.0, "timeframe": "1m"}],
)
Seen = Counter[tuple[str, int, int]]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """How often each row was computed: by pair, length and bar."""
    seen: Seen = Counter()
    insert_rows = analyser.insert_rows

    def noted(db: sqlite3.Connection, timeframe: str, result: PairRows) -> pl.DataFrame:
        for pair, have in zip(result.pairs, result.have, strict=True):
            for row in (have >= result.window).nonzero()[0]:
                seen[pair.name, result.length, result.start + int(row)] += 1
        return insert_rows(db, timeframe, result)

    monkeypatch.setattr(analyser, "insert_rows", noted)
    return seen


def _import(lake: harness.TestLake, trades: list[Trade]) -> None:
    """One symbol after the other, each hour to its partition."""
    hours = sorted({trade.time_ms // HOUR_MS * HOUR_MS for trade in trades})
    for symbol in SYMBOLS:
        lake.store(trade for trade in trades if trade.symbol == symbol)
        for hour in hours:
            lake.roll(symbol, hour)


def _tables(lake: harness.TestLake) -> dict[str, Any]:
    return lake.tables() | {name: lake.table(name) for name in ("breaks", "joins")}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All trades in order of time, in one step."""
    lake = harness.run_job(tmp_path_factory.mktemp("all"), CONFIG, [OLD + NEW])
    tables = _tables(lake)
    lake.close()
    return tables


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[harness.TestLake]:
    lake = harness.TestLake(tmp_path / "lake")
    yield lake
    lake.close()


def test_history_is_computed_once(
    lake: harness.TestLake, computed: Seen, expected: dict[str, Any]
) -> None:
    _import(lake, OLD + NEW)
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    job.close()
    assert _tables(lake) == expected
    assert len(computed) == len(expected["pair_analytics"])
    assert set(computed.values()) == {1}
    assert lake.table("counters") == [
        c for c in lake.table("counters") if c["name"] != "late_trades"
    ]
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    job.close()
    assert set(computed.values()) == {1}


def test_a_rebuild_is_computed_once(
    lake: harness.TestLake, computed: Seen, expected: dict[str, Any]
) -> None:
    _import(lake, OLD)
    lake.store(NEW)
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    computed.clear()
    job.rebuild(None)
    job.step()
    job.close()
    assert _tables(lake) == expected
    assert len(computed) == len(expected["pair_analytics"])
    assert set(computed.values()) == {1}


def test_what_is_interrupted_goes_on_from_where_it_was(
    lake: harness.TestLake,
    computed: Seen,
    expected: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _import(lake, OLD + NEW)
    hop, hops = History._take_hours, Counter[str]()

    def some(self: History, most: int) -> None:
        hops["taken"] += 1
        if hops["taken"] == 3:
            raise KeyboardInterrupt
        hop(self, 1)

    monkeypatch.setattr(History, "_take_hours", some)
    job = AnalyticsJob(lake.lake, CONFIG)
    with pytest.raises(KeyboardInterrupt):
        job.rebuild(None)
    job.close()
    monkeypatch.setattr(History, "_take_hours", hop)
    assert 0 < len(computed) < len(expected["pair_analytics"])
    job = AnalyticsJob(lake.lake, CONFIG)
    job.rebuild(None)
    job.step()
    job.close()
    assert _tables(lake) == expected
    assert set(computed.values()) == {1}


def test_live_trades_come_before_history(lake: harness.TestLake, expected: dict[str, Any]) -> None:
    """Whether the import was there first or came into a live lake."""
    _import(lake, OLD[: len(OLD) // 2])
    job = AnalyticsJob(lake.lake, CONFIG)
    job.history_seconds = 0.0
    lake.store(NEW[:100])
    job.step()
    assert lake.table("hours_due")
    assert max(row["time"] for row in lake.table("bars")) == NEW[99].time_ms // 1000 - 1
    _import(lake, OLD[len(OLD) // 2 :])
    lake.store(NEW[100:])
    job.step()
    live = [row for row in lake.table("pair_analytics") if row["time"] >= EPOCH]
    assert live == [row for row in expected["pair_analytics"] if row["time"] >= EPOCH]
    assert lake.table("hours_due")
    steps = 0
    while lake.table("hours_due") or lake.table("rows_due"):
        job.step()
        steps += 1
    job.close()
    assert steps > 3
    assert _tables(lake) == expected


def test_a_break_has_no_bars_and_windows_begin_anew(expected: dict[str, Any]) -> None:
    (off,) = expected["breaks"]
    assert off == {"start": OLD[-1].time_ms // 1000 + 1, "end": NEW[0].time_ms // 1000}
    for row in expected["bars"]:
        assert row["time"] < off["start"] or row["time"] >= off["end"] // 60 * 60
    late = [
        row["time"]
        for row in expected["pair_analytics"]
        if row["timeframe"] == "1m" and row["time"] >= EPOCH
    ]
    assert late == []  # 15 minutes are fewer than a window
    states = {(line["timeframe"], line["state"]) for line in expected["pair_status"]}
    assert states == {("1s", "ready"), ("1m", "warming")}
    (have,) = {line["bars_have"] for line in expected["pair_status"] if line["timeframe"] == "1m"}
    assert have == 14


def test_only_klines_that_are_new_are_read(
    lake: harness.TestLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, given = TickTail.klines, []

    def noted(self: TickTail, symbol: str, first: int, last: int) -> Any:
        given.append(symbol)
        return read(self, symbol, first, last)

    def klines(symbol: str, first: int) -> None:
        lake.store_klines([(symbol, "1m", first, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1)])

    monkeypatch.setattr(TickTail, "klines", noted)
    for symbol in SYMBOLS:
        klines(symbol, EPOCH - 600)
    lake.store(NEW[:60])
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    assert sorted(given) == SYMBOLS
    klines("BUSDT", EPOCH - 660)
    job.step()
    assert given[3:] == ["BUSDT"]
    job.close()
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    job.close()
    assert given[3:] == ["BUSDT"]
    minutes = [
        b["time"] for b in lake.table("bars") if b["symbol"] == "BUSDT" and b["time"] < EPOCH
    ]
    assert minutes == list(range(EPOCH - 660, EPOCH, 60))


def test_the_epoch_is_a_whole_hour() -> None:
    assert EPOCH_MS % HOUR_MS == 0


def test_status_says_how_much_is_left_while_it_catches_up(
    lake: harness.TestLake, expected: dict[str, Any]
) -> None:
    lake.store(NEW)
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    _import(lake, OLD)
    told: list[Work] = []
    job.heartbeat.work.tell = told.append
    job.history_seconds = 0.0
    said = []
    for _ in range(100):
        job.step()
        job.heartbeat.due = 0.0
        job._report()
        with snapshot(lake.lake.analytics_db) as db:
            assert db is not None
            said.append(service_in(db, "analytics-job", time.time()).message)
        if not (lake.table("hours_due") or lake.table("rows_due")):
            break
    job.step()
    job.heartbeat.due = 0.0
    job._report()
    assert harness.job_status(lake)["work"] is None
    # As it is asked for once more right after the last rows.
    nothing = job._history._work(ROWS)
    assert (nothing.left, "from" in nothing.detail) == (0, False)
    job.close()
    assert any("still to do: " in message and " to go (" in message for message in said)
    assert {work.stage for work in told} >= {BARS, ROWS}
    rows = [work.left or 0.0 for work in told if work.stage == ROWS]
    assert 0 < max(rows) <= len(expected["pair_analytics"]) * 1.5
    assert _tables(lake) == expected
