"""Whatever the order, the batches and the restarts: the same tables, and those of the loop."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from spreadlake.times import timeframe_seconds
from spreadlake.trade_clock import TradeClock
from tests.analytics_job import harness, oracle
from tests.rollups import expected_rollups, kept_rollups
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
EPOCH_MS = 1_700_000_000_000
PLAIN = harness.settings(
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
# No 1s analytics, bars that no minute is a whole number of, a pair both ways round, windows
# longer and shorter than lookbacks.
ODD = harness.settings(
    symbols=SYMBOLS,
    pairs=[["AUSDT", "BUSDT"], ["CUSDT", "AUSDT"], ["CUSDT", "BUSDT"]],
    timeframes=["7s", "2s"],
    windows=[9, 2],
    lookbacks=[2, 5],
    max_stale_bars=1,
    job={"lateness": 3.3},
    alerts=[
        {"name": "two", "window": 2, "timeframe": "2s", "threshold": 0.6, "min_bars": 3},
        {"name": "seven", "window": 2, "timeframe": "7s", "lookback": 5, "threshold": 0.5},
    ],
)
# A few seconds without a trade are a break: shorter and longer than bars, and than lateness.
BROKEN = harness.settings(
    symbols=SYMBOLS,
    pairs="all",
    timeframes=["1s", "3s", "13s"],
    windows=[2, 4],
    lookbacks=[3, 7],
    max_stale_bars=4,
    job={"break_minutes": 0.1, "lateness": 2.0},
    alerts=[
        {"name": "quick", "window": 4, "threshold": 0.6},
        {"name": "slow", "window": 2, "timeframe": "13s", "threshold": 0.5, "min_bars": 2},
    ],
)
PRICES = {
    "PLAIN": [99.0, 100.0, 100.5, 101.25, 103.0, 1e-5, 123_456.7],
    "ODD": [1e-8, 1.1e-8, 3e-8, 1e9, 1.0000001e9],
}
SIZES = {"PLAIN": [0.001, 0.1, 1.0, 3.3], "ODD": [1e-8, 1.0, 1e14]}
Row = tuple[str, int, float, float, bool]


@pytest.fixture(autouse=True, scope="module")
def short_spans() -> Iterator[None]:
    """Spans of a few bars are rolled up, so that a minute has many of them."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("spreadlake.quant.rollups", "analytics_job.history.backfill"):
            patch.setattr(f"{module}.SPAN_BARS", 4)
        yield


def _trade(kind: str) -> st.SearchStrategy[Row]:
    return st.tuples(
        st.sampled_from(SYMBOLS),
        st.integers(0, 60_000),
        st.sampled_from(PRICES[kind]),
        st.sampled_from(SIZES[kind]),
        st.booleans(),
    )


def _moments(kind: str) -> st.SearchStrategy[list[Row]]:
    return st.lists(_trade(kind), min_size=1, max_size=120)


def _trades(rows: list[Row]) -> list[Trade]:
    """Ids rise with time, as the exchange gives them."""
    ids = dict.fromkeys(SYMBOLS, 1000)
    trades = []
    for symbol, offset, price, qty, maker in sorted(rows, key=lambda row: row[1]):
        ids[symbol] += 1
        trades.append(Trade(symbol, ids[symbol], EPOCH_MS + offset, price, qty, maker))
    return trades


def _in_pieces(
    lake: harness.TestLake,
    config: Settings,
    trades: list[Trade],
    cuts: list[int],
    restarts: set[int],
    away: oracle.Away,
) -> None:
    job, newest = AnalyticsJob(lake.lake, config), 0
    bounds = sorted({0, len(trades), *(cut % (len(trades) + 1) for cut in cuts)})
    for number, (low, high) in enumerate(pairwise(bounds)):
        # Who leaves is on record before a later trade is.
        for trade in trades[low:high]:
            newest = max(newest, trade.time_ms)
            away = _note(lake, away, newest)
            lake.store([trade])
        job.step()
        if number in restarts:
            job.close()
            job = AnalyticsJob(lake.lake, config)
    job.close()


cuts_ = st.lists(st.integers(0, 200), max_size=8)
restarts_ = st.sets(st.integers(0, 8))
randoms_ = st.randoms(use_true_random=False)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_moments("PLAIN"), randoms_, cuts_, restarts_)
def test_late_trades_pieces_and_restarts_change_nothing(
    rows: list[Row], random: Any, cuts: list[int], restarts: set[int]
) -> None:
    _check(PLAIN, rows, random, cuts, restarts)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_moments("ODD"), randoms_, cuts_, restarts_)
def test_nor_do_they_with_odd_timeframes_pairs_windows_and_prices(
    rows: list[Row], random: Any, cuts: list[int], restarts: set[int]
) -> None:
    _check(ODD, rows, random, cuts, restarts)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_trade("PLAIN"), min_size=1, max_size=25), randoms_, cuts_, restarts_)
def test_nor_do_they_where_late_trades_close_breaks_move_them_or_make_new_ones(
    rows: list[Row], random: Any, cuts: list[int], restarts: set[int]
) -> None:
    _check(BROKEN, rows, random, cuts, restarts)


# Seconds of the minute at which a symbol leaves and comes back.
_away = st.dictionaries(
    st.sampled_from(SYMBOLS[:2]),
    st.lists(st.integers(0, 70), min_size=1, max_size=4, unique=True),
    min_size=1,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(_trade("PLAIN"), min_size=1, max_size=14),
    st.sets(st.integers(0, 30), max_size=4),
    randoms_,
    cuts_,
    restarts_,
    _away,
)
def test_nor_do_they_where_symbols_leave_and_come_back(
    rows: list[Row],
    silent: set[int],
    random: Any,
    cuts: list[int],
    restarts: set[int],
    moments: dict[str, list[int]],
) -> None:
    """One symbol trades on, so that the end of another is none of all of them."""
    base = EPOCH_MS // 1000
    away: oracle.Away = {}
    for symbol, at in moments.items():
        times = [*sorted(base + second for second in at), *[base + 10**6] * (len(at) % 2)]
        away[symbol] = list(zip(times[::2], times[1::2], strict=True))
    others = [2 * number for number in range(31) if number not in silent]
    every = [("CUSDT", second * 1000, 100.0 + second % 7, 1.0, False) for second in others]
    _check(BROKEN, rows + every, random, cuts, restarts, away)


def _check(
    config: Settings,
    rows: list[Row],
    random: Any,
    cuts: list[int],
    restarts: set[int],
    away: oracle.Away | None = None,
) -> None:
    trades = _trades(rows)
    shuffled = list(trades)
    random.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        first = harness.TestLake(Path(folder, "once"))
        _note(first, away or {}, None)
        first.close()
        once = harness.run_job(Path(folder, "once"), config, [trades])
        live = harness.TestLake(Path(folder, "live"))
        _in_pieces(live, config, shuffled, cuts, restarts, away or {})
        assert live.tables() == once.tables()
        assert not once.table("bars") or kept_rollups(once.lake) == expected_rollups(once.lake)
        assert live.table("stops") == once.table("stops")
        assert live.table("joins") == once.table("joins")
        if _begun(trades):
            _check_against_loop(once, config, trades, away)
        once.close()
        live.close()


def _begun(trades: Sequence[Trade]) -> bool:
    """Whether there is enough for the pipeline's clock to begin with."""
    clock = TradeClock()
    clock.take(np.array([t.time_ms for t in trades]), lambda at: trades[at].symbol)
    return clock.watermark_ms == max(t.time_ms for t in trades)


def _note(lake: harness.TestLake, away: oracle.Away, until_ms: int | None) -> oracle.Away:
    """Writes who left and came back up to a time (None: all of it); what is left of it."""
    later: oracle.Away = {}
    for symbol, spans in away.items():
        for left, back in spans:
            if until_ms is not None and left * 1000 > until_ms:
                later.setdefault(symbol, []).append((left, back))
                continue
            if left >= 0:
                lake.change(symbol, left * 1000, captured=False)
            if until_ms is None or back * 1000 <= until_ms:
                lake.change(symbol, back * 1000, captured=True)
            else:
                later.setdefault(symbol, []).append((-1, back))
    return later


def _check_against_loop(
    lake: harness.TestLake,
    config: Settings,
    trades: Sequence[Trade],
    away: oracle.Away | None = None,
) -> None:
    late = round(config.job.lateness * 1000)
    final = max(
        (max(t.time_ms for t in trades) - late) // 1000, min(t.time_ms for t in trades) // 1000
    )
    limit = round(config.job.break_minutes * 60)
    seconds = oracle.second_bars(trades, final, limit, away)
    off = oracle.breaks(trades, limit)
    assert [tuple(row.values()) for row in lake.table("breaks")] == [b for b in off if b[1] < final]
    stored: dict[str, Any] = {name: {} for name in ("1s", *config.timeframes)}
    for row in lake.table("bars"):
        bar = tuple(row[name] for name in list(row)[3:])
        stored[row["timeframe"]].setdefault(row["symbol"], {})[row["time"]] = bar
    for timeframe, got in stored.items():
        length = timeframe_seconds(timeframe)
        bars = {s: oracle.longer_bars(own, length, final) for s, own in seconds.items()}
        bars = {s: own for s, own in bars.items() if own}
        _assert_close(got, bars)
        if timeframe in config.timeframes:
            _check_rows(lake, config, timeframe, bars, off)


def _check_rows(
    lake: harness.TestLake,
    config: Settings,
    timeframe: str,
    bars: dict[str, oracle.Bars],
    off: Sequence[tuple[int, int]],
) -> None:
    table = lake.table("pair_analytics")
    for series in config.series:
        if series.timeframe != timeframe:
            continue
        expected = oracle.analytics(
            bars.get(series.legs.a, {}),
            bars.get(series.legs.b, {}),
            timeframe_seconds(timeframe),
            series.window,
            series.lookback,
            config.max_stale_bars,
            off,
        )
        names = series.table.key
        rows = {row["time"]: row for row in table if tuple(row[n] for n in names) == series}
        assert rows.keys() == expected.keys()
        reach = max(series.window, series.lookback)
        for time, row in expected.items():
            legs = (bars[leg] for leg in series.legs)
            _assert_row(rows[time], row, *(_largest(leg, time, reach) for leg in legs))


def _largest(bars: oracle.Bars, time: int, count: int) -> float:
    """The greatest of the last `count` closes."""
    return max(bars[t][3] for t in sorted(t for t in bars if t <= time)[-count:])


def _assert_row(
    row: dict[str, Any], expected: dict[str, Any], most_a: float, most_b: float
) -> None:
    # Where A lies on a line in B, the error is rounding: small beside sd(A) / sd(B), which is
    # the root of beta² + (n - 2) stderr².
    slope = math.hypot(expected["beta"] or 0, expected["beta_stderr"] or 0)
    scale = max(expected["price_a"], slope * expected["price_b"], 1e-9)
    # What is summed over a window is rounded as the greatest price in it.
    summed = max(most_a, slope * most_b, 1e-9)
    tiny = (expected["spread_std"] or 0) <= 1e-9 * summed
    for name, value in expected.items():
        if tiny and name in ("zscore", "spread_std"):
            continue  # rounding alone: the loop's own zero is not exact here
        scales = {"alpha": summed, "spread_mean": summed, "spread_std": summed}
        at = slope if "beta" in name else scales.get(name, scale)
        _assert_close(row[name], value, name, at)


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
