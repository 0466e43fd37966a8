"""Many pairs at once against statsmodels, one by one; and the same bits however they are cut."""

import itertools
import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.adfvalues import mackinnonp
from statsmodels.tsa.ar_model import AutoReg
from statsmodels.tsa.stattools import adfuller, coint

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.cointegration import SpreadTests, spread_tests, spread_tests_both_ways
from spreadlake.quant.lagged_moments import LaggedMoments, most_lags
from spreadlake.quant.mackinnon import pvalues
from spreadlake.quant.stationarity import stationarity, stationarity_of_pairs
from spreadlake.quant.unit_root import adf, engle_granger

SYMBOLS = 6
PAIRS = np.array(list(itertools.permutations(range(SYMBOLS), 2)))


def market(seed: int, bars: int, scale: float = 100.0) -> Floats:
    """(symbols, bars): walks with a common part; 0 goes with 1, and 2 with 3 at some distance."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(0, 1e-3, bars))
    prices = scale * np.exp(common + np.cumsum(rng.normal(0, 1e-3, (SYMBOLS, bars)), axis=1))
    for one, other, phi in ((0, 1, 0.7), (2, 3, 0.95)):
        spread = np.zeros(bars)
        for bar in range(1, bars):
            spread[bar] = phi * spread[bar - 1] + rng.normal(0, 1e-3 * scale)
        prices[one] = 1.5 * prices[other] + spread
    return np.asarray(prices)


def numbers_of(x: Floats, pairs: Ints = PAIRS) -> SpreadTests:
    return spread_tests(LaggedMoments.of(x), pairs[:, 0], pairs[:, 1])


def assert_as_statsmodels(x: Floats, pairs: Ints = PAIRS) -> int:
    """Whether all pairs that are not doubtful have statsmodels' numbers; how many these are."""
    got = numbers_of(x, pairs)
    assert got.adf is not None
    assert got.half_life is not None
    for at in np.flatnonzero(~got.doubtful):
        a, b = x[pairs[at]]
        statistic, pvalue, _ = coint(a, b, trend="c", autolag="aic")
        fit = sm.OLS(a, sm.add_constant(b)).fit()
        lag = adfuller(fit.resid, regression="n", autolag="AIC", result_object=False)[2]
        spread = adfuller(fit.resid, regression="c", autolag="AIC", result_object=False)
        assert (got.coint.lag[at], got.adf.lag[at]) == (lag, spread[2])
        np.testing.assert_allclose(
            [got.coint.statistic[at], got.coint.pvalue[at]], [statistic, pvalue], rtol=1e-6
        )
        np.testing.assert_allclose(
            [got.adf.statistic[at], got.adf.pvalue[at]], spread[:2], rtol=1e-6, atol=1e-12
        )
        numbers = [getattr(got.regression, name)[at] for name in ("alpha", "beta", "r_squared")]
        np.testing.assert_allclose(numbers[:2], fit.params, rtol=1e-6, atol=1e-9 * abs(a).max())
        np.testing.assert_allclose(numbers[2], fit.rsquared, rtol=1e-6, atol=1e-9)
        phi = AutoReg(fit.resid, lags=1).fit().params[1]
        want = np.log(0.5) / np.log(phi) if 0 < phi < 1 else np.nan
        np.testing.assert_allclose(got.half_life[at], want, rtol=1e-6)
    return int((~got.doubtful).sum())


@pytest.mark.parametrize("bars", [30, 37, 60, 240, 300])
@pytest.mark.parametrize("prices", ["raw", "log"])
def test_numbers_and_lags_are_those_of_statsmodels(bars: int, prices: str) -> None:
    x = market(bars, bars)
    assert assert_as_statsmodels(np.log(x) if prices == "log" else x) == len(PAIRS)


@pytest.mark.parametrize("scale", [1e-6, 1e5])
def test_at_any_level_of_prices(scale: float) -> None:
    assert assert_as_statsmodels(market(3, 120, scale)) == len(PAIRS)


@pytest.mark.parametrize("jump", [1.0, 1e3, 1e5, 1e7])
@pytest.mark.parametrize("bar", [1, 4, 15, 16, 118, 119])
def test_a_price_that_jumps_at_either_end(bar: int, jump: float) -> None:
    """Its square leaves few digits to the others; where too few, the pair is doubtful."""
    x = market(4, 120, 1.0)
    x[1, bar:] += jump
    x[4, bar] += jump
    assert_as_statsmodels(x)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(30, 200),
    st.sampled_from([1e-4, 1.0, 6e4]),
    st.sampled_from([2, 3, 5]),
    st.booleans(),
)
def test_prices_that_repeat_and_stand_still(
    seed: int, bars: int, scale: float, digits: int, stops: bool
) -> None:
    """Ticks of a price, and a symbol that does not trade for half of the time."""
    x = np.round(market(seed, bars, scale), digits - int(np.log10(scale)))
    if stops:
        x[0, bars // 4 : bars // 2] = x[0, bars // 4]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_as_statsmodels(x, PAIRS[:12])


@pytest.mark.parametrize(
    ("name", "legs"),
    [
        ("collinear", lambda x: [x[0], 2 * x[0] + 1e-9 * x[1]]),
        ("the same", lambda x: [x[0], x[0]]),
        ("a leg that stands still", lambda x: [x[0], np.full_like(x[0], 3.0)]),
        ("both stand still", lambda x: [np.full_like(x[0], 1e5), np.full_like(x[0], 3.0)]),
        ("a leg that hardly moves", lambda x: [x[0], 100 + 1e-13 * x[1]]),
        ("a leg with one move", lambda x: [x[0], np.where(np.arange(len(x[0])) < 50, 1.0, 2.0)]),
    ],
)
def test_what_cannot_be_computed_from_moments_is_told(name: str, legs: object) -> None:
    """It is taken one by one, whether or not there is a number."""
    x = np.array(legs(market(1, 100)))  # type: ignore[operator]
    got = numbers_of(x, PAIRS[:1])
    assert got.half_life is not None
    if not got.doubtful[0]:
        assert_as_statsmodels(x, PAIRS[:1])
        assert name.startswith("a leg")
    else:
        assert np.isnan(got.coint.statistic[0])
        assert np.isnan(got.half_life[0])
    tests = stationarity_of_pairs(x, PAIRS[:1, 0], PAIRS[:1, 1])
    assert tests == [stationarity(x[0], x[1])]
    if name in ("the same", "a leg that stands still", "both stand still"):
        assert tests[0].adf_pvalue is None


def test_collinear_legs_are_as_statsmodels_says() -> None:
    x = market(1, 200)
    a, b = x[0], 2 * x[0] + 1e-6 * x[1]
    assert numbers_of(np.array([a, b]), PAIRS[:1]).doubtful[0]
    got = engle_granger(a, b)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (got.statistic, got.pvalue) == coint(a, b, trend="c", autolag="aic")[:2]
    assert got.statistic == -np.inf


def test_one_by_one_gives_what_many_at_once_give() -> None:
    x = market(5, 150)
    many = numbers_of(x)
    assert many.adf is not None
    for at, (one, other) in enumerate(PAIRS):
        got = engle_granger(x[one], x[other])
        assert got.lag == many.coint.lag[at]
        np.testing.assert_allclose(got[:2], [many.coint[0][at], many.coint[1][at]], rtol=1e-6)
        spread = adf(x[one] - many.regression.beta[at] * x[other])
        np.testing.assert_allclose(spread[0], many.adf.statistic[at], rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1_000),
    st.integers(30, 130),
    st.lists(st.integers(0, len(PAIRS) - 1), min_size=1, max_size=40),
    st.integers(1, 7),
    st.booleans(),
)
def test_a_pair_has_the_same_bits_in_any_company(
    seed: int, bars: int, chosen: list[int], piece: int, fortran: bool
) -> None:
    """Other pairs, other symbols, another order, in pieces of another size, laid out otherwise."""
    x = market(seed, bars)
    whole = stationarity_of_pairs(x, PAIRS[:, 0], PAIRS[:, 1])
    pairs = PAIRS[chosen]
    symbols = sorted({int(symbol) for symbol in pairs.ravel()})[::-1]
    table = np.asfortranarray(x[symbols]) if fortran else x[symbols]
    at_a, at_b = (np.array([symbols.index(int(s)) for s in column]) for column in pairs.T)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spreadlake.quant.cointegration._PIECE", piece)
        part = stationarity_of_pairs(table, at_a, at_b)
    assert part == [whole[at] for at in chosen]


def test_both_ways_at_once() -> None:
    x = market(9, 90)
    moments = LaggedMoments.of(x)
    there, back = spread_tests_both_ways(moments, PAIRS[:, 0], PAIRS[:, 1])
    for way, pairs in ((there, PAIRS), (back, PAIRS[:, ::-1])):
        want = spread_tests(moments, pairs[:, 0], pairs[:, 1])
        np.testing.assert_allclose(way.coint.statistic, want.coint.statistic, rtol=1e-9)
        np.testing.assert_array_equal(way.coint.lag, want.coint.lag)
        assert way.adf is None
        assert way.half_life is None


def test_no_pairs_are_no_rows() -> None:
    none = np.empty(0, dtype=np.int64)
    got = spread_tests(LaggedMoments.of(market(1, 60)), none, none)
    assert got.half_life is not None
    assert len(got.coint.statistic) == len(got.half_life) == 0
    assert stationarity_of_pairs(market(1, 60), none, none) == []


def test_too_few_bars_are_refused() -> None:
    with pytest.raises(ValueError, match="20 bars are too few"):
        LaggedMoments.of(market(1, 20))


@pytest.mark.parametrize("bars", [30, 50, 100, 240, 300, 1_440, 5_000])
def test_most_lags_are_those_of_statsmodels(bars: int) -> None:
    x = np.cumsum(np.random.default_rng(bars).normal(size=bars))
    rows = adfuller(x, autolag=None, result_object=False)
    assert rows[2] == most_lags(bars)


@pytest.mark.parametrize("series", [1, 2])
def test_pvalues_are_mackinnons(series: int) -> None:
    statistics = np.concatenate([np.linspace(-30, 5, 1_000), [np.nan, -np.inf, np.inf]])
    got = pvalues(statistics, series)
    assert np.isnan(got[1_000])
    for statistic, value in zip(statistics, got, strict=True):
        if not np.isnan(statistic):
            np.testing.assert_allclose(value, mackinnonp(statistic, "c", series), rtol=1e-12)
