"""The back-test of a lake against the plain loop, which knows only what the lake says of a pair."""

import math
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spreadlake
from spreadlake.errors import InputError
from spreadlake.funding import FundingRate
from spreadlake.lake import atomic, open_ticks_writer
from spreadlake.lake.ticks.funding import save_funding
from spreadlake.quant.arrays import Floats
from spreadlake.research.open_lake import OpenLake
from spreadlake.times import timeframe_seconds
from tests.quant.backtest_loop import Bar, Funding, Result, Rules, plain_backtest
from tests.research.bar_lake import BEGIN, make_bar_lake

BARS = 900
BREAK, HOLE, LISTED = (400, 440), (600, 604), 100  # in bars
A, B = "AUSDT", "BUSDT"
RATES = [
    FundingRate(symbol, (BEGIN + at * 3_600) * 1000 + late, rate * (-1) ** at, 100.0 + at)
    for symbol, rate, late in ((A, 3e-4, 0), (B, -2e-4, 5))
    for at in range(BARS // 60 + 1)
]


def walks() -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Closes and opens of a pair that comes back: a break of all, a hole of one, a late B."""
    rng = np.random.default_rng(5)
    spread = rng.normal(0, 1e-3, BARS)
    for bar in range(1, BARS):
        spread[bar] += 0.8 * spread[bar - 1]
    b = np.cumsum(rng.normal(0, 1e-3, BARS))
    close = np.stack([40 * np.exp(0.8 * b + spread), 100 * np.exp(b)])
    opens = close * np.exp(rng.normal(0, 3e-4, close.shape))
    close[:, slice(*BREAK)] = np.nan
    close[0, slice(*HOLE)] = np.nan
    close[1, :LISTED] = np.nan
    return dict(zip((A, B), close, strict=True)), dict(zip((A, B), opens, strict=True))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> OpenLake:
    rng = np.random.default_rng(6)
    idle = {symbol: np.flatnonzero(rng.random(BARS) < 0.4).tolist() for symbol in (A, B)}
    # B does not trade for long: rows are stale, and what is decided waits for its fill.
    idle[B] += range(700, 760)
    close, opens = walks()
    there = [(BEGIN + BREAK[0] * 60, BEGIN + BREAK[1] * 60)]
    root = tmp_path_factory.mktemp("lake")
    made = make_bar_lake(root, close, opens=opens, idle=idle, breaks=there)
    with closing(open_ticks_writer(made)) as db, atomic(db):
        save_funding(db, RATES)
    return spreadlake.open(root)


def rows_of(
    lake: OpenLake, timeframe: str, series: dict[str, object], gate: float | None
) -> Iterator[Bar]:
    """The bars of both, with what `lake.pair` knows at their closes."""
    bars = lake.bars([A, B], timeframe).collect()
    a, b = (bars.filter(pl.col("symbol") == symbol) for symbol in (A, B))
    known = lake.pair(A, B, timeframe, **series)  # type: ignore[arg-type]
    numbers = known.collect() if isinstance(known, pl.LazyFrame) else known
    both = a.join(b, on="time", suffix="_b").join(numbers, on="time", how="left").sort("time")
    for row in both.iter_rows(named=True):
        time = int(row["time"].timestamp())
        correlation = row["correlation"]
        yield Bar(
            time,
            time + timeframe_seconds(timeframe),
            row["open"],
            row["open_b"],
            row["close"],
            row["close_b"],
            row["trades"] > 0 and row["trades_b"] > 0,
            row["zscore"],
            row["beta"],
            gate is None or (correlation is not None and correlation >= gate),
        )


SETTINGS = st.fixed_dictionaries(
    {
        "timeframe": st.sampled_from(["1m", "1m", "3m"]),
        "window": st.sampled_from([10, 20, 45]),
        "lookback": st.sampled_from([20, 60, 100]),
        "prices": st.sampled_from(["raw", "log"]),
        "entry": st.sampled_from([0.8, 1.5, 2.0]),
        "exit": st.sampled_from([-0.5, 0.0, 0.4]),
        "stop": st.sampled_from([None, 2.2, 3.0]),
        "max_bars": st.sampled_from([None, 1, 5, 30]),
        "min_correlation": st.sampled_from([None, None, 0.7, 0.95]),
        "fee_bps": st.sampled_from([0.0, 4.0]),
        "slippage_bps": st.sampled_from([0.0, 1.5]),
        "notional": st.sampled_from([500.0, 10_000.0]),
        "funding": st.booleans(),
    }
)
OFFSETS = st.sampled_from([None, -50, 0, 100, 399, 420, 440, 600, 700, 850])


def plain(
    lake: OpenLake, given_: dict[str, object], start: float | None, end: float | None
) -> Result:
    g = dict(given_)
    series = {name: g[name] for name in ("window", "lookback", "prices")}
    rows = rows_of(lake, str(g["timeframe"]), series, g["min_correlation"])  # type: ignore[arg-type]
    inside = [
        row
        for row in rows
        if (start is None or row.time >= start) and (end is None or row.time < end)
    ]
    rules = Rules(
        g["entry"],  # type: ignore[arg-type]
        g["exit"],  # type: ignore[arg-type]
        g["stop"],  # type: ignore[arg-type]
        g["max_bars"],  # type: ignore[arg-type]
        g["notional"],  # type: ignore[arg-type]
        g["fee_bps"] + g["slippage_bps"],  # type: ignore[operator]
        g["prices"] == "log",
    )
    fundings = [
        Funding(rate.time_ms / 1000, "a" if rate.symbol == A else "b", rate.rate, rate.mark_price)
        for rate in RATES
        if g["funding"] and rate.mark_price is not None
    ]
    return plain_backtest(inside, rules, fundings)


@settings(max_examples=40, deadline=None)
@given(SETTINGS, OFFSETS, OFFSETS, st.sampled_from([0, 30]))
def test_it_is_the_plain_loop_on_what_the_lake_says(
    lake: OpenLake, given_: dict[str, object], low: int | None, high: int | None, odd: int
) -> None:
    start = None if low is None else float(BEGIN + low * 60 + odd)
    end = None if high is None else float(BEGIN + high * 60 + odd)
    try:
        found = lake.backtest(A, B, start=start, end=end, **given_)  # type: ignore[arg-type]
    except InputError:
        assert (start is not None and end is not None and start >= end) or not plain(
            lake, given_, start, end
        ).equity
        return
    want = plain(lake, given_, start, end)
    assert len(found.trades) == len(want.trades)
    for row, trade in zip(found.trades.iter_rows(named=True), want.trades, strict=True):
        for name, value in row.items():
            if name in ("trade", "pair"):
                continue
            wanted = getattr(trade, name)
            if isinstance(value, datetime):
                assert value.timestamp() == wanted, name
            elif isinstance(value, float):
                size = float(given_["notional"])  # type: ignore[arg-type]
                assert math.isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-9 * size), name
            else:
                assert value == wanted, name
    assert found.equity["position"].to_list() == want.position
    np.testing.assert_allclose(found.equity["equity"], want.equity, rtol=1e-9, atol=1e-5)
