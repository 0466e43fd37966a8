"""Klines fetched at the start are the bars before the first own trade, whatever came first."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT"]
FIRST_TRADE = EPOCH + 40 * 60 + 25  # within a minute
TRADES = walk(SYMBOLS, 400, seed=12, per_second=0.5, start=FIRST_TRADE)
KLINES = range(EPOCH, FIRST_TRADE + 300, 60)  # they reach into the time of own trades
CONFIG = harness.settings(
    symbols=SYMBOLS,
    timeframes=["1s", "1m", "5m", "90s"],
    windows=[6],
    lookbacks=[30],
    max_stale_bars=8,
    job={"tests_interval": 120},
    alerts=[
        {"name": "z", "window": 6, "threshold": 0.8, "timeframe": "1m"},
        # What gates is tested everywhere: elsewhere it depends on when history was computed.
        *(
            {"name": f"gated {name}", "window": 6, "timeframe": name, "max_adf_pvalue": 0.9}
            for name in ("1s", "1m", "5m", "90s")
        ),
    ],
)


def _klines(symbol: str, times: range | list[int] = KLINES) -> list[tuple[Any, ...]]:
    number = SYMBOLS.index(symbol) + 1
    rows = []
    for time in times:
        price = 100.0 * number + (time // 60 * 7919 * number % 101) / 50
        rows.append(
            (symbol, "1m", time, price, price + 1, price - 1, price + 0.5, 10.0, 1000.0, 4.0, 7)
        )
    return rows


def _run(root: Path, events: list[Any]) -> dict[str, Any]:
    """A step after each event: trades, or the klines of a symbol; then the tables."""
    lake = harness.TestLake(root)
    job = AnalyticsJob(lake.lake, CONFIG)
    for event in events:
        if isinstance(event[0], Trade):
            lake.store(event)
        else:
            lake.store_klines(event)
        job.step()
        job.finish_tests()
    job.close()
    tables = lake.tables() | {"pair_tests": lake.table("pair_tests")}
    lake.close()
    return tables


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("klines")
    return _run(root, [_klines("AUSDT"), _klines("BUSDT"), TRADES])


def test_klines_are_the_bars_before_the_first_own_trade(expected: dict[str, Any]) -> None:
    first = FIRST_TRADE // 60 * 60
    minutes = [b for b in expected["bars"] if (b["symbol"], b["timeframe"]) == ("AUSDT", "1m")]
    assert [b["time"] for b in minutes] == list(range(EPOCH, minutes[-1]["time"] + 60, 60))
    for bar, kline in zip(minutes, _klines("AUSDT"), strict=False):
        if bar["time"] < first:
            assert tuple(bar.values()) == kline
        else:
            own = [
                t
                for t in TRADES
                if t.symbol == "AUSDT" and bar["time"] <= t.time_ms // 1000 < bar["time"] + 60
            ]
            assert bar["trades"] == len(own)
    seconds = [b for b in expected["bars"] if b["timeframe"] == "1s"]
    assert min(b["time"] for b in seconds) == min(t.time_ms for t in TRADES) // 1000


def test_longer_bars_are_made_of_klines(expected: dict[str, Any]) -> None:
    fives = [b for b in expected["bars"] if (b["symbol"], b["timeframe"]) == ("BUSDT", "5m")]
    klines = {row[2]: row for row in _klines("BUSDT")}
    for bar in fives:
        if bar["time"] + 300 > FIRST_TRADE // 300 * 300:
            continue
        own = [klines[bar["time"] + 60 * k] for k in range(5)]
        assert bar["open"], bar["close"] == (own[0][3], own[-1][6])
        assert bar["high"] == max(k[4] for k in own)
        assert bar["trades"] == 35
    # 90 s is no whole number of minutes: only own trades.
    nineties = [b["time"] for b in expected["bars"] if b["timeframe"] == "90s"]
    assert min(nineties) == FIRST_TRADE // 90 * 90


def test_analytics_reach_back_over_klines(expected: dict[str, Any]) -> None:
    rows = [r for r in expected["pair_analytics"] if r["timeframe"] == "1m"]
    assert rows[0]["time"] == EPOCH + 5 * 60
    assert all(row["zscore"] is not None for row in rows)
    assert any(event["opened_at"] < FIRST_TRADE for event in expected["alert_events"])
    tested = [t["time"] for t in expected["pair_tests"] if t["timeframe"] == "1m"]
    assert min(tested) < FIRST_TRADE
    assert len(set(tested)) == len(tested)


ORDERS = list(permutations(range(4)))


@pytest.mark.parametrize("order", ORDERS[::3], ids=str)
def test_any_order_of_arrival_gives_the_same_tables(
    tmp_path: Path, expected: dict[str, Any], order: tuple[int, ...]
) -> None:
    events = [_klines("AUSDT"), _klines("BUSDT"), TRADES[:150], TRADES[150:]]
    assert _run(tmp_path, [events[at] for at in order]) == expected


def test_klines_that_come_in_pieces_and_again_give_the_same_tables(
    tmp_path: Path, expected: dict[str, Any]
) -> None:
    a, b = _klines("AUSDT"), _klines("BUSDT")
    pieces = [a[20:], TRADES[:100], b[30:], a[:20], TRADES[100:], b[:30], a, b]
    assert _run(tmp_path, pieces) == expected


def test_a_late_trade_before_the_first_takes_the_place_of_klines(tmp_path: Path) -> None:
    late = [Trade("AUSDT", 90_000, (EPOCH + 1_000) * 1000, 100.25, 1.0, False)]
    first = _run(tmp_path / "a", [_klines("AUSDT"), _klines("BUSDT"), TRADES, late])
    second = _run(tmp_path / "b", [late + TRADES, _klines("AUSDT"), _klines("BUSDT")])
    assert first == second
    seconds = [b for b in first["bars"] if (b["symbol"], b["timeframe"]) == ("AUSDT", "1s")]
    assert seconds[0]["time"] == EPOCH + 1_000


def test_a_hole_in_the_klines_is_carried(tmp_path: Path) -> None:
    holed = [row for row in _klines("AUSDT") if not EPOCH + 300 <= row[2] < EPOCH + 900]
    tables = _run(tmp_path, [holed, _klines("BUSDT"), TRADES])
    minutes = [b for b in tables["bars"] if (b["symbol"], b["timeframe"]) == ("AUSDT", "1m")]
    assert [b["time"] for b in minutes][:20] == list(range(EPOCH, EPOCH + 1200, 60))
    assert {b["trades"] for b in minutes[5:15]} == {0}
    assert {b["close"] for b in minutes[5:15]} == {minutes[4]["close"]}
    stale = [r for r in tables["pair_analytics"] if r["timeframe"] == "1m" and r["zscore"] is None]
    assert [r["time"] for r in stale] == [EPOCH + 13 * 60, EPOCH + 14 * 60]


def test_only_one_symbol_has_klines(tmp_path: Path) -> None:
    tables = _run(tmp_path, [TRADES[:200], _klines("BUSDT"), TRADES[200:]])
    rows = [r for r in tables["pair_analytics"] if r["timeframe"] == "1m"]
    assert min(r["time"] for r in rows) == FIRST_TRADE // 60 * 60 + 5 * 60


def test_a_rebuild_keeps_the_klines(tmp_path: Path, expected: dict[str, Any]) -> None:
    for start in (None, EPOCH + 1800, FIRST_TRADE + 100):
        lake = harness.TestLake(tmp_path / str(start))
        job = AnalyticsJob(lake.lake, CONFIG)
        lake.store_klines(_klines("AUSDT") + _klines("BUSDT"))
        lake.store(TRADES)
        job.step()
        job.rebuild(start)
        job.step()
        job.finish_tests()
        job.close()
        assert lake.tables() | {"pair_tests": lake.table("pair_tests")} == expected
        lake.close()


def test_a_symbol_that_begins_after_the_start_of_a_rebuild(tmp_path: Path) -> None:
    """Its klines lie before and after that start."""
    trades = [t for t in TRADES if t.symbol == "AUSDT" or t.time_ms > (FIRST_TRADE + 250) * 1000]
    for start in (FIRST_TRADE + 100, EPOCH):
        lake = harness.TestLake(tmp_path / str(start))
        job = AnalyticsJob(lake.lake, CONFIG)
        lake.store_klines(_klines("AUSDT") + _klines("BUSDT"))
        lake.store(trades)
        job.step()
        job.finish_tests()
        before = lake.tables() | {"pair_tests": lake.table("pair_tests")}
        job.rebuild(start)
        job.step()
        job.finish_tests()
        job.close()
        assert lake.tables() | {"pair_tests": lake.table("pair_tests")} == before
        lake.close()


def test_a_restart_finds_nothing_new_in_the_same_klines(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    lake.store_klines(_klines("AUSDT") + _klines("BUSDT"))
    lake.store(TRADES)
    for seen_before in (False, True):
        job = AnalyticsJob(lake.lake, CONFIG)
        job.step()
        assert bool(lake.table("tests_due")) != seen_before
        job.finish_tests()
        job.close()
    lake.close()
