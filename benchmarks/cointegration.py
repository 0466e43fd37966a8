"""Engle–Granger tests of many pairs at once against statsmodels' `coint`, pair by pair."""

import itertools
import time

import numpy as np
from statsmodels.tsa.stattools import coint

from spreadlake.quant.cointegration import spread_tests, spread_tests_both_ways
from spreadlake.quant.lagged_moments import LaggedMoments

SYMBOLS, BARS = 100, 240
ONE_BY_ONE = 60
ROUNDS = 5


def main() -> None:
    """Prints one line a figure; processor time, so that other work on the machine counts less."""
    rng = np.random.default_rng(7)
    walks = np.cumsum(rng.normal(0, 1e-3, (SYMBOLS + 1, BARS)), axis=1)
    x = 4.6 + walks[0] + walks[1:]
    pairs = np.array(list(itertools.combinations(range(SYMBOLS), 2)))
    spread_tests(LaggedMoments.of(x), pairs[:1, 0], pairs[:1, 1])  # what is imported at first
    both, live, single = [], [], []
    for _ in range(ROUNDS):
        begin = time.process_time()
        moments = LaggedMoments.of(x)
        spread_tests_both_ways(moments, pairs[:, 0], pairs[:, 1])
        both.append((time.process_time() - begin) / len(pairs))
        begin = time.process_time()
        spread_tests(moments, pairs[:, 0], pairs[:, 1])
        live.append((time.process_time() - begin) / len(pairs))
        begin = time.process_time()
        for a, b in pairs[rng.integers(0, len(pairs), ONE_BY_ONE // ROUNDS)]:
            coint(x[a], x[b], trend="c", autolag="aic")
            coint(x[b], x[a], trend="c", autolag="aic")
        single.append((time.process_time() - begin) / (ONE_BY_ONE // ROUNDS))
    print(
        f"cointegration: {len(pairs):,} pairs of {BARS} bars, both ways with lags by AIC, "
        f"{min(both) * 1e3:.3f} ms a pair; statsmodels' coint {min(single) * 1e3:.1f} ms, ratio "
        f"{min(single) / min(both):.0f}; Engle–Granger, ADF and half-life one way "
        f"{min(live) * 1e3:.3f} ms"
    )
