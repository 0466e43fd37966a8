"""A market in which two symbols go together for a while, and then no longer."""

import numpy as np

from tests.analytics_job.markets import EPOCH
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT", "DUSDT"]
TOGETHER = 500
"""Seconds for which AUSDT and BUSDT go together."""


def trades(seconds: int, seed: int = 3) -> list[Trade]:
    """A trade of each symbol in every second."""
    rng = np.random.default_rng(seed)
    walks = np.cumsum(rng.normal(0, 1e-3, (len(SYMBOLS), seconds)), axis=1)
    walks[1, :TOGETHER] = walks[0, :TOGETHER] + rng.normal(0, 1e-3, TOGETHER)
    walks[1, TOGETHER:] += walks[1, TOGETHER - 1] - walks[1, TOGETHER] + 4e-3
    prices = np.round(100 * np.exp(walks), 5)
    return [
        Trade(symbol, at + 1, (EPOCH + at) * 1000 + 100 * row, float(prices[row, at]), 1.0, False)
        for at in range(seconds)
        for row, symbol in enumerate(SYMBOLS)
    ]
