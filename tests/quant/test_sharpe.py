"""Sharpe ratios of many trials against the papers' own numbers, scipy, and simulated noise."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spreadlake.quant.sharpe import (
    Returns,
    deflate,
    expected_maximum,
    probabilistic_sharpe,
)

YEAR = 250  # of observations, in the papers
# The example of "The Deflated Sharpe Ratio", section "A numerical example": an annual ratio of 2.5,
# the best of trials whose annual ratios have a variance of 1/2, from five years of daily returns.
SHARPE, VARIANCE, OBSERVATIONS, SKEWNESS, KURTOSIS = 2.5, 1 / 2, 1250, -3.0, 10.0


def _of_the_paper(trials: int) -> tuple[float, float]:
    expected = expected_maximum(trials, VARIANCE / YEAR)
    sharpe = SHARPE / math.sqrt(YEAR)
    return expected, probabilistic_sharpe(sharpe, OBSERVATIONS, SKEWNESS, KURTOSIS, expected)


def test_the_papers_example() -> None:
    expected, deflated = _of_the_paper(100)
    assert expected == pytest.approx(0.1132, abs=5e-5)
    assert deflated == pytest.approx(0.9004, abs=5e-5)


def test_the_papers_example_with_fewer_trials() -> None:
    """With 46 trials the same strategy would have been found at 95% confidence; with 47 not."""
    assert _of_the_paper(46)[1] >= 0.95 > _of_the_paper(47)[1]


def test_the_papers_example_with_normal_returns() -> None:
    """There 88 trials would have been as good."""
    expected = expected_maximum(88, VARIANCE / YEAR)
    deflated = probabilistic_sharpe(SHARPE / math.sqrt(YEAR), OBSERVATIONS, 0.0, 3.0, expected)
    assert deflated == pytest.approx(0.95, abs=5e-4)


@given(
    st.floats(-0.5, 0.5),
    st.integers(2, 10_000),
    st.floats(-2, 2),
    st.floats(5, 50),
    st.floats(-0.5, 0.5),
)
def test_probability_is_that_of_the_formula(
    sharpe: float, observations: int, skewness: float, kurtosis: float, benchmark: float
) -> None:
    error = math.sqrt((1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (observations - 1))
    wanted = stats.norm.cdf(sharpe, loc=benchmark, scale=error)
    got = probabilistic_sharpe(sharpe, observations, skewness, kurtosis, benchmark)
    assert got == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("trials", [50, 100, 500, 10_000])
def test_the_best_of_noise_is_what_is_expected(trials: int) -> None:
    draws = np.random.default_rng(trials).normal(0, 0.03, (4_000_000 // trials, trials))
    best = draws.max(axis=1)
    slack = 4 * best.std() / math.sqrt(len(best)) + 0.03 * best.mean()  # it is an approximation
    assert expected_maximum(trials, 0.03**2) == pytest.approx(best.mean(), abs=slack)


def test_of_one_trial_nothing_was_chosen() -> None:
    assert expected_maximum(1, 1.0) == 0
    assert math.isnan(expected_maximum(0, 1.0))
    one = deflate(Returns(1000, np.array([0.1]), np.array([-1.0]), np.array([5.0])))
    assert one.trials == 1
    assert one.deflated[0] == one.probabilistic[0] == probabilistic_sharpe(0.1, 1000, -1.0, 5.0)


def test_trials_are_those_that_have_a_ratio() -> None:
    sharpe = np.array([0.1, np.nan, 0.02, -0.05])
    skewness, kurtosis = np.array([0.0, np.nan, 1.0, 2.0]), np.array([3.0, np.nan, 4.0, 9.0])
    found = deflate(Returns(500, sharpe, skewness, kurtosis))
    known = [0.1, 0.02, -0.05]
    assert found.trials == 3
    assert found.variance == pytest.approx(np.var(known, ddof=1))
    assert found.expected_maximum == expected_maximum(3, found.variance)
    assert np.isnan(found.deflated).tolist() == [False, True, False, False]
    assert np.isnan(found.probabilistic).tolist() == [False, True, False, False]
    wanted = probabilistic_sharpe(0.02, 500, 1.0, 4.0, found.expected_maximum)
    assert found.deflated[2] == wanted
    assert (found.deflated[[0, 2, 3]] < found.probabilistic[[0, 2, 3]]).all()


def test_without_trials_there_is_nothing() -> None:
    none = np.array([np.nan, np.nan])
    found = deflate(Returns(500, none, none, none))
    assert found.trials == 0
    assert math.isnan(found.expected_maximum)
    assert np.isnan(found.deflated).all()


def test_a_ratio_without_deviation_has_no_probability() -> None:
    assert math.isnan(probabilistic_sharpe(1.0, 1, 0.0, 3.0))
    assert math.isnan(probabilistic_sharpe(2.0, 100, 2.5, 5.0))  # 1 − 5 + 4
    assert math.isnan(probabilistic_sharpe(0.1, 100, 0.0, 3.0, math.nan))
