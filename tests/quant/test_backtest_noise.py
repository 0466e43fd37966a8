"""Noise earns nothing before costs: one that does not, on average, looks ahead."""

import numpy as np
import pytest

from spreadlake.quant.arrays import Floats
from tests.quant.backtest_noise import earned, mean_and_error

ERRORS = 3
"""Standard errors within which a mean of 200 markets is what it is thought to be."""


@pytest.fixture(scope="module")
def found() -> tuple[Floats, Floats]:
    return earned(1_000)


def test_noise_loses_its_costs(found: tuple[Floats, Floats]) -> None:
    trades, gross, fees, net = found[0].T
    assert trades.sum() > 1_000
    mean, error = mean_and_error(gross)
    assert abs(mean) < ERRORS * error
    np.testing.assert_allclose(net, gross - fees, rtol=1e-9, atol=1e-9)
    mean, error = mean_and_error(net)
    assert mean < -ERRORS * error
    assert abs(mean + fees.mean()) < ERRORS * error


def test_a_look_ahead_of_one_bar_would_be_seen(found: tuple[Floats, Floats]) -> None:
    mean, error = mean_and_error(found[1][:, 1])
    assert abs(mean) > 3 * ERRORS * error
