"""Pair analytics against statsmodels, pandas and exact arithmetic."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.rolling import RollingOLS

from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Floats
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.legs import Legs
from spreadlake.quant.pair_rows import Noise, PairRows, pair_rows
from spreadlake.quant.pair_stats import (
    Hedge,
    Spread,
    correlation,
    hedge_ratio,
    spread_zscore,
)
from spreadlake.quant.rolling import Moments
from tests.quant.moments import rolling_moments

START = 1_700_000_000
FIRST = np.array([START])
LEVELS = [(1e-5, 1e5), (0.37, 1.0), (61_234.5, 2_687.1)]


def _legs(seed: int, bars: int, level_a: float = 100.0, level_b: float = 50.0) -> Any:
    """(1, bars) closes of two legs that share half of their moves."""
    moves = np.random.default_rng(seed).normal(0, 1e-3, (3, bars))
    a = level_a * np.exp(np.cumsum(moves[0] + moves[2]))
    b = level_b * np.exp(np.cumsum(moves[1] + moves[2]))
    return a[None, :], b[None, :]


def _moments(a: Floats, b: Floats, width: int) -> Moments:
    return rolling_moments(a, b, width, START, FIRST, a.shape[1])


def _hedge(a: Floats, b: Floats, width: int) -> Hedge:
    return hedge_ratio(Legs.of(a, b, START), _moments(a, b, width))


def _analyse(a: Floats, b: Floats, window: int, lookback: int) -> tuple[Hedge, Spread]:
    hedge = _hedge(a, b, lookback)
    return hedge, spread_zscore(Legs.of(a, b, START), hedge.beta, _moments(a, b, window))


@pytest.mark.parametrize(("level_a", "level_b"), LEVELS)
def test_hedge_ratio_is_rolling_ols(level_a: float, level_b: float) -> None:
    a, b = _legs(1, 400, level_a, level_b)
    hedge = _hedge(a, b, 60)
    # statsmodels inverts X'X, which loses digits where B hardly moves about a far mean: it is
    # given the same regression about the prices' start.
    x = sm.add_constant(b[0] / b[0, 0] - 1)
    fit = RollingOLS(a[0] / a[0, 0] - 1, x, window=60, min_nobs=3, expanding=True).fit()
    unit = a[0, 0] / b[0, 0]
    for got, want in (
        (hedge.beta[0], fit.params[:, 1] * unit),
        (hedge.beta_stderr[0], fit.bse[:, 1] * unit),
        (hedge.r_squared[0], fit.rsquared),
        (hedge.alpha[0] / a[0, 0], 1 + fit.params[:, 0] - fit.params[:, 1]),
    ):
        np.testing.assert_allclose(got[59:], want[59:], rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(got[5:59], want[5:59], rtol=1e-6, atol=1e-9)


def test_hedge_ratio_is_ols_of_the_last_bars() -> None:
    a, b = _legs(2, 300)
    hedge = _hedge(a, b, 120)
    for at in (2, 10, 119, 120, 299):
        low = max(0, at - 119)
        fit = sm.OLS(a[0, low : at + 1], sm.add_constant(b[0, low : at + 1])).fit()
        got = [x[0, at] for x in (hedge.alpha, hedge.beta, hedge.beta_stderr, hedge.r_squared)]
        np.testing.assert_allclose(got, [*fit.params, fit.bse[1], fit.rsquared], rtol=1e-8)


@pytest.mark.parametrize(("level_a", "level_b"), LEVELS)
@pytest.mark.parametrize("window", [2, 3, 30, 119])
def test_correlations_are_those_of_pandas(level_a: float, level_b: float, window: int) -> None:
    a, b = _legs(3, 250, level_a, level_b)
    frame = pd.DataFrame({"a": a[0] / level_a, "b": b[0] / level_b})
    want = frame["a"].rolling(window).corr(frame["b"])
    got = correlation(_moments(a, b, window))[0]
    np.testing.assert_allclose(got[window - 1 :], want[window - 1 :], atol=1e-8)
    if window > 2:
        returns = {name: pd.Series(np.log(frame[name])).diff() for name in ("a", "b")}
        want = returns["a"].rolling(window - 1).corr(returns["b"])
        got = correlation(_returns(a, b, window))[0]
        np.testing.assert_allclose(got[window - 1 :], want[window - 1 :], atol=1e-8)


def _returns(a: Floats, b: Floats, window: int) -> Moments:
    returns = Legs.of(a, b, START).logs().steps()
    return returns.moments(returns.windows(window - 1, a.shape[1]))


def test_one_return_has_no_correlation() -> None:
    a, b = _legs(3, 20)
    assert np.isnan(correlation(_returns(a, b, 2))).all()


@pytest.mark.parametrize("window", [2, 17, 60])
def test_volatility_and_volume_are_those_of_pandas(window: int) -> None:
    a, b = _legs(4, 200, 1e-5, 1e5)
    rows = _rows(a, b, window, 80)
    for name, prices in (("volatility_a", a[0]), ("volatility_b", b[0])):
        want = pd.Series(np.log(prices)).diff().rolling(window - 1).std()
        got = rows.numbers[name][0]
        np.testing.assert_allclose(got[window - 1 :], want[window - 1 :], rtol=1e-6)
    for at, name in enumerate(("volume_a", "volume_b")):
        want = pd.Series(_quotes(200)[at]).rolling(window).sum()
        got = rows.numbers[name][0]
        np.testing.assert_allclose(got[window - 1 :], want[window - 1 :], rtol=1e-9)


def _rows(a: Floats, b: Floats, window: int, lookback: int) -> PairRows:
    bars = a.shape[1]
    closes = CloseMatrix(
        1,
        START,
        ("A", "B"),
        np.concatenate([a, b]),
        np.ones((2, bars), dtype=np.bool_),
        _quotes(bars),
        np.array([START, START]),
    )
    noise = Noise(1e-4, 1e-3)
    return next(pair_rows(closes, [Pair("A", "B")], [window], [lookback], 30, noise, bars))


def _quotes(bars: int) -> Floats:
    return np.random.default_rng(9).lognormal(8, 3, (2, bars))


@pytest.mark.parametrize(("level_a", "level_b"), LEVELS)
@pytest.mark.parametrize(("window", "lookback"), [(2, 5), (30, 60), (60, 30), (90, 500)])
def test_zscore_is_that_of_the_loop(
    level_a: float, level_b: float, window: int, lookback: int
) -> None:
    a, b = _legs(5, 140, level_a, level_b)
    hedge, spread = _analyse(a, b, window, lookback)
    for at in range(max(window - 1, 2), 140):  # OLS through two bars leaves no spread
        beta = hedge.beta[0, at]
        low = at - window + 1
        spreads = [x - beta * y for x, y in zip(a[0, low : at + 1], b[0, low : at + 1])]  # noqa: B905
        mean = math.fsum(spreads) / window
        std = math.sqrt(math.fsum((s - mean) ** 2 for s in spreads) / (window - 1))
        assert spread.spread[0, at] == spreads[-1]
        assert math.isclose(spread.mean[0, at], mean, rel_tol=1e-12, abs_tol=1e-12 * level_a)
        assert math.isclose(spread.std[0, at], std, rel_tol=1e-8)
        assert math.isclose(spread.zscore[0, at], (spreads[-1] - mean) / std, abs_tol=1e-7)


def test_beta_is_frozen_over_the_window() -> None:
    """Where beta wanders, the z-score of per-bar betas is another number."""
    steps = np.arange(400)
    b = 100 + np.sin(steps / 9.0)[None, :]
    a = (50 + np.sin(steps / 60.0) * b[0] + np.cos(steps / 7.0))[None, :]
    hedge, spread = _analyse(a, b, 40, 80)
    per_bar = pd.Series(a[0] - hedge.beta[0] * b[0])
    wrong = (per_bar - per_bar.rolling(40).mean()) / per_bar.rolling(40).std()
    differs = np.abs(wrong.to_numpy() - spread.zscore[0])[100:] > 0.1
    assert differs.mean() > 0.5
    for at in (100, 200, 399):
        frozen = a[0, at - 39 : at + 1] - hedge.beta[0, at] * b[0, at - 39 : at + 1]
        want = (frozen[-1] - frozen.mean()) / frozen.std(ddof=1)
        assert math.isclose(spread.zscore[0, at], want, rel_tol=1e-9)


def _exactly(a: Floats, b: Floats, beta: float) -> tuple[float, float, float]:
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


def _assert_digits_are_kept(a: Floats, b: Floats) -> None:
    """In windows of 60 of the 90 bars, against rational arithmetic."""
    hedge, spread = _analyse(a, b, 60, 60)
    for at in (59, 75, 89):
        window = slice(at - 59, at + 1)
        stderr, std, z = _exactly(a[0, window], b[0, window], hedge.beta[0, at])
        assert math.isclose(hedge.beta_stderr[0, at], stderr, rel_tol=1e-7)
        assert math.isclose(spread.std[0, at], std, rel_tol=1e-7)
        assert math.isclose(spread.zscore[0, at], z, abs_tol=1e-7)


@pytest.mark.parametrize("level", [1e-5, 1.0, 1e5])
@pytest.mark.parametrize("noise", [1e-4, 1e-6, 1e-8, 1e-10])
def test_a_spread_far_smaller_than_its_legs_keeps_its_digits(level: float, noise: float) -> None:
    """A = 2B + noise, with noise down to a hundred thousand times less than the legs move."""
    _, b = _legs(6, 90, 1.0, level)
    a = 2 * b + level * noise * np.random.default_rng(7).normal(size=(1, 90))
    _assert_digits_are_kept(a, b)


@pytest.mark.parametrize("level", [1e-5, 1.0, 1e5])
@pytest.mark.parametrize("moves", [1e-7, 1e-9, 1e-11, 1e-13])
def test_a_spread_far_smaller_than_the_prices_keeps_its_digits(level: float, moves: float) -> None:
    """Legs that move on their own, by a few units in their last places at the least."""
    rng = np.random.default_rng(12)
    a, b = (level * (1 + moves * rng.normal(size=(2, 1, 90)))) * [[[3.0]], [[1.0]]]
    _assert_digits_are_kept(a, b)


@pytest.mark.parametrize("level", [1e-5, 0.1, 61_234.5])
def test_an_exact_multiple_has_no_zscore(level: float) -> None:
    _, b = _legs(8, 120, 1.0, level)
    hedge, spread = _analyse(2 * b, b, 30, 60)
    ready = slice(29, None)
    np.testing.assert_allclose(hedge.beta[0, ready], 2.0, rtol=1e-12)
    assert (spread.std[0, ready] == 0).all()
    assert np.isnan(spread.zscore).all()
    np.testing.assert_allclose(hedge.beta_stderr[0, ready], 0.0, atol=1e-12)
    np.testing.assert_allclose(hedge.r_squared[0, ready], 1.0, rtol=1e-12)
    close = correlation(_moments(2 * b, b, 30))[0, ready]
    assert (close <= 1).all()
    np.testing.assert_allclose(close, 1.0, rtol=1e-12)


def test_a_flat_leg_a_has_a_hedge_ratio_of_zero_and_no_zscore() -> None:
    _, b = _legs(9, 60)
    a = np.full((1, 60), 61_234.57)
    hedge, spread = _analyse(a, b, 20, 30)
    ready = slice(19, None)
    assert (hedge.beta[0, ready] == 0).all()
    assert (hedge.alpha[0, ready] == 61_234.57).all()
    assert np.isnan(hedge.r_squared[0, ready]).all()
    assert (spread.std[0, ready] == 0).all()
    assert np.isnan(spread.zscore[0, ready]).all()
    assert np.isnan(correlation(_moments(a, b, 20))).all()


def test_a_flat_leg_b_has_no_hedge_ratio() -> None:
    a, _ = _legs(9, 60)
    b = np.full((1, 60), 0.1)
    hedge, spread = _analyse(a, b, 20, 30)
    for numbers in (hedge.alpha, hedge.beta, hedge.beta_stderr, hedge.r_squared):
        assert np.isnan(numbers).all()
    for numbers in (spread.spread, spread.mean, spread.std, spread.zscore):
        assert np.isnan(numbers).all()
    assert np.isnan(correlation(_moments(a, b, 20))).all()


def test_legs_flat_over_the_window_but_not_over_the_lookback() -> None:
    a, b = _legs(10, 80)
    a[0, 50:], b[0, 50:] = 100.0, 50.0
    hedge, spread = _analyse(a, b, 20, 60)
    assert np.isfinite(hedge.beta[0, 69:]).all()
    assert np.isfinite(spread.zscore[0, 60])
    assert (spread.std[0, 69:] == 0).all()
    assert np.isnan(spread.zscore[0, 69:]).all()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.sampled_from([1e-3, 1e-7, 1e-12, 0.0]),
    st.integers(2, 40),
    st.integers(2, 70),
    st.lists(st.integers(70, 148), max_size=4),
    st.integers(0, 100),
)
def test_any_batching_gives_the_same_bits(
    seed: int, noise: float, window: int, lookback: int, cuts: list[int], shift: int
) -> None:
    """Also where some windows are taken one by one."""
    start = START + shift
    a, b = _legs(seed, 149)
    a[0, 40:] = 2 * b[0, 40:] + noise * np.random.default_rng(seed).normal(size=109)
    whole = _closes_rows(a, b, start, window, lookback, 149)
    for low, high in [(low, min(low + 3, 149)) for low in cuts] or [(148, 149)]:
        begin = low - max(window, lookback, 31)
        piece = _closes_rows(
            a[:, max(begin, 0) : high],
            b[:, max(begin, 0) : high],
            start + max(begin, 0),
            window,
            lookback,
            high - low,
            first=start,
        )
        for name, numbers in piece.numbers.items():
            want = whole.numbers[name][:, low:high]
            assert numbers.tobytes() == want.tobytes(), name


def _closes_rows(
    a: Floats, b: Floats, start: int, window: int, lookback: int, rows: int, first: int = -1
) -> PairRows:
    bars = a.shape[1]
    firsts = np.full(2, start if first < 0 else first)
    closes = CloseMatrix(
        1,
        start,
        ("A", "B"),
        np.concatenate([a, b]),
        np.ones((2, bars), dtype=np.bool_),
        np.ones((2, bars)),
        firsts,
    )
    noise = Noise(1e-4, 1e-3)
    return next(pair_rows(closes, [Pair("A", "B")], [window], [lookback], 30, noise, rows))


def test_nothing_in_a_row_comes_from_after_it() -> None:
    a, b = _legs(11, 200)
    before = _rows(a, b, 30, 60)
    a[0, 150:], b[0, 150:] = 7.0, np.linspace(1, 2, 50)
    after = _rows(a, b, 30, 60)
    for name, numbers in before.numbers.items():
        assert numbers[:, :150].tobytes() == after.numbers[name][:, :150].tobytes(), name
