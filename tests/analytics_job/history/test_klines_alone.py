"""Klines without any trade are a lake: bars, rows, alerts; trades of any time may come to them."""

from contextlib import closing
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from analytics_job.history import klines as kline_history
from analytics_job.job import AnalyticsJob
from spreadlake.lake import open_reader
from spreadlake.lake.analytics.rows import read_bars
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT"]
MINUTES = 90
YEARS_LATER = EPOCH + 700 * 86_400
CONFIG = harness.settings(
    symbols=SYMBOLS,
    timeframes=["1s", "1m", "5m"],
    windows=[6],
    lookbacks=[20],
    max_stale_bars=8,
    job={"tests_interval": 600},
    storage={"analytics_hours": {"1m": 1e5, "5m": 1e5}},
    alerts=[
        {"name": "z", "window": 6, "threshold": 0.8, "timeframe": "1m"},
        *(
            {"name": f"gated {name}", "window": 6, "timeframe": name, "max_adf_pvalue": 0.9}
            for name in ("1s", "1m", "5m")
        ),
    ],
)
LIVE = walk(SYMBOLS, MINUTES * 60, seed=3, per_second=0.2, start=EPOCH)
LATER = walk(SYMBOLS, 500, seed=4, per_second=0.5, start=YEARS_LATER + 17)


def _klines(symbol: str, first: int, count: int) -> list[tuple[Any, ...]]:
    number = SYMBOLS.index(symbol) + 1
    rows = []
    for time in range(EPOCH + first * 60, EPOCH + (first + count) * 60, 60):
        price = 100.0 * number + (time // 60 * 7919 * number % 101) / 50
        rows.append(
            (symbol, "1m", time, price, price + 1, price - 1, price + 0.5, 10.0, 1000.0, 4.0, 7)
        )
    return rows


A, B = (_klines(symbol, 0, MINUTES) for symbol in SYMBOLS)


def _give(lake: harness.TestLake, event: list[Any]) -> None:
    if isinstance(event[0], Trade):
        lake.store(event)
    else:
        lake.store_klines(event)


def _tables(lake: harness.TestLake) -> dict[str, Any]:
    return lake.tables() | {"pair_tests": lake.table("pair_tests"), "breaks": lake.table("breaks")}


def _run(root: Path, events: list[Any]) -> dict[str, Any]:
    lake = harness.TestLake(root)
    job = AnalyticsJob(lake.lake, CONFIG)
    for event in events:
        _give(lake, event)
        job.step()
        job.finish_tests()
    job.close()
    tables = _tables(lake)
    lake.close()
    return tables


def _progress(lake: harness.TestLake) -> dict[str, int]:
    return {row["key"]: row["value"] for row in lake.table("progress")}


def test_they_are_bars_from_a_minute_up_and_the_clock(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store_klines(A + B)
    job.step()
    bars = lake.table("bars")
    minutes = [tuple(b.values()) for b in bars if b["timeframe"] == "1m"]
    assert sorted(minutes) == sorted(A + B)
    fives = [b for b in bars if b["timeframe"] == "5m" and b["symbol"] == "BUSDT"]
    assert [b["time"] for b in fives] == list(range(EPOCH, EPOCH + MINUTES * 60, 300))
    assert {b["trades"] for b in fives} == {35}
    assert {b["timeframe"] for b in bars} == {"1m", "5m"}
    end = EPOCH + MINUTES * 60
    known = _progress(lake)
    assert (known["final_time"], known["watermark_ms"]) == (end, end * 1000)
    states = {(s["timeframe"], s["state"]) for s in lake.table("pair_status")}
    assert states == {("1s", "warming"), ("1m", "ready"), ("5m", "ready")}
    (have,) = {s["bars_have"] for s in lake.table("pair_status") if s["timeframe"] == "1m"}
    assert have == MINUTES
    assert any(e["rule"] == "z" for e in lake.table("alert_events"))
    job.close()
    lake.close()


def test_rows_are_what_live_minutes_gave(tmp_path: Path) -> None:
    later = Trade("AUSDT", 10**6, LIVE[-1].time_ms + 70_000, 1.0, 1.0, False)
    live = _run(tmp_path / "live", [LIVE, [later]])
    end = EPOCH + MINUTES * 60

    def rows(tables: dict[str, Any], name: str) -> list[Any]:
        return [r for r in tables[name] if r["timeframe"] == "1m" and r["time"] < end]

    alone = _run(tmp_path / "alone", [[tuple(b.values()) for b in rows(live, "bars")]])
    assert rows(alone, "bars") == rows(live, "bars")
    assert len(rows(alone, "pair_analytics")) > MINUTES - 10
    assert rows(alone, "pair_analytics") == rows(live, "pair_analytics")


MIDDLE = [t for t in LIVE if 40 * 60 <= t.time_ms // 1000 - EPOCH < 47 * 60 + 13]
EVENTS: list[list[Any]] = [A, B[:50], LATER, MIDDLE, B[50:]]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _run(tmp_path_factory.mktemp("alone"), EVENTS)


def test_trades_of_the_same_time_win_and_live_ones_begin_after_a_break(
    expected: dict[str, Any],
) -> None:
    minutes = {(b["symbol"], b["time"]): b for b in expected["bars"] if b["timeframe"] == "1m"}
    for kline in A:
        bar = minutes["AUSDT", kline[2]]
        if EPOCH + 40 * 60 <= kline[2] < EPOCH + 48 * 60:
            own = [
                t for t in MIDDLE if t.symbol == "AUSDT" and t.time_ms // 60_000 * 60 == kline[2]
            ]
            assert bar["trades"] == len(own)
        else:
            assert tuple(bar.values()) == kline
    seconds = [b["time"] for b in expected["bars"] if b["timeframe"] == "1s"]
    assert min(seconds) == MIDDLE[0].time_ms // 1000
    ends = [row["end"] for row in expected["breaks"]]
    assert ends == [LATER[0].time_ms // 1000]
    rows = [r["time"] for r in expected["pair_analytics"] if r["timeframe"] == "1m"]
    late = [time for time in rows if time >= YEARS_LATER]
    assert min(late) >= (YEARS_LATER // 60 + 5) * 60


@pytest.mark.parametrize("order", list(permutations(range(5)))[::9], ids=str)
def test_any_order_gives_the_same_tables(
    tmp_path: Path, expected: dict[str, Any], order: tuple[int, ...]
) -> None:
    assert _run(tmp_path, [EVENTS[at] for at in order]) == expected


def test_a_restart_at_every_piece_gives_the_same_tables(
    tmp_path: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kline_history, "_PIECE", 17 * 60)
    lake = harness.TestLake(tmp_path)
    for event in EVENTS:
        _give(lake, event)
        for _ in range(200):
            job = AnalyticsJob(lake.lake, CONFIG)
            job.history_seconds = 0.0
            before = lake.db.execute("SELECT max(seq) FROM kline_changes").fetchone()[0]
            job.step()
            done = _progress(lake).get("klines_seq", 0) >= (before or 0) and not lake.table(
                "rows_due"
            )
            job.close()
            if done:
                break
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    job.finish_tests()
    job.close()
    assert _tables(lake) == expected
    lake.close()


def test_the_same_klines_again_change_nothing(tmp_path: Path, expected: dict[str, Any]) -> None:
    assert _run(tmp_path, [*EVENTS, A, B]) == expected


def test_a_bar_that_is_not_over_is_none_until_it_is(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store_klines(_klines("AUSDT", 0, 13) + _klines("BUSDT", 0, 13))
    job.step()

    def last_five() -> int:
        return max(int(b["time"]) for b in lake.table("bars") if b["timeframe"] == "5m")

    assert last_five() == EPOCH + 300
    lake.store(LATER)  # the klines end there: what there is of the bar is all
    job.close()
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    fives = [b for b in lake.table("bars") if b["timeframe"] == "5m" and b["symbol"] == "AUSDT"]
    assert [b["time"] for b in fives if b["time"] < YEARS_LATER] == [
        EPOCH,
        EPOCH + 300,
        EPOCH + 600,
    ]
    assert fives[2]["trades"] == 3 * 7
    job.close()
    lake.close()


def test_klines_of_one_symbol_beside_trades_of_another(tmp_path: Path) -> None:
    """B never trades here; A's trades make the clock."""
    trades = [t for t in LIVE if t.symbol == "AUSDT"]
    first = _run(tmp_path / "1", [trades, B])
    assert first == _run(tmp_path / "2", [B, trades])
    rows = [r for r in first["pair_analytics"] if r["timeframe"] == "1m"]
    assert rows[0]["time"] == EPOCH + 5 * 60
    assert len({r["time"] for r in rows}) == MINUTES - 5


def test_a_hole_between_two_imports_is_carried_or_left(tmp_path: Path) -> None:
    short = [*A[:20], *A[30:]]
    long = [*A[:20], *A[50:]]
    for name, klines, there in (("short", short, MINUTES), ("long", long, MINUTES - 30)):
        pieces = _run(tmp_path / name, [klines[:20], klines[20:], B])
        minutes = [b for b in pieces["bars"] if (b["symbol"], b["timeframe"]) == ("AUSDT", "1m")]
        assert len(minutes) == there
        assert pieces == _run(tmp_path / f"{name} again", [B, klines[20:], klines[:20]])


def test_a_rebuild_gives_the_same_tables(tmp_path: Path, expected: dict[str, Any]) -> None:
    for start in (None, EPOCH + 600, YEARS_LATER + 100):
        lake = harness.TestLake(tmp_path / str(start))
        job = AnalyticsJob(lake.lake, CONFIG)
        for event in EVENTS:
            _give(lake, event)
        job.step()
        job.rebuild(start)
        job.step()
        job.finish_tests()
        job.close()
        assert _tables(lake) == expected
        lake.close()


def _all_bars(lake: harness.TestLake, timeframe: str) -> list[Any]:
    with closing(open_reader(lake.lake.analytics_db)) as db:
        return read_bars(db, lake.lake, SYMBOLS, timeframe, 0, 2**33).rows()


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (2, 0, 1, 4, 3), (2, 3, 4, 1, 0)], ids=str)
def test_old_bars_go_to_their_files_at_once(
    tmp_path: Path, expected: dict[str, Any], order: tuple[int, ...]
) -> None:
    """Whatever is in SQLite already, and whatever comes to the same day later."""
    lake = harness.TestLake(tmp_path)
    keep = CONFIG.storage.model_copy(update={"analytics_hours": {"1m": 48.0, "5m": 48.0}})
    job = AnalyticsJob(lake.lake, CONFIG.model_copy(update={"storage": keep}))
    for at in order:
        _give(lake, EVENTS[at])
        job.step()
        job.finish_tests()
    if order[:2] == (2, 0):  # the day was old from the beginning
        hot = [b for b in lake.table("bars") if b["time"] < YEARS_LATER and b["timeframe"] == "1m"]
        assert len(hot) < 2 * MINUTES
        assert list((tmp_path / "bars" / "timeframe=1m").rglob("*.parquet"))
    while job.roll_piece():
        pass
    hot = [b for b in lake.table("bars") if b["time"] < YEARS_LATER and b["timeframe"] == "1m"]
    assert hot == []
    for timeframe in ("1m", "5m"):
        bars = [b for b in expected["bars"] if b["timeframe"] == timeframe]
        want = [tuple(v for k, v in b.items() if k != "timeframe") for b in bars]
        assert _all_bars(lake, timeframe) == want
    states = [s for s in lake.table("pair_status") if s["timeframe"] == "1m"]
    assert states == [s for s in expected["pair_status"] if s["timeframe"] == "1m"]
    job.close()
    lake.close()


def test_a_rebuild_of_klines_alone(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store_klines(A + B)
    job.step()
    job.finish_tests()
    before = _tables(lake)
    job.rebuild(None)
    job.step()
    job.finish_tests()
    job.close()
    assert _tables(lake) == before
    lake.close()
