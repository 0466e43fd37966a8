"""Every column of a screen against statsmodels and plain loops; planted pairs are found."""

import itertools
import math
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.stattools import adfuller, coint

from spreadlake.quant.arrays import Floats
from spreadlake.quant.screen import (
    ORDERS,
    SCREEN_SCHEMA,
    ScreenOptions,
    false_discovery_rates,
    ranked,
    screen_all_pairs,
)
from spreadlake.quant.screen_pairs import _crossings
from tests.paths import ROOT
from tests.running import environment

NAMES = ["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT"]
VOLUME = np.array([1e6, 2e5, 3.0, 4e7, 5.0])


def market(seed: int, bars: int, scale: float = 1.0) -> Floats:
    """(symbols, bars): B follows A, D follows C less closely, E walks alone."""
    rng = np.random.default_rng(seed)
    logs = np.cumsum(rng.normal(0, 1e-3, (5, bars)), axis=1)
    for follower, leader, factor, phi in ((1, 0, 0.8, 0.6), (3, 2, 1.4, 0.9)):
        noise = rng.normal(0, 1e-3, bars)
        for bar in range(1, bars):
            noise[bar] += phi * noise[bar - 1]
        logs[follower] = factor * logs[leader] + noise
    levels = np.array([60_000, 3_000, 0.4, 150, 1.0]) * scale
    return np.asarray(levels[:, None] * np.exp(logs))


def expected(one: Floats, other: Floats, options: ScreenOptions) -> dict[str, float | None]:
    """What the columns say, one after another, of the direction whose p-value is smaller."""
    as_used = np.log if options.prices == "log" else np.asarray
    closes = [c[-options.lookback :] for c in (one, other)]
    x = [as_used(c) for c in closes]
    ways = [coint(x[i], x[1 - i], trend="c", autolag="aic")[:2] for i in (0, 1)]
    dependent = 0 if ways[0][1] <= ways[1][1] else 1
    a, b = x[dependent], x[1 - dependent]
    fit = sm.OLS(a, sm.add_constant(b)).fit()
    alpha, beta = fit.params
    u = fit.resid
    phi = AutoReg(u, lags=1).fit().params[1]
    whole = [as_used((one, other)[i]) for i in (dependent, 1 - dependent)]
    spread = (whole[0] - beta * whole[1])[-options.window :]
    std = spread.std(ddof=1)
    zscore = (spread[-1] - spread.mean()) / std
    price_a, price_b = (closes[i][-1] for i in (dependent, 1 - dependent))
    bps, weight = std * 1e4, abs(beta)
    if options.prices == "raw":
        bps, weight = bps / price_a, weight * price_b / price_a
    cost = 2 * (options.fee_bps + options.slippage_bps) * (1 + weight)
    returns = [np.diff(np.log(c[-options.window :])) for c in (one, other)]
    return {
        "dependent": dependent,
        "coint_t": ways[dependent][0],
        "coint_pvalue": ways[dependent][1],
        "coint_lag": adfuller(u, regression="n", autolag="AIC", result_object=False)[2],
        "beta": beta,
        "alpha": alpha,
        "r_squared": fit.rsquared,
        # Of one return there is none.
        "return_correlation": np.corrcoef(returns)[0, 1] if options.window > 2 else None,
        "half_life": math.log(0.5) / math.log(phi) if 0 < phi < 1 else None,
        "crossings": sum(1 for p, q in itertools.pairwise(u) if p * q < 0),
        "spread": a[-1] - beta * b[-1],
        "zscore": zscore,
        "spread_std_bps": bps,
        "cost_bps": cost,
        "edge_bps": abs(zscore) * bps - cost,
    }


@pytest.mark.parametrize("prices", ["log", "raw"])
@pytest.mark.parametrize(("lookback", "window"), [(240, 60), (100, 100), (60, 2), (40, 150)])
def test_every_column_is_what_the_contract_says(prices: Any, lookback: int, window: int) -> None:
    options = ScreenOptions(lookback, window, prices, fee_bps=4.5, slippage_bps=1.5)
    close = market(lookback, max(lookback, window))
    rows = screen_all_pairs(NAMES, close, VOLUME, options, time=1_700_000_040)
    assert rows.schema == SCREEN_SCHEMA
    assert rows.height == 10
    for row in rows.iter_rows(named=True):
        one, other = sorted((row["symbol_a"], row["symbol_b"]))
        at = NAMES.index(one), NAMES.index(other)
        want = expected(close[at[0]], close[at[1]], options)
        assert row["symbol_a"] == (one, other)[int(want.pop("dependent") or 0)]
        for name, value in want.items():
            if value is None:
                assert row[name] is None, name
            else:
                assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name
        assert row["time"] == 1_700_000_040
        assert row["volume_a"] == VOLUME[NAMES.index(row["symbol_a"])]
        assert row["volume_b"] == VOLUME[NAMES.index(row["symbol_b"])]
        assert row["persistence"] is None
    doubled = np.minimum(1.0, 2 * rows["coint_pvalue"].to_numpy())
    qvalues = multipletests(doubled, method="fdr_bh")[1]
    np.testing.assert_allclose(rows["qvalue"], qvalues, rtol=1e-12)
    assert rows["rank"].to_list() == list(range(1, 11))
    assert rows["coint_pvalue"].is_sorted()


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1_000),
    st.integers(30, 120),
    st.integers(1, 12),
    st.permutations(range(5)),
    st.integers(1, 3),
)
def test_pieces_and_company_make_no_difference(
    seed: int, bars: int, piece: int, order: list[int], threads: int
) -> None:
    """The same bits in pieces of another size, in threads, without a symbol, in another order."""
    close, options = market(seed, bars), ScreenOptions(bars, 20)
    whole = screen_all_pairs(NAMES, close, VOLUME, options)
    kept = order[:4]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spreadlake.quant.screen.MARKET_PIECE", piece)
        names, done = [NAMES[k] for k in kept], list[int]()
        part = screen_all_pairs(
            names, close[kept], VOLUME[kept], options, advance=done.append, threads=threads
        )
    assert sum(done) == 6
    left_out = pl.any_horizontal(pl.col("symbol_a", "symbol_b") == NAMES[order[4]])
    # q and rank are of the whole screen, by its pairs.
    want = whole.filter(~left_out).drop("rank", "qvalue")
    assert part.drop("rank", "qvalue").equals(want, null_equal=True)


def close_with(**legs: Floats) -> tuple[list[str], Floats]:
    return list(legs), np.array(list(legs.values()))


def screen(names: list[str], close: Floats, **options: Any) -> dict[tuple[str, str], Any]:
    options = {"lookback": close.shape[1], "window": 20} | options
    rows = screen_all_pairs(names, close, np.ones(len(names)), ScreenOptions(**options))
    for name, kind in rows.schema.items():
        if kind == pl.Float64:
            assert rows[name].drop_nulls().is_finite().all(), name
    return {
        (row["symbol_a"], row["symbol_b"]): row
        | {"pair": frozenset((row["symbol_a"], row["symbol_b"]))}
        for row in rows.iter_rows(named=True)
    }


@pytest.mark.parametrize("prices", ["log", "raw"])
def test_legs_that_are_the_same_have_no_test_and_no_edge(prices: str) -> None:
    """Their spread is nothing but rounding: numbers of it would say something of the computer."""
    x = market(1, 100)
    rows = screen(*close_with(A=x[0], B=3 * x[0], C=x[4]), prices=prices)
    (same,) = [row for row in rows.values() if row["pair"] == {"A", "B"}]
    empty = ("coint_t", "coint_lag", "coint_pvalue", "qvalue", "half_life", "crossings", "zscore")
    for name in (*empty, "spread_std_bps", "edge_bps"):
        assert same[name] is None, name
    assert same["r_squared"] == pytest.approx(1.0)
    assert same["rank"] == 3
    others = [row for row in rows.values() if row["pair"] != {"A", "B"}]
    assert all(row["qvalue"] is not None for row in others)
    assert [row["qvalue"] for row in others] == pytest.approx(
        multipletests([min(1, 2 * r["coint_pvalue"]) for r in others], method="fdr_bh")[1]
    )


def test_legs_that_are_all_but_collinear_are_as_statsmodels_says_without_an_infinity() -> None:
    x = market(1, 200)
    close = np.array([x[0], 2 * x[0] + 1e-6 * x[0] * np.sin(np.arange(200.0)), x[4]])
    rows = screen(["A", "B", "C"], close, prices="raw")
    (row,) = [row for row in rows.values() if row["pair"] == {"A", "B"}]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        statistic, pvalue, _ = coint(close[0], close[1], trend="c", autolag="aic")
    assert (statistic, pvalue) == (-np.inf, 0.0)
    assert (row["coint_t"], row["coint_pvalue"], row["rank"]) == (None, 0.0, 1)
    assert row["zscore"] is not None


def test_a_pair_taken_alone_has_the_numbers_of_statsmodels() -> None:
    """A leg that stands still but once leaves too few digits for many at a time."""
    x = market(3, 100)
    step = np.where(np.arange(100) < 40, 100.0, 100.1)
    rows = screen(*close_with(A=x[0], B=step), prices="log")
    ((legs, row),) = rows.items()
    a, b = (np.log({"A": x[0], "B": step}[leg]) for leg in legs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = coint(a, b, trend="c", autolag="aic")
        other = coint(b, a, trend="c", autolag="aic")
    assert (row["coint_t"], row["coint_pvalue"]) == pytest.approx(want[:2], rel=1e-6)
    assert want[1] <= other[1]
    assert row["return_correlation"] is None  # a leg without a move in the window


def test_a_leg_without_the_windows_bars_has_no_z() -> None:
    close = market(5, 90)
    close[1, :20] = np.nan
    rows = screen(NAMES, close, lookback=60, window=90)
    for legs, row in rows.items():
        missing = "BUSDT" in legs
        for name in ("zscore", "spread_std_bps", "edge_bps", "return_correlation"):
            assert (row[name] is None) == missing, (legs, name)
        assert row["coint_pvalue"] is not None
        assert row["cost_bps"] is not None


def test_crossings_pass_over_residuals_that_are_zero() -> None:
    assert _crossings(np.array([[1.0, 0, 1, -1, 0, 0, 2], [0, 1, -1, 1, -1, 1, 0]])).tolist() == [
        2,
        4,
    ]


def test_fewer_than_two_symbols_are_no_rows() -> None:
    rows = screen_all_pairs(["A"], market(1, 40)[:1], np.ones(1), ScreenOptions(40))
    assert rows.schema == SCREEN_SCHEMA
    assert rows.height == 0


def test_too_short_a_lookback_is_refused() -> None:
    with pytest.raises(ValueError, match="29 bars is below 30"):
        screen_all_pairs(NAMES, market(1, 29), VOLUME, ScreenOptions(29, 10))


@given(st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=30))
def test_false_discovery_rates_are_those_of_benjamini_and_hochberg(pvalues: list[float]) -> None:
    got = false_discovery_rates(np.array(pvalues, dtype=np.float64))
    tested = [p for p in pvalues if not math.isnan(p)]
    want = iter(multipletests(tested, method="fdr_bh")[1]) if tested else iter(())
    for pvalue, q in zip(pvalues, got, strict=True):
        if math.isnan(pvalue):
            assert math.isnan(q)
        else:
            assert q == pytest.approx(next(want), rel=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_the_best_come_first_and_what_has_no_number_last(order: str) -> None:
    rows = screen_all_pairs(NAMES, market(7, 60), VOLUME, ScreenOptions(60, 20))
    rows = rows.with_columns(persistence=pl.lit(None, dtype=pl.Float64))
    if rows.schema[order] == pl.Float64:
        rows = rows.with_columns(
            pl.when(pl.col("rank") == 4).then(None).otherwise(pl.col(order)).alias(order)
        )
    got = ranked(rows, order)
    assert got["rank"].to_list() == list(range(1, 11))
    values = got[order].drop_nulls().to_list()
    size = [abs(value) for value in values] if order == "zscore" else values
    small_first = order in (
        *("symbol_a", "symbol_b", "coint_t", "coint_lag", "coint_pvalue", "qvalue"),
        *("half_life", "cost_bps"),
    )
    assert size == sorted(size, reverse=not small_first)
    assert got[order].to_list()[: len(values)] == values
    assert ranked(rows, order, top=3).equals(got.head(3), null_equal=True)
    limit = float(rows["qvalue"].drop_nulls()[2])
    assert ranked(rows, order, limit)["qvalue"].max() == limit


def test_planted_pairs_are_found_and_few_others_are() -> None:
    """20 markets of 768 independent pairs and 12 planted: about 5 % of those found are false.

    In a process of its own, with one thread for linear algebra: two wait for each other.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "tests.quant.planted"],
        cwd=ROOT,
        env=environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    found, false, missed = map(int, ended.stdout.split())
    assert (found - false, missed) == (240, 0)
    assert false / found < 0.08
