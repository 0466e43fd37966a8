"""What a screen measures of some pairs: both directions, the better one kept. Pure.

Numbers without meaning are NaN.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.cointegration import SpreadTests, half_lives, spread_tests_both_ways
from spreadlake.quant.lagged_moments import LaggedMoments
from spreadlake.quant.rolling import Floats, Ints
from spreadlake.quant.unit_root import engle_granger

MARKET_PIECE = 512
"""Pairs at a time: what is computed on stays in the processor's cache."""

# A spread whose deviation is a smaller share of its legs than that is rounding.
_FLAT = 1e-14


class Market(NamedTuple):
    """The symbols of a screen, side by side.

    moments: of their prices over the lookback. within: (symbols, window) the last prices less
    their mean over the lookback, NaN where there are none. last: (symbols,) the last price.
    returns: (symbols, window − 1) log returns less their mean. level: (symbols,) of what size
    the prices are, for their rounding.
    """

    moments: LaggedMoments
    within: Floats
    last: Floats
    returns: Floats
    level: Floats


class _Way(NamedTuple):
    """One direction of some pairs, (pairs,) each, and its residuals (pairs, bars)."""

    statistic: Floats
    pvalue: Floats
    lag: Floats
    beta: Floats
    alpha: Floats
    r_squared: Floats
    flat: NDArray[np.bool_]
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
    last_a, last_b = market.last[a], market.last[b]
    zscore, deviation = _zscore(market, a, b, kept)
    return {
        "at_a": a.astype(np.float64),
        "at_b": b.astype(np.float64),
        "coint_t": kept.statistic,
        "coint_lag": kept.lag,
        "coint_pvalue": kept.pvalue,
        "beta": kept.beta,
        "alpha": kept.alpha,
        "r_squared": kept.r_squared,
        "return_correlation": _correlation(market.returns[a], market.returns[b]),
        "half_life": np.where(kept.flat, np.nan, half_lives(kept.residuals)),
        "crossings": np.where(kept.flat, np.nan, _crossings(kept.residuals)),
        "spread": last_a - kept.beta * last_b,
        "zscore": zscore,
        "deviation": deviation,
        "last_a": last_a,
        "last_b": last_b,
    }


def _either(turned: NDArray[np.bool_], there: NDArray[Any], back: NDArray[Any]) -> NDArray[Any]:
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


def _zscore(market: Market, a: Ints, b: Ints, kept: _Way) -> tuple[Floats, Floats]:
    """z of the last bar over the window with the one beta, and the spread's deviation (ddof 1)."""
    spread = market.within[a] - kept.beta[:, None] * market.within[b]
    mean = spread.mean(axis=1)
    size = market.level[a] + np.abs(kept.beta) * market.level[b]
    deviations = spread - mean[:, None]
    flat = kept.flat | (np.abs(deviations).max(axis=1) <= _FLAT * size)
    squares = (deviations * deviations).sum(axis=1)
    deviation = np.where(flat, np.nan, np.sqrt(squares / (spread.shape[1] - 1)))
    return deviations[:, -1] / deviation, deviation


def _crossings(residuals: Floats) -> Floats:
    """Changes of sign, by row; a residual that is 0 is on neither side."""
    positive = residuals > 0
    changes: Floats = (positive[:, 1:] != positive[:, :-1]).sum(axis=1).astype(np.float64)
    for row in np.flatnonzero((residuals == 0).any(axis=1)):
        signs = np.sign(residuals[row][residuals[row] != 0])
        changes[row] = np.count_nonzero(np.diff(signs))
    return changes


def _correlation(one: Floats, other: Floats) -> Floats:
    """Pearson, by row, of what is centred; NaN where one does not vary."""
    product = (one * other).sum(axis=1)
    sizes = np.sqrt((one * one).sum(axis=1)) * np.sqrt((other * other).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(sizes > 0, product / sizes, np.nan)
    return np.asarray(np.clip(correlation, -1.0, 1.0))
