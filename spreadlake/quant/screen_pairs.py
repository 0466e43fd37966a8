"""What a screen measures of some pairs: both directions, the better one kept. Pure.

Numbers without meaning are NaN.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.quant.cointegration import SpreadTests, half_lives, spread_tests_both_ways
from spreadlake.quant.lagged_moments import LaggedMoments
from spreadlake.quant.legs import Legs
from spreadlake.quant.pair_stats import correlation, spread_zscore
from spreadlake.quant.rolling import LegWindows
from spreadlake.quant.unit_root import engle_granger

MARKET_PIECE = 2_048
"""Pairs at a time: enough that calls cost little, and few enough for the memory of a process."""

# A spread whose deviation is a smaller share of its legs than that is rounding.
_FLAT = 1e-14


class Market(NamedTuple):
    """The symbols of a screen, side by side.

    moments: of their prices over the lookback. closes, returns: (symbols, bars) prices and log
    returns up to the screen's bar as legs of no pair yet. window, returned: their rolling moments
    over the window. level: (symbols,) of what size the prices are, for their rounding.
    """

    moments: LaggedMoments
    closes: Legs
    returns: Legs
    window: LegWindows
    returned: LegWindows
    level: Floats


class _Way(NamedTuple):
    """One direction of some pairs, (pairs,) each, and its residuals (pairs, bars)."""

    statistic: Floats
    pvalue: Floats
    lag: Floats
    beta: Floats
    alpha: Floats
    r_squared: Floats
    flat: Bools
    residuals: Floats


def measured(market: Market, one: Ints, other: Ints) -> dict[str, Floats]:
    """Numbers (pairs,) of the pairs of the symbols `one` and `other`, by name.

    `at_a` and `at_b` say which leg is which in the direction that was kept: the one with the
    smaller p-value, or `one` on `other` where they are the same.
    """
    tests = spread_tests_both_ways(market.moments, one, other)
    ways = _way(market, tests[0], one, other), _way(market, tests[1], other, one)
    turned = ~(ways[0].pvalue <= ways[1].pvalue) & ~np.isnan(ways[1].pvalue)
    kept = _Way(*(_either(turned, there, back) for there, back in zip(*ways, strict=True)))
    a, b = np.where(turned, other, one), np.where(turned, one, other)
    legs = market.closes.of_pairs(a, b)
    spread = spread_zscore(legs, kept.beta[:, None], legs.moments(market.window))
    returns = market.returns.of_pairs(a, b)
    last_a, last_b = (close[:, 0] for close in legs.last(1))
    still = kept.flat | ~(spread.std[:, 0] > 0)
    return {
        "at_a": a.astype(np.float64),
        "at_b": b.astype(np.float64),
        "coint_t": kept.statistic,
        "coint_lag": kept.lag,
        "coint_pvalue": kept.pvalue,
        "beta": kept.beta,
        "alpha": kept.alpha,
        "r_squared": kept.r_squared,
        "return_correlation": correlation(returns.moments(market.returned))[:, 0],
        "half_life": np.where(kept.flat, np.nan, half_lives(kept.residuals)),
        "crossings": np.where(kept.flat, np.nan, _crossings(kept.residuals)),
        "spread": spread.spread[:, 0],
        "zscore": np.where(still, np.nan, spread.zscore[:, 0]),
        "deviation": np.where(still, np.nan, spread.std[:, 0]),
        "last_a": last_a,
        "last_b": last_b,
    }


def _either(turned: Bools, there: NDArray[Any], back: NDArray[Any]) -> NDArray[Any]:
    return np.where(turned[:, None] if there.ndim == 2 else turned, back, there)


def _way(market: Market, tests: SpreadTests, at_a: Ints, at_b: Ints) -> _Way:
    x, regression, residuals = market.moments.x, tests.regression, tests.residuals
    size = market.level[at_a] + np.abs(regression.beta) * market.level[at_b]
    flat = np.abs(residuals).max(axis=1) <= _FLAT * size
    statistic, pvalue = tests.coint.statistic.copy(), tests.coint.pvalue.copy()
    lag = tests.coint.lag.astype(np.float64)
    for at in np.flatnonzero(tests.doubtful & ~flat):
        statistic[at], pvalue[at], lag[at] = engle_granger(x[at_a[at]], x[at_b[at]])
    pvalue[flat] = np.nan
    unknown = flat | ~np.isfinite(statistic)  # −∞ of legs that are all but collinear
    statistic[unknown] = lag[unknown] = np.nan
    return _Way(
        statistic,
        pvalue,
        lag,
        regression.beta,
        regression.alpha,
        regression.r_squared,
        flat,
        residuals,
    )


def _crossings(residuals: Floats) -> Floats:
    """Changes of sign, by row; a residual that is 0 is on neither side."""
    positive = residuals > 0
    changes: Floats = (positive[:, 1:] != positive[:, :-1]).sum(axis=1).astype(np.float64)
    for row in np.flatnonzero((residuals == 0).any(axis=1)):
        signs = np.sign(residuals[row][residuals[row] != 0])
        changes[row] = np.count_nonzero(np.diff(signs))
    return changes
