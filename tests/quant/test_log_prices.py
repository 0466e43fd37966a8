"""Pair analytics on the logarithms of closes: against statsmodels and exact arithmetic."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.rolling import RollingOLS
from statsmodels.tsa.stattools import adfuller, coint

from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Floats
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.pair_rows import NUMBERS, Noise, PairRows, pair_rows
from spreadlake.quant.screen import ScreenOptions, screen_all_pairs
from spreadlake.quant.stationarity import Stationarity, stationarity
from spreadlake.series import Prices

START = 1_700_000_000
NOISE = Noise(1e-4, 1e-3)
LEVELS = [(1.3e-5, 61_234.5), (0.37, 1.0), (1.0, 2.2e-5)]
# What does not depend on whether closes or their logarithms are looked at.
OF_RETURNS = ("return_correlation", "volatility_a", "volatility_b", "volume_a", "volume_b")


def walks(seed: int, bars: int, level_a: float, level_b: float) -> Floats:
    """(2, bars) closes of two coins that share half of their moves."""
    moves = np.random.default_rng(seed).normal(0, 1e-3, (3, bars))
    logs = np.cumsum(moves[:2] + moves[2], axis=1)
    close: Floats = np.array([[level_a], [level_b]]) * np.exp(logs)
    return close


def matrix(close: Floats) -> CloseMatrix:
    names = tuple("ABCDEFGH"[: len(close)])
    first = np.full(len(close), START)
    some = np.ones(close.shape)
    return CloseMatrix(1, START, names, close, some > 0, some, first)


def rows_of(
    close: Floats, window: int, lookback: int, prices: Prices = "log", rows: int | None = None
) -> PairRows:
    rows = close.shape[1] if rows is None else rows
    pair, closes = [Pair("A", "B")], matrix(close)
    return next(pair_rows(closes, pair, [window], [lookback], 30, NOISE, rows, prices))


@pytest.mark.parametrize(("level_a", "level_b"), LEVELS)
def test_hedge_and_zscore_are_those_of_statsmodels_on_logs(level_a: float, level_b: float) -> None:
    close = walks(1, 300, level_a, level_b)
    a, b = np.log(close)
    found = rows_of(close, 30, 60)
    # About the first values: inverting X'X loses digits where B hardly moves about a far mean.
    fit = RollingOLS(a - a[0], sm.add_constant(b - b[0]), window=60).fit()
    for name, want in (
        ("beta", fit.params[:, 1]),
        ("beta_stderr", fit.bse[:, 1]),
        ("r_squared", fit.rsquared),
        ("alpha", a[0] + fit.params[:, 0] - fit.params[:, 1] * b[0]),
    ):
        np.testing.assert_allclose(found.numbers[name][0, 59:], want[59:], rtol=1e-8, atol=1e-11)
    for at in (29, 60, 299):
        beta = found.numbers["beta"][0, at]
        spreads = (a - beta * b)[at - 29 : at + 1]
        z = (spreads[-1] - spreads.mean()) / spreads.std(ddof=1)
        assert found.numbers["spread"][0, at] == spreads[-1]
        assert math.isclose(found.numbers["spread_mean"][0, at], spreads.mean(), abs_tol=1e-12)
        assert math.isclose(found.numbers["spread_std"][0, at], spreads.std(ddof=1), rel_tol=1e-8)
        assert math.isclose(found.numbers["zscore"][0, at], z, abs_tol=1e-7)
        correlation = np.corrcoef(a[at - 29 : at + 1], b[at - 29 : at + 1])[0, 1]
        assert math.isclose(found.numbers["correlation"][0, at], correlation, abs_tol=1e-9)


@pytest.mark.parametrize(("level_a", "level_b"), LEVELS)
def test_they_are_the_numbers_of_the_logs_and_closes_stay_closes(
    level_a: float, level_b: float
) -> None:
    close = walks(2, 200, level_a, level_b)
    found, raw = rows_of(close, 30, 80), rows_of(close, 30, 80, "raw")
    of_logs = rows_of(np.log(close), 30, 80, "raw")
    for name in set(NUMBERS) - set(OF_RETURNS):
        rows, want = found.numbers[name][0, 29:], of_logs.numbers[name][0, 29:]
        assert rows.tobytes() == want.tobytes(), name
    for name in OF_RETURNS:
        assert found.numbers[name].tobytes() == raw.numbers[name].tobytes(), name
    assert (found.price_a[0] == close[0]).all()
    assert (found.price_b[0] == close[1]).all()
    assert set(found.frame()["prices"]) == {"log"}
    assert set(raw.frame()["prices"]) == {None}


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([1e-3, 1e-9, 0.0]),
    st.integers(2, 40),
    st.integers(2, 60),
    st.integers(61, 118),
)
def test_any_batching_gives_the_same_bits(
    seed: int, noise: float, window: int, lookback: int, low: int
) -> None:
    close = walks(seed, 120, 2.1e-5, 1.0)
    close[0] = close[1] ** 2 * np.exp(noise * np.random.default_rng(seed).normal(size=120))
    whole = rows_of(close, window, lookback)
    reach = max(window, lookback, 31)
    closes = matrix(close).columns(START + low - reach, START + low + 2)
    closes = replace(closes, first=np.full(2, START))
    piece = next(pair_rows(closes, [Pair("A", "B")], [window], [lookback], 30, NOISE, 2, "log"))
    for name, numbers in piece.numbers.items():
        assert numbers.tobytes() == whole.numbers[name][:, low : low + 2].tobytes(), name


def exactly(a: Floats, b: Floats, beta: float) -> tuple[float, float, float]:
    """Standard error of OLS, and deviation and z-score of A − beta·B, in rational arithmetic."""
    xs, ys = [Fraction(float(v)) for v in a], [Fraction(float(v)) for v in b]
    n = len(xs)
    mx, my = sum(xs) / n, sum(ys) / n
    syy = sum((y - my) ** 2 for y in ys)
    sxy = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True))
    sse = sum((x - mx) ** 2 for x in xs) - sxy * sxy / syy
    spreads = [x - Fraction(beta) * y for x, y in zip(xs, ys, strict=True)]
    mean = sum(spreads) / n
    std = math.sqrt(sum((s - mean) ** 2 for s in spreads) / (n - 1))
    return math.sqrt(sse / (n - 2) / syy), std, float(spreads[-1] - mean) / std


@pytest.mark.parametrize("level", [1.7e-5, 1.0, 61_234.5])
@pytest.mark.parametrize("noise", [1e-4, 1e-6, 1e-8, 1e-10])
def test_a_spread_far_smaller_than_its_legs_keeps_its_digits(level: float, noise: float) -> None:
    """A = B² and noise."""
    close = walks(6, 90, 1.0, level)
    close[0] = close[1] ** 2 * np.exp(noise * np.random.default_rng(7).normal(size=90))
    found = rows_of(close, 60, 60)
    a, b = np.log(close)
    for at in (59, 75, 89):
        part = slice(at - 59, at + 1)
        stderr, std, z = exactly(a[part], b[part], found.numbers["beta"][0, at])
        assert math.isclose(found.numbers["beta_stderr"][0, at], stderr, rel_tol=1e-7)
        assert math.isclose(found.numbers["spread_std"][0, at], std, rel_tol=1e-7)
        assert math.isclose(found.numbers["zscore"][0, at], z, abs_tol=1e-7)


@pytest.mark.parametrize("factor", [1.001, 3.0, 1e-5])
@pytest.mark.parametrize("level", [1.7e-5, 1.0, 61_234.5])
def test_a_multiple_has_no_zscore_and_no_test(level: float, factor: float) -> None:
    """Its log spread is rounding of prices, also where the logarithms themselves are near 0."""
    close = level * walks(8, 120, 1.0, 1.0) ** 0.01
    close[0] = factor * close[1]
    found = rows_of(close, 30, 60)
    assert (found.numbers["spread_std"][0, 29:] == 0).all()
    assert np.isnan(found.numbers["zscore"]).all()
    np.testing.assert_allclose(found.numbers["beta"][0, 29:], 1.0, rtol=1e-10)
    np.testing.assert_allclose(found.numbers["r_squared"][0, 29:], 1.0, rtol=1e-10)
    nothing = Stationarity(None, None, None, None, None, 120)
    assert stationarity(close[0], close[1], "log") == nothing


@pytest.mark.parametrize("level", [1.7e-5, 1.0, 61_234.5])
def test_a_price_that_stands_still_has_no_numbers(level: float) -> None:
    close = walks(9, 80, 1.0, level)
    close[1] = level
    found = rows_of(close, 20, 40)
    for name in ("alpha", "beta", "spread", "zscore", "correlation", "kalman_beta"):
        assert np.isnan(found.numbers[name]).all(), name
    assert stationarity(close[0], close[1], "log").cointegration_pvalue is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("level_a", "level_b"), LEVELS)
def test_the_slow_statistics_are_those_of_statsmodels_on_logs(
    seed: int, level_a: float, level_b: float
) -> None:
    close = walks(seed, 300, level_a, level_b)
    a, b = np.log(close)
    tests = stationarity(close[0], close[1], "log")
    spread = sm.OLS(a - a[0], sm.add_constant(b - b[0])).fit().resid
    statistic, pvalue = adfuller(spread, regression="c", autolag="AIC", result_object=False)[:2]
    assert math.isclose(tests.adf_statistic or 0, statistic, rel_tol=1e-6)
    assert math.isclose(tests.adf_pvalue or 0, pvalue, rel_tol=1e-5)
    want = coint(a, b, trend="c", autolag="aic")[1]
    assert math.isclose(tests.cointegration_pvalue or 0, want, rel_tol=1e-6)
    assert tests == stationarity(a, b)


def test_a_pair_of_a_screen_has_the_same_numbers() -> None:
    """Screens are on logs: what is found is watched with the numbers it was found with."""
    close = walks(12, 240, 1.9e-5, 61_234.5)
    options = ScreenOptions(lookback=240, window=60, prices="log")
    screened = screen_all_pairs(["A", "B"], close, np.ones(2), options).row(0, named=True)
    a, b = (close[["A", "B"].index(screened[leg])] for leg in ("symbol_a", "symbol_b"))
    found = rows_of(np.stack([a, b]), 60, 240, rows=1).numbers
    for name in ("alpha", "beta", "r_squared", "spread", "zscore", "return_correlation"):
        assert math.isclose(found[name][0, 0], screened[name], rel_tol=1e-9), name
    tests = stationarity(a, b, "log")
    assert math.isclose(tests.cointegration_pvalue or 0, screened["coint_pvalue"], rel_tol=1e-9)
    assert math.isclose(tests.half_life or 0, screened["half_life"] or 0, rel_tol=1e-6)


def test_a_close_without_a_logarithm_is_a_hole() -> None:
    close = walks(5, 90, 3.0, 4.0)
    assert (
        matrix(close).above_zero().close is close
        or (matrix(close).above_zero().close == close).all()
    )
    for bad in (0.0, -1.5):
        close[1, 40] = bad
        parts = list(matrix(close).above_zero().stretches(90))
        rows = [
            next(pair_rows(part, [Pair("A", "B")], [20], [30], 30, NOISE, count, "log")).frame()
            for part, count in parts
        ]
        times = [time for frame in rows for time in frame["time"].to_list()]
        assert times == [*range(START + 19, START + 40), *range(START + 60, START + 90)]
        assert all(frame["zscore"].null_count() == 0 for frame in rows)
