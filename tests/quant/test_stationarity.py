"""The slow statistics against statsmodels, scipy and loops."""

import itertools
import math
import statistics

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import theilslopes
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.stattools import adfuller, coint

from spreadlake.quant.arrays import Floats
from spreadlake.quant.stationarity import MIN_BARS, half_life, stationarity, theil_sen_beta


def _legs(seed: int, bars: int = 300, phi: float = 0.9) -> tuple[Floats, Floats]:
    """B walks; A is 2·B and a spread that comes back by 1 − phi a bar."""
    rng = np.random.default_rng(seed)
    b = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, bars)))
    spread = np.zeros(bars)
    for at in range(1, bars):
        spread[at] = phi * spread[at - 1] + rng.normal(0, 0.05)
    return 2 * b + 10 + spread, b


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_adf_and_engle_granger_are_those_of_statsmodels(seed: int, scale: float) -> None:
    a, b = (scale * leg for leg in _legs(seed, phi=(0.5, 0.9, 0.99, 1.0)[seed]))
    tests = stationarity(a, b)
    spread = sm.OLS(a, sm.add_constant(b)).fit().resid
    statistic, pvalue = adfuller(spread, regression="c", autolag="AIC", result_object=False)[:2]
    assert math.isclose(tests.adf_statistic or 0, statistic, rel_tol=1e-6)
    assert math.isclose(tests.adf_pvalue or 0, pvalue, rel_tol=1e-5)
    want = coint(a, b, trend="c", autolag="aic")[1]
    assert math.isclose(tests.cointegration_pvalue or 0, want, rel_tol=1e-9)
    assert tests.observations == 300


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(MIN_BARS, 400),
    st.sampled_from([0.0, 0.8, 0.95, 1.0]),
    st.sampled_from([2, 4, 12]),
)
def test_the_lags_are_those_that_statsmodels_chooses(
    seed: int, bars: int, phi: float, decimals: int
) -> None:
    a, b = (np.round(leg, decimals) for leg in _legs(seed, bars, phi))
    tests = stationarity(a, b)
    spread = a - np.polyfit(b - b[0], a, 1)[0] * b
    centred = spread - spread[0]
    want = adfuller(centred, regression="c", autolag="AIC", result_object=False)[1]
    assert math.isclose(tests.adf_pvalue or 0, want, rel_tol=1e-5, abs_tol=1e-9)
    want = coint(a, b, trend="c", autolag="aic")[1]
    assert math.isclose(tests.cointegration_pvalue or 0, want, rel_tol=1e-5, abs_tol=1e-9)


def test_a_spread_that_comes_back_is_told_from_one_that_does_not() -> None:
    coming_back, walking = stationarity(*_legs(1, phi=0.7)), stationarity(*_legs(1, phi=1.0))
    assert (coming_back.adf_pvalue or 1) < 0.01 < 0.05 < (walking.adf_pvalue or 0)
    assert (coming_back.cointegration_pvalue or 1) < 0.01 < (walking.cointegration_pvalue or 0)


@pytest.mark.parametrize("phi", [0.3, 0.9, 0.98])
def test_half_life_is_that_of_an_ar1_fitted_by_ols(phi: float) -> None:
    a, b = _legs(3, phi=phi)
    spread = a - np.polyfit(b, a, 1)[0] * b
    fitted = AutoReg(spread, lags=1).fit().params[1]
    assert math.isclose(half_life(spread) or 0, math.log(0.5) / math.log(fitted), rel_tol=1e-6)
    assert math.isclose(stationarity(a, b).half_life or 0, half_life(spread) or 0, rel_tol=1e-6)


def test_half_life_of_an_exact_decay() -> None:
    assert math.isclose(half_life(0.5 ** (np.arange(40) / 7)) or 0, 7.0, rel_tol=1e-9)


@pytest.mark.parametrize(
    "spread",
    [
        np.full(50, 3.0),
        1.1 ** np.arange(50.0),  # runs away
        (-0.9) ** np.arange(50.0),  # overshoots at every bar
    ],
)
def test_no_half_life_where_the_spread_does_not_decay(spread: Floats) -> None:
    assert half_life(spread) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40), st.floats(1e-3, 1e3)), min_size=2, max_size=25))
def test_theil_sen_is_the_median_of_all_slopes(points: list[tuple[int, float]]) -> None:
    b, a = (np.array(column, dtype=np.float64) for column in zip(*points, strict=True))
    slopes = [
        (a[j] - a[i]) / (b[j] - b[i])
        for i, j in itertools.combinations(range(len(a)), 2)
        if b[i] != b[j]
    ]
    got = theil_sen_beta(a, b)
    if slopes:
        assert got is not None
        assert math.isclose(got, statistics.median(slopes), rel_tol=1e-9, abs_tol=1e-9)
    else:
        assert got is None


def test_theil_sen_of_a_long_lookback_thins_the_bars() -> None:
    a, b = _legs(8, 2_501)
    thinned = theilslopes(a[::-9], b[::-9]).slope
    assert theil_sen_beta(a, b) == thinned
    assert abs(thinned - np.polyfit(b, a, 1)[0]) < 0.05


def test_theil_sen_shrugs_off_outliers() -> None:
    a, b = _legs(5)
    a[::10] *= 1.5
    got = stationarity(a, b).robust_beta
    assert got is not None
    assert abs(got - 2) < 0.2 < abs(np.polyfit(b, a, 1)[0] - 2) + 0.2
    assert got == theilslopes(a, b).slope


@pytest.mark.parametrize("bars", [0, 1, MIN_BARS - 1])
def test_too_few_bars_say_nothing(bars: int) -> None:
    a, b = _legs(6)
    tests = stationarity(a[:bars], b[:bars])
    assert tests.observations == bars
    assert tests.adf_pvalue is None
    assert tests.robust_beta is None
    assert tests.half_life is None
    assert tests.cointegration_pvalue is None


def test_just_enough_bars_are_tested() -> None:
    a, b = _legs(6)
    tests = stationarity(a[:MIN_BARS], b[:MIN_BARS])
    assert None not in (tests.adf_pvalue, tests.robust_beta, tests.cointegration_pvalue)


@pytest.mark.parametrize("which", ["a", "b", "both", "multiple"])
def test_flat_legs_and_exact_multiples_have_no_numbers(which: str) -> None:
    a, b = _legs(7)
    if which in ("a", "both"):
        a = np.full(300, 61_234.57)
    if which in ("b", "both"):
        b = np.full(300, 0.1)
    if which == "multiple":
        a = 2 * b
    tests = stationarity(a, b)
    assert tests.observations == 300
    assert tests.adf_statistic is None
    assert tests.adf_pvalue is None
    assert tests.half_life is None
    assert tests.cointegration_pvalue is None
