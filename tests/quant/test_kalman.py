"""The Kalman hedge ratio against a scalar filter written out for one row at a time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant import kalman
from spreadlake.quant.arrays import Floats
from spreadlake.quant.kalman import kalman_beta
from spreadlake.quant.legs import Legs
from tests.analytics_job import oracle

START = 1_700_000_000


def _legs(seed: int, pairs: int, bars: int, level: float = 100.0) -> tuple[Floats, Floats]:
    moves = np.random.default_rng(seed).normal(0, 1e-3, (3, pairs, bars))
    a = level * np.exp(np.cumsum(moves[0] + moves[2], axis=1))
    return a, np.asarray(30 * np.exp(np.cumsum(moves[1] + moves[2], axis=1)))


def _betas(
    a: Floats,
    b: Floats,
    lookback: int,
    first: list[int],
    rows: int,
    start: int = START,
    delta: float = 1e-4,
    noise: float = 1e-3,
) -> Floats:
    legs = Legs.of(a, b, start, np.array(first))
    return kalman_beta(legs, legs.windows(lookback, rows), delta, noise)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(2, 50),
    st.sampled_from([1e-6, 1e-4, 0.1]),
    st.sampled_from([1e-6, 1e-3, 1.0]),
    st.sampled_from([1e-5, 1.0, 1e5]),
    st.integers(0, 30),
)
def test_every_row_is_the_scalar_filter_over_its_lookback(
    seed: int, lookback: int, delta: float, noise: float, level: float, begin: int
) -> None:
    a, b = _legs(seed, 2, 70, level)
    first = [START + begin, START]
    got = _betas(a, b, lookback, first, 70, delta=delta, noise=noise)
    for pair in range(2):
        for at in range(first[pair] - START + 1, 70):
            low = max(first[pair] - START, at - lookback + 1)
            window = slice(low, at + 1)
            want = oracle.kalman_beta(list(a[pair, window]), list(b[pair, window]), delta, noise)
            assert math.isclose(got[pair, at], want, rel_tol=1e-7, abs_tol=1e-9 * level)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 40), st.integers(0, 60), st.integers(1, 30))
def test_any_batching_gives_the_same_bits(seed: int, lookback: int, begin: int, rows: int) -> None:
    a, b = _legs(seed, 3, 100)
    first = [START + begin, START - 500, START + 3]
    whole = _betas(a, b, lookback, first, 100)
    for end in (70, 100):
        low = max(0, end - rows - lookback)
        piece = _betas(a[:, low:end], b[:, low:end], lookback, first, rows, START + low)
        inside = np.arange(end - rows, end) + START >= np.array(first)[:, None]
        inside[1] &= np.arange(end - rows, end) >= lookback - 1
        np.testing.assert_array_equal(piece[inside], whole[:, end - rows : end][inside])


def test_pieces_within_a_call_and_single_pairs_give_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = _legs(4, 3, 400)
    first = [START, START + 50, START + 390]
    whole = _betas(a, b, 60, first, 400)
    monkeypatch.setattr(kalman, "_CELLS", 40)
    np.testing.assert_array_equal(_betas(a, b, 60, first, 400), whole)
    for pair in range(3):
        one = slice(pair, pair + 1)
        np.testing.assert_array_equal(_betas(a[one], b[one], 60, first[one], 400), whole[one])


def test_the_beta_of_an_exact_line_is_found() -> None:
    _, b = _legs(5, 1, 120)
    got = _betas(3.5 * b + 7, b, 60, [START], 61)
    np.testing.assert_allclose(got, 3.5, rtol=1e-3)


def test_it_follows_a_hedge_ratio_that_moves() -> None:
    """Beta steps from 1 to 2 half way through the lookback: OLS would say something between."""
    _, b = _legs(6, 1, 200)
    b = b * (1 + 0.05 * np.sin(np.arange(200) / 3))
    a = np.where(np.arange(200) < 100, b, 2 * b - b[0, 100])
    got = _betas(a, b, 200, [START], 1, delta=1e-2)[0, 0]
    assert abs(got - 2) < 0.02


def test_a_leg_that_does_not_vary_has_no_beta() -> None:
    a, b = _legs(7, 1, 50)
    flat = np.full((1, 50), 0.1)
    assert np.isnan(_betas(flat, b, 20, [START], 50)).all()
    assert np.isnan(_betas(a, flat, 20, [START], 50)).all()
