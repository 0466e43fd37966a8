"""Warming, ready, stale and flat: what is told, what is NULL, and what is no row at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, EPOCH_MS, walk
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT"]
NUMBERS = ("zscore", "spread_std", "beta", "correlation", "volume_a")
Price = Callable[[int], float]


def _config(**values: Any) -> Any:
    defaults: dict[str, Any] = {
        "symbols": SYMBOLS,
        "timeframes": ["1s"],
        "windows": [60],
        "lookbacks": [300],
        "max_stale_bars": 30,
    }
    return harness.settings(**(defaults | values))


def _steady(symbol: str, price: Price, seconds: range) -> list[Trade]:
    """A trade in the middle of each of the seconds."""
    return [
        Trade(symbol, 1000 + s, EPOCH_MS + s * 1000 + 500, price(s), 1.0, s % 2 == 0)
        for s in seconds
    ]


def _wave(second: int) -> float:
    return 100.0 + (second * 7919 % 101) / 50


def _run(root: Path, trades: list[Trade], **values: Any) -> harness.TestLake:
    return harness.run_job(
        root, _config(**values), [sorted(trades, key=lambda trade: trade.time_ms)]
    )


def _status(lake: harness.TestLake) -> dict[str, Any]:
    (line,) = lake.table("pair_status")
    return line


def _told(lake: harness.TestLake) -> tuple[str, int, int, str]:
    line = _status(lake)
    return line["state"], line["bars_have"], line["bars_need"], line["message"]


def _rows(lake: harness.TestLake) -> dict[int, dict[str, Any]]:
    return {row["time"] - EPOCH: row for row in lake.table("pair_analytics")}


def test_a_pair_is_warming_until_it_has_a_window_of_bars(tmp_path: Path) -> None:
    for last, told in (
        (37, ("warming", 37, 60, "warming up: 37 of 60 bars")),
        (59, ("warming", 59, 60, "warming up: 59 of 60 bars")),
        (60, ("ready", 60, 60, "ready: hedge ratio over 60 bars, growing to 300")),
        (299, ("ready", 299, 60, "ready: hedge ratio over 299 bars, growing to 300")),
        (300, ("ready", 300, 60, "ready: hedge ratio over 300 bars")),
    ):
        trades = _steady("AUSDT", _wave, range(last + 1))
        trades += _steady("BUSDT", lambda s: _wave(s + 3), range(last + 1))
        lake = _run(tmp_path / str(last), trades)
        assert _told(lake) == told
        assert sorted(_rows(lake)) == list(range(59, last))
        lake.close()


def test_bars_count_from_the_later_leg(tmp_path: Path) -> None:
    trades = _steady("AUSDT", _wave, range(150)) + _steady("BUSDT", _wave, range(100, 150))
    lake = _run(tmp_path, trades)
    assert _told(lake) == ("warming", 49, 60, "warming up: 49 of 60 bars")
    assert not lake.table("pair_analytics")
    lake.close()


def test_a_symbol_without_any_trade_keeps_its_pair_warming(tmp_path: Path) -> None:
    lake = _run(tmp_path, _steady("AUSDT", _wave, range(100)))
    assert _told(lake) == ("warming", 0, 60, "warming up: 0 of 60 bars")
    assert {row["symbol"] for row in lake.table("bars")} == {"AUSDT"}
    lake.close()


def test_no_trade_at_all(tmp_path: Path) -> None:
    lake = _run(tmp_path, [])
    assert _told(lake) == ("warming", 0, 60, "warming up: 0 of 60 bars")
    assert not lake.table("bars")
    lake.close()


def test_a_window_larger_than_the_history(tmp_path: Path) -> None:
    trades = [t for s in SYMBOLS for t in _steady(s, _wave, range(40))]
    lake = _run(tmp_path, trades, windows=[100_000], lookbacks=[100_000])
    assert _told(lake) == ("warming", 39, 100_000, "warming up: 39 of 100000 bars")
    lake.close()


def test_a_symbol_that_stops_makes_its_pair_stale_and_one_trade_ready_again(tmp_path: Path) -> None:
    a = _steady("AUSDT", _wave, range(250))
    b = _steady("BUSDT", lambda s: _wave(s + 3), range(100))
    stopped = _run(tmp_path / "stopped", a + b)
    assert _told(stopped) == (
        "stale",
        249,
        60,
        "stale: a leg has had no trade for more than 30 bars",
    )
    rows = _rows(stopped)
    # The last trade was in second 99: 30 carried closes are allowed, the 31st is too many.
    for second in range(59, 130):
        assert None not in [rows[second][name] for name in NUMBERS]
    for second in range(130, 249):
        assert [rows[second][name] for name in NUMBERS] == [None] * len(NUMBERS)
        assert rows[second]["price_a"] == _wave(second)
        assert rows[second]["price_b"] == _wave(102)
    stopped.close()
    again = [Trade("BUSDT", 5000, EPOCH_MS + 240_500, 101.0, 1.0, False)]
    resumed = _run(tmp_path / "resumed", a + b + again)
    assert _status(resumed)["state"] == "ready"
    assert _rows(resumed)[239]["zscore"] is None
    assert _rows(resumed)[240]["zscore"] is not None
    resumed.close()


def test_one_trade_an_hour(tmp_path: Path) -> None:
    """Stale for most of the time, ready for half a minute after each trade; longer bars too."""
    hours = range(0, 3 * 3600 + 1, 3600)
    a = _steady("AUSDT", _wave, range(0, 3 * 3600 + 100, 5))
    b = _steady("BUSDT", lambda s: 50.0 + s / 3600, hours)
    lake = _run(tmp_path, a + b, timeframes=["1s", "1h"], windows=[60, 2], lookbacks=[4_000])
    seconds = {
        row["time"] - EPOCH: row
        for row in lake.table("pair_analytics")
        if (row["timeframe"], row["window_bars"]) == ("1s", 60)
    }
    known = {second for second, row in seconds.items() if row["zscore"] is not None}
    # B is flat over the lookback of the first hour's trade, and has moved at every later one.
    assert known == {h + k for h in hours[1:] for k in range(31) if h + k < 3 * 3600 + 94}
    hourly = [
        row
        for row in lake.table("pair_analytics")
        if (row["timeframe"], row["window_bars"]) == ("1h", 2)
    ]
    assert [row["time"] - EPOCH for row in hourly] == [3600, 7200]
    assert all(row["beta"] is not None for row in hourly)
    lake.close()


@pytest.mark.parametrize(
    ("price_a", "price_b", "null"),
    [
        (lambda _: 61_234.57, _wave, {"zscore", "correlation", "return_correlation", "r_squared"}),
        (_wave, lambda _: 0.1, {"zscore", "correlation", "beta", "alpha", "spread", "spread_std"}),
        (lambda _: 3.3, lambda _: 0.1, {"zscore", "correlation", "beta", "spread", "r_squared"}),
        (lambda s: 2 * _wave(s), _wave, {"zscore"}),
        (lambda s: 2e-5 * _wave(s), lambda s: 1e-5 * _wave(s), {"zscore"}),
    ],
    ids=["A constant", "B constant", "both constant", "A = 2B", "A = 2B, small prices"],
)
def test_what_does_not_vary_is_flat_and_has_no_zscore(
    tmp_path: Path, price_a: Price, price_b: Price, null: set[str]
) -> None:
    trades = _steady("AUSDT", price_a, range(400)) + _steady("BUSDT", price_b, range(400))
    lake = _run(tmp_path, trades)
    state, have, need, message = _told(lake)
    assert (state, have, need) == ("flat", 399, 60)
    assert message.startswith("flat: ")
    for row in _rows(lake).values():
        assert {name for name in null if row[name] is None} == null
        assert row["volume_a"] > 0
    if "beta" not in null:
        last = _rows(lake)[398]
        assert last["spread_std"] == 0
        assert last["beta"] == pytest.approx(0.0 if price_a(0) == price_a(1) else 2.0, abs=1e-9)
    lake.close()


def test_a_price_that_stands_still_for_a_window_is_flat_only_for_so_long(tmp_path: Path) -> None:
    def still(second: int) -> float:
        return 100.0 if 100 <= second < 200 else _wave(second)

    trades = _steady("AUSDT", still, range(300)) + _steady(
        "BUSDT", lambda s: still(s) * 3, range(300)
    )
    trades += [Trade("AUSDT", 1, EPOCH_MS + 20_700, 90.0, 1.0, True)]
    lake = _run(tmp_path, trades)
    known = {second for second, row in _rows(lake).items() if row["zscore"] is not None}
    assert known == {*range(59, 159), *range(200, 299)}
    assert _status(lake)["state"] == "ready"
    lake.close()


def test_prices_of_very_different_size(tmp_path: Path) -> None:
    trades = walk(SYMBOLS, 200, seed=3)
    sizes = {"AUSDT": 1e-9, "BUSDT": 1e3}
    scaled = [t._replace(price=t.price * sizes[t.symbol]) for t in trades]
    plain, wide = _run(tmp_path / "plain", trades), _run(tmp_path / "wide", scaled)
    for name in ("zscore", "correlation", "return_correlation", "r_squared", "volatility_a"):
        want = [row[name] for row in plain.table("pair_analytics")]
        assert [row[name] for row in wide.table("pair_analytics")] == pytest.approx(want, rel=1e-7)
    assert _told(wide) == _told(plain)
    plain.close()
    wide.close()


def test_every_window_and_lookback_of_a_pair_has_its_own_line(tmp_path: Path) -> None:
    trades = [t for s in SYMBOLS for t in _steady(s, _wave, range(101))]
    lake = _run(tmp_path, trades, windows=[30, 120], lookbacks=[50, 300], timeframes=["1s", "1m"])
    lines = {
        (line["timeframe"], line["window_bars"], line["lookback_bars"]): line["message"]
        for line in lake.table("pair_status")
    }
    assert lines == {
        ("1s", 30, 50): "flat: no z-score, a price or the spread does not vary over 30 bars",
        ("1s", 30, 300): "flat: no z-score, a price or the spread does not vary over 30 bars",
        ("1s", 120, 50): "warming up: 100 of 120 bars",
        ("1s", 120, 300): "warming up: 100 of 120 bars",
        ("1m", 30, 50): "warming up: 1 of 30 bars",
        ("1m", 30, 300): "warming up: 1 of 30 bars",
        ("1m", 120, 50): "warming up: 1 of 120 bars",
        ("1m", 120, 300): "warming up: 1 of 120 bars",
    }
    lake.close()
