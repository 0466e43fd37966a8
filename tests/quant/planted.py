"""Markets with pairs that go together among walks that do not, screened.

`python -m tests.quant.planted [BARS]` prints how many pairs were found in 20 markets at q ≤ 0.05,
how many of these are false, and how many planted ones were missed.
"""

import sys

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.screen import ScreenOptions, ranked, screen_all_pairs

MARKETS, SYMBOLS, PLANTED = 20, 40, 12


def market(seed: int, bars: int) -> tuple[Floats, set[frozenset[int]]]:
    """(symbols, bars) closes, and the pairs that go together: of the first, every two."""
    rng = np.random.default_rng(seed)
    logs = np.cumsum(rng.normal(0, 1e-3, (SYMBOLS, bars)), axis=1)
    pairs = set()
    for one in range(0, 2 * PLANTED, 2):
        spread = rng.normal(0, 1e-3, bars)
        for bar in range(1, bars):
            spread[bar] += 0.5 * spread[bar - 1]
        logs[one] = rng.uniform(0.5, 1.5) * logs[one + 1] + spread
        pairs.add(frozenset((one, one + 1)))
    return np.exp(logs), pairs


def counts(bars: int) -> tuple[int, int, int]:
    """Pairs found, false ones among them, and planted ones that were missed."""
    found = false = missed = 0
    for seed in range(MARKETS):
        close, pairs = market(seed, bars)
        names = [str(symbol) for symbol in range(SYMBOLS)]
        rows = screen_all_pairs(names, close, np.ones(SYMBOLS), ScreenOptions(bars))
        kept = ranked(rows, max_qvalue=0.05).select("symbol_a", "symbol_b").rows()
        legs = {frozenset((int(a), int(b))) for a, b in kept}
        found += len(legs)
        false += len(legs - pairs)
        missed += len(pairs - legs)
    return found, false, missed


if __name__ == "__main__":
    print(*counts(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
