"""Choosing among noise earns nothing before costs, and loses them."""

import numpy as np

from tests.quant.backtest_noise import mean_and_error
from tests.research.screen_noise import earned


def test_pairs_chosen_from_noise_lose_their_costs() -> None:
    now, _ = earned(4)
    trades, gross, fees, net = now.T
    assert trades.min() > 50
    mean, error = mean_and_error(gross)
    assert abs(mean) < 4 * error  # of few markets: the figures in docs/backtest.md are of 40
    np.testing.assert_allclose(net, gross - fees, rtol=1e-9, atol=1e-6)
    assert net.mean() < 0
