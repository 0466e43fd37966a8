"""Rolling moments against exact sums, and the same bits however the bars were cut into batches."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant.arrays import Floats
from spreadlake.quant.rolling import rolling_sum
from tests.analytics_job import oracle
from tests.quant.moments import rolling_moments

FIELDS = ("n", "mean_a", "mean_b", "saa", "sbb", "sab")
LEVELS = [1e-5, 1.0, 100.0, 1e5]
# Real numbers of bars since 1970, on and beside the borders of blocks.
START = 1_700_000_000


def _prices(seed: int, pairs: int, columns: int, level: float, step: float) -> Floats:
    moves = np.random.default_rng(seed).normal(0, step, (pairs, columns))
    return np.asarray(np.round(level * np.exp(np.cumsum(moves, axis=1)), 10), dtype=np.float64)


def _exact(a: list[float], b: list[float]) -> dict[str, float]:
    """Moments of one window with exact sums, from the definition."""
    da, db = oracle.from_mean(a), oracle.from_mean(b)
    return {
        "n": float(len(a)),
        "mean_a": oracle.mean(a),
        "mean_b": oracle.mean(b),
        "saa": math.fsum(x * x for x in da),
        "sbb": math.fsum(y * y for y in db),
        "sab": math.fsum(x * y for x, y in zip(da, db, strict=True)),
    }


def _assert_exact(a: Floats, b: Floats, width: int, start: int, first: list[int]) -> None:
    columns = a.shape[1]
    moments = rolling_moments(a, b, width, start, np.array(first), columns)
    for pair in range(len(a)):
        begin = max(first[pair] - start, 0)
        for column in range(max(begin, 0 if first[pair] >= start else width - 1), columns):
            low = max(begin, column - width + 1)
            window = slice(low, column + 1)
            exact = _exact(list(a[pair, window]), list(b[pair, window]))
            # Deviations have the size of the legs' own; a mean has the size of the price.
            scale = {
                "saa": exact["saa"],
                "sbb": exact["sbb"],
                "sab": math.sqrt(exact["saa"] * exact["sbb"]),
            }
            for name in FIELDS:
                got = getattr(moments, name)[pair, column]
                slack = 1e-11 * scale.get(name, abs(exact[name]) / 1e3)
                assert abs(got - exact[name]) <= slack, (name, pair, column, got, exact[name])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 40),
    st.integers(1, 90),
    st.integers(0, 200),
    st.sampled_from(LEVELS),
    st.sampled_from(LEVELS),
    st.sampled_from([1e-7, 1e-4, 0.05]),
    st.integers(-20, 60),
)
def test_moments_are_those_of_exact_sums(
    seed: int,
    width: int,
    columns: int,
    shift: int,
    level_a: float,
    level_b: float,
    step: float,
    begin: int,
) -> None:
    start = START + shift
    a = _prices(seed, 2, columns, level_a, step)
    b = _prices(seed + 1, 2, columns, level_b, step)
    _assert_exact(a, b, width, start, [start + begin, start])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 50),
    st.integers(0, 130),
    st.lists(st.integers(1, 119), max_size=6),
    st.sampled_from(LEVELS),
    st.integers(-5, 40),
)
def test_any_cut_into_batches_gives_the_same_bits(
    seed: int, width: int, shift: int, cuts: list[int], level: float, begin: int
) -> None:
    columns, start = 120, START + shift
    a, b = _prices(seed, 3, columns, level, 1e-3), _prices(seed + 9, 3, columns, 7.0, 1e-2)
    first = np.array([start + begin, start - 1000, start + 7])
    before = width - 1  # what a window needs ahead of a batch's first bar
    whole = rolling_moments(a, b, width, start, first, columns)
    sums = rolling_sum(np.abs(a), width, start, first, columns)
    for low, high in _pieces(before, columns, cuts):
        part = slice(low - before, high)
        piece = rolling_moments(
            a[:, part], b[:, part], width, start + low - before, first, high - low
        )
        piece_sum = rolling_sum(np.abs(a[:, part]), width, start + low - before, first, high - low)
        has_bars = np.arange(low, high) + start >= first[:, None]
        for name in FIELDS:
            _assert_same_bits(getattr(piece, name), getattr(whole, name)[:, low:high], has_bars)
        _assert_same_bits(piece_sum, sums[:, low:high], has_bars)


def _pieces(low: int, high: int, cuts: list[int]) -> list[tuple[int, int]]:
    bounds = sorted({low, high, *(cut for cut in cuts if low < cut < high)})
    return list(pairwise(bounds)) if low < high else []


@pytest.mark.parametrize("width", [1, 7, 300, 3_600])
def test_long_batches_give_the_same_bits_as_single_rows_and_single_pairs(width: int) -> None:
    columns, start = 20_000, START + 11
    a, b = _prices(5, 3, columns, 100.0, 1e-3), _prices(6, 3, columns, 1e-4, 1e-2)
    first = np.array([start - 5, start, start + 9_000])
    whole = rolling_moments(a, b, width, start, first, columns)
    for low, high in [(4_000, 4_001), (8_191, 8_193), (9_100, 13_000), (19_000, 20_000)]:
        begin = low - width + 1
        for pair in range(3):
            one = slice(pair, pair + 1)
            piece = rolling_moments(
                a[one, begin:high], b[one, begin:high], width, start + begin, first[one], high - low
            )
            has_bars = np.arange(low, high)[None] + start >= first[one, None]
            for name in FIELDS:
                want = getattr(whole, name)[one, low:high]
                _assert_same_bits(getattr(piece, name), want, has_bars)


def _assert_same_bits(x: Floats, y: Floats, where: Any) -> None:
    np.testing.assert_array_equal(x[where].view(np.int64), y[where].view(np.int64))


@settings(max_examples=30, deadline=None)
@given(
    st.floats(1e-8, 1e6),
    st.floats(1e-4, 1e6),  # prices have ten decimals here: less would stand still as well
    st.integers(1, 20),
    st.integers(0, 30),
)
def test_a_constant_price_has_exactly_no_variance(
    price: float, level: float, width: int, shift: int
) -> None:
    constant, moving = np.full((1, 50), price), _prices(3, 1, 50, level, 1e-2)
    first = np.array([START + shift])
    m = rolling_moments(constant, moving, width, START + shift, first, 50)
    assert (m.saa == 0).all()
    assert (m.sab == 0).all()
    assert (m.mean_a == price).all()
    if width > 1:
        assert (m.sbb[0, 1:] > 0).all()


@pytest.mark.parametrize("level", LEVELS)
def test_constant_within_each_window_only(level: float) -> None:
    """A step from one constant to another: exactly zero again once the window has passed it."""
    prices = np.concatenate([np.full((1, 30), level), np.full((1, 30), level * 1.01)], axis=1)
    m = rolling_moments(prices, prices, 5, START, np.array([START]), 60)
    steps = np.arange(60)
    varies = (steps >= 30) & (steps < 34)
    assert ((m.saa[0] > 0) == varies).all()


def test_columns_before_the_first_bar_are_not_read() -> None:
    a, b = _prices(1, 1, 40, 100.0, 0.01), _prices(2, 1, 40, 50.0, 0.01)
    first = np.array([START + 13])
    with_nan_a, with_nan_b = a.copy(), b.copy()
    with_nan_a[:, :13], with_nan_b[:, :13] = np.nan, np.nan
    want = rolling_moments(a[:, 13:], b[:, 13:], 6, START + 13, first, 27)
    got = rolling_moments(with_nan_a, with_nan_b, 6, START, first, 27)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))


def test_a_window_larger_than_the_history_takes_what_there_is() -> None:
    a, b = _prices(1, 1, 25, 100.0, 0.01), _prices(2, 1, 25, 50.0, 0.01)
    m = rolling_moments(a, b, 100_000, START, np.array([START]), 25)
    assert m.n.tolist() == [list(range(1, 26))]
    _assert_exact(a, b, 100_000, START, [START])


def test_a_long_window_far_from_its_mean_keeps_nine_digits() -> None:
    """A steady trend is the worst case for sums about the block's start."""
    a = np.linspace(100_000.0, 200_000.0, 7_000)[None, :]
    b = 1e-5 + np.linspace(0.0, 1e-12, 7_000)[None, :]
    m = rolling_moments(a, b, 3_600, START, np.array([START]), 1)
    exact = _exact(list(a[0, -3_600:]), list(b[0, -3_600:]))
    for name in ("saa", "sbb", "sab"):
        assert math.isclose(getattr(m, name)[0, 0], exact[name], rel_tol=1e-9), name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(0, 60), st.integers(-10, 20))
def test_rolling_sum_is_the_exact_sum(seed: int, width: int, shift: int, begin: int) -> None:
    start = START + shift
    x = np.random.default_rng(seed).lognormal(3, 4, (1, 60))
    sums = rolling_sum(x, width, start, np.array([start + begin]), 60)
    first = max(begin, 0)
    for column in range(first if begin >= 0 else width - 1, 60):
        exact = math.fsum(x[0, max(first, column - width + 1) : column + 1])
        assert math.isclose(sums[0, column], exact, rel_tol=1e-13)
