"""Noise earns nothing before costs: one that does not, on average, looks ahead."""

import numpy as np
import pytest

from spreadlake.quant.arrays import Floats
from tests.quant.backtest_noise import earned, mean_and_error

ERRORS = 3
"""Standard errors within which a mean of 200 markets is what it is thought to be."""


@pytest.fixture(scope="module")
def found() -> Floats:
    return earned(1_000)


def test_noise_loses_its_costs(found: Floats) -> None:
    _, gross, fees, net = found.T
    assert found[:, 0].sum() > 1_000  # trades
    mean, error = mean_and_error(gross)
    assert abs(mean) < ERRORS * error
    np.testing.assert_allclose(net, gross - fees, rtol=1e-9, atol=1e-9)
    mean, error = mean_and_error(net)
    assert mean < -ERRORS * error
    assert abs(mean + fees.mean()) < ERRORS * error


def test_a_look_ahead_of_one_bar_would_be_seen(found: Floats) -> None:
    mean, error = mean_and_error(earned(1_000, ahead=1)[:, 1])
    assert abs(mean) > 3 * ERRORS * error
