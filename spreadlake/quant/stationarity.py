"""Slow statistics of pairs over one lookback: does the spread come back, and how fast? Pure.

Inputs are closes, or their logarithms, whose last bar is at the rows' time. A statistic without
meaning (too few bars, no variance) is None.
"""

import math
from dataclasses import dataclass

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.cointegration import SpreadTests, half_lives, spread_tests
from spreadlake.quant.lagged_moments import LaggedMoments
from spreadlake.quant.pair_stats import whole_spread
from spreadlake.quant.unit_root import adf, engle_granger
from spreadlake.series import Prices

MIN_BARS = 30  # below this the tests' distributions say nothing
_MOST_SLOPES = 300  # bars, whose slopes are squared as many


@dataclass(frozen=True)
class Stationarity:
    """The numbers of a row of `pair_tests`.

    robust_beta: Theil–Sen slope of A on B. half_life: bars in which half of a deviation of the
    spread is gone. adf_*: augmented Dickey–Fuller on the spread (constant, lags by AIC).
    cointegration_pvalue: Engle–Granger on A and B (constant, lags by AIC).
    """

    robust_beta: float | None
    half_life: float | None
    adf_statistic: float | None
    adf_pvalue: float | None
    cointegration_pvalue: float | None
    observations: int


def stationarity(a: Floats, b: Floats, prices: Prices = "raw") -> Stationarity:
    """All statistics of two legs' closes (bars,); the spread is A − beta·B with the OLS beta."""
    both = np.stack([a, b])
    return stationarity_of_pairs(both, np.zeros(1, np.int64), np.ones(1, np.int64), prices)[0]


def stationarity_of_pairs(
    closes: Floats, at_a: Ints, at_b: Ints, prices: Prices = "raw"
) -> list[Stationarity]:
    """The same of many pairs: `closes` (symbols, bars), `at_a` and `at_b` (pairs,) their rows.

    For their logarithms all are above 0. A pair has the same bits whichever pairs it is computed
    with.
    """
    bars = closes.shape[1]
    if bars < MIN_BARS or len(at_a) == 0:
        return [Stationarity(None, None, None, None, None, bars)] * len(at_a)
    x, unit = (np.log(closes), 1.0) if prices == "log" else (closes, 0.0)
    tests = spread_tests(LaggedMoments.of(x), at_a, at_b)
    return [
        _one_by_one(x[a], x[b], unit)
        if tests.doubtful[pair]
        else _together(tests, pair, x[a], x[b])
        for pair, (a, b) in enumerate(zip(at_a, at_b, strict=True))
    ]


def theil_sen_beta(a: Floats, b: Floats) -> float | None:
    """Median of the slopes between all pairs of bars whose B differs (P. K. Sen, 1968).

    Of more than 300 bars, every second, third, … is taken, from the last one backwards: there
    are as many slopes as bars squared.
    """
    step = -(-len(b) // _MOST_SLOPES)
    a, b = a[::-step], b[::-step]
    one, other = np.triu_indices(len(b), 1)
    runs = b[one] - b[other]
    differs = runs != 0
    if not differs.any():
        return None
    return _finite(float(np.median((a[one] - a[other])[differs] / runs[differs])))


def half_life(spread: Floats) -> float | None:
    """ln(1/2) / ln(φ), in bars, with φ of the AR(1) s_t = c + φ·s_{t−1} fitted by OLS.

    E. Chan, "Algorithmic Trading", 2013, chapter 2, in discrete time. None unless 0 < φ < 1:
    the spread then does not come back, or overshoots at every bar.
    """
    return _finite(float(half_lives((spread - spread[0])[None])[0]))


def _together(tests: SpreadTests, pair: int, a: Floats, b: Floats) -> Stationarity:
    assert tests.adf is not None  # noqa: S101 for the type checker
    assert tests.half_life is not None  # noqa: S101
    return Stationarity(
        robust_beta=theil_sen_beta(a, b),
        half_life=_finite(float(tests.half_life[pair])),
        adf_statistic=_finite(float(tests.adf.statistic[pair])),
        adf_pvalue=_finite(float(tests.adf.pvalue[pair])),
        cointegration_pvalue=_finite(float(tests.coint.pvalue[pair])),
        observations=len(a),
    )


def _one_by_one(a: Floats, b: Floats, unit: float) -> Stationarity:
    """Where too few digits are left in the batch, or none: a leg or the spread does not vary."""
    spread = whole_spread(a, b, unit)
    if spread is None:
        return Stationarity(None, None, None, None, None, len(a))
    test = adf(spread)
    return Stationarity(
        robust_beta=theil_sen_beta(a, b),
        half_life=half_life(spread),
        adf_statistic=_finite(test.statistic),
        adf_pvalue=_finite(test.pvalue),
        cointegration_pvalue=_finite(engle_granger(a, b).pvalue),
        observations=len(a),
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
