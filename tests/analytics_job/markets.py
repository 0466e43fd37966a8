"""Trades of made-up markets: seeded, so that every run sees the same."""

from collections.abc import Sequence

import numpy as np

from tests.trades import Trade

EPOCH = 1_699_999_200  # a whole hour
EPOCH_MS = EPOCH * 1000


def walk(
    symbols: Sequence[str],
    seconds: int,
    seed: int = 1,
    per_second: float = 2.0,
    start: int = EPOCH,
) -> list[Trade]:
    """About `per_second` trades of each symbol a second, in order of time.

    Symbols share half of their moves; ids rise by 1 per symbol, and times may be equal.
    """
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(0, 3e-4, seconds))
    rows: list[tuple[int, int, Trade]] = []
    for number, symbol in enumerate(symbols):
        own = common + np.cumsum(rng.normal(0, 3e-4, seconds))
        times = np.sort(rng.integers(0, seconds * 1000, int(seconds * per_second)))
        jitter = rng.normal(0, 5e-5, len(times))
        prices = np.round(100 * (number + 1) * np.exp(own[times // 1000] + jitter), 4)
        sizes = np.round(rng.lognormal(0, 1, len(times)), 3) + 0.001
        makers = rng.random(len(times)) < 0.5
        for k, time in enumerate(times):
            trade = Trade(
                symbol,
                k + 1,
                start * 1000 + int(time),
                float(prices[k]),
                float(sizes[k]),
                bool(makers[k]),
            )
            rows.append((trade.time_ms, number, trade))
    return [trade for _, _, trade in sorted(rows, key=lambda row: row[:2])]
