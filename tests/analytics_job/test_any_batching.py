"""Whatever the order, the batches and the restarts: the same tables, and those of the loop."""

import math
import tempfile
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_job.job import AnalyticsJob
from spreadlake.trades import Trade
from tests.analytics_job import harness, oracle

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
EPOCH_MS = 1_700_000_000_000
CONFIG = harness.settings(
    symbols=SYMBOLS,
    pairs="all",
    timeframes=["1s", "5s"],
    windows=[2, 5],
    lookbacks=[3, 7],
    max_stale_bars=4,
    alerts=[
        {"name": "low", "window": 5, "threshold": 1.0},
        {"name": "slow", "window": 2, "timeframe": "5s", "threshold": 0.5},
        {"name": "lasting", "window": 5, "threshold": 0.9, "close_below": 0.4, "min_bars": 2},
        {"name": "gated", "window": 5, "threshold": 0.5, "min_correlation": 0.1},
    ],
)

moments = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS),
        st.integers(0, 60_000),
        st.sampled_from([99.0, 100.0, 100.5, 101.25, 103.0, 1e-5, 123_456.7]),
        st.sampled_from([0.001, 0.1, 1.0, 3.3]),
        st.booleans(),
    ),
    min_size=1,
    max_size=120,
)


def _trades(rows: list[tuple[str, int, float, float, bool]]) -> list[Trade]:
    """Ids rise with time, as the exchange gives them."""
    ids = dict.fromkeys(SYMBOLS, 1000)
    trades = []
    for symbol, offset, price, qty, maker in sorted(rows, key=lambda row: row[1]):
        ids[symbol] += 1
        trades.append(Trade(symbol, ids[symbol], EPOCH_MS + offset, price, qty, maker))
    return trades


def _in_pieces(
    lake: harness.TestLake, trades: list[Trade], cuts: list[int], restarts: set[int]
) -> None:
    job = AnalyticsJob(lake.lake, CONFIG)
    bounds = sorted({0, len(trades), *(cut % (len(trades) + 1) for cut in cuts)})
    for number, (low, high) in enumerate(pairwise(bounds)):
        lake.store(trades[low:high])
        job.step()
        if number in restarts:
            job.close()
            job = AnalyticsJob(lake.lake, CONFIG)
    job.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    moments,
    st.randoms(use_true_random=False),
    st.lists(st.integers(0, 200), max_size=8),
    st.sets(st.integers(0, 8)),
)
def test_late_trades_pieces_and_restarts_change_nothing(
    rows: list[tuple[str, int, float, float, bool]],
    random: Any,
    cuts: list[int],
    restarts: set[int],
) -> None:
    trades = _trades(rows)
    shuffled = list(trades)
    random.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        once = harness.run_job(Path(folder, "once"), CONFIG, [trades])
        live = harness.TestLake(Path(folder, "live"))
        _in_pieces(live, shuffled, cuts, restarts)
        assert live.tables() == once.tables()
        _check_against_loop(once, trades)
        once.close()
        live.close()


def _check_against_loop(lake: harness.TestLake, trades: Sequence[Trade]) -> None:
    final = (max(t.time_ms for t in trades) - 250) // 1000
    seconds = oracle.second_bars(trades, final)
    stored: dict[str, Any] = {"1s": {}, "5s": {}}
    for row in lake.table("bars"):
        bar = tuple(row[name] for name in list(row)[3:])
        stored[row["timeframe"]].setdefault(row["symbol"], {})[row["time"]] = bar
    for timeframe, length in (("1s", 1), ("5s", 5)):
        bars = {s: oracle.longer_bars(own, length, final) for s, own in seconds.items()}
        bars = {s: own for s, own in bars.items() if own}
        _assert_close(stored[timeframe], bars)
        _check_rows(lake, timeframe, length, bars)


def _check_rows(
    lake: harness.TestLake, timeframe: str, length: int, bars: dict[str, oracle.Bars]
) -> None:
    table = [row for row in lake.table("pair_analytics") if row["timeframe"] == timeframe]
    for a, b in combinations(SYMBOLS, 2):
        for window in (2, 5):
            for lookback in (3, 7):
                expected = oracle.analytics(
                    bars.get(a, {}), bars.get(b, {}), length, window, lookback, 4
                )
                rows = {
                    row["time"]: row
                    for row in table
                    if (row["pair"], row["window_bars"], row["lookback_bars"])
                    == (f"{a}/{b}", window, lookback)
                }
                assert rows.keys() == expected.keys()
                for time, row in expected.items():
                    _assert_row(rows[time], row)


def _assert_row(row: dict[str, Any], expected: dict[str, Any]) -> None:
    scale = max(abs(expected["price_a"]), abs((expected["beta"] or 0) * expected["price_b"]), 1e-9)
    tiny = (expected["spread_std"] or 0) <= 1e-9 * scale
    for name, value in expected.items():
        if tiny and name in ("zscore", "spread_std"):
            continue  # rounding alone: the loop's own zero is not exact here
        _assert_close(row[name], value, name, scale)


def _assert_close(got: Any, expected: Any, name: str = "", scale: float = 1.0) -> None:
    if isinstance(expected, dict):
        assert got.keys() == expected.keys()
        for key in expected:
            _assert_close(got[key], expected[key], f"{name}.{key}", scale)
    elif isinstance(expected, tuple):
        for x, y in zip(got, expected, strict=True):
            _assert_close(x, y, name)
    elif expected is None or got is None:
        assert got is expected, name
    else:
        slack = 1e-7 if name in ("zscore", "correlation", "return_correlation") else 1e-9 * scale
        assert math.isclose(got, expected, rel_tol=1e-7, abs_tol=slack), (name, got, expected)
