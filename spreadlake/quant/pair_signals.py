"""What a back-test needs of `pair_analytics` for one pair: the same bits, and no more. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.cointegration import spread_tests
from spreadlake.quant.lagged_moments import LaggedMoments
from spreadlake.quant.legs import Legs
from spreadlake.quant.pair_rows import carried_too_long
from spreadlake.quant.pair_stats import correlation, hedge_ratio, spread_zscore, whole_spread
from spreadlake.quant.stationarity import MIN_BARS
from spreadlake.quant.unit_root import adf
from spreadlake.series import Prices

# Spreads tested at a time. What is shared by the pairs of many symbols is computed for all of their
# products, and here each symbol is in one pair: few of them at a time waste the least.
_TESTS = 24


class PairSignals(NamedTuple):
    """(rows,) each: the columns of `pair_analytics` of the same name; NaN where there is none.

    `hedge_bars` is 0 where there is no row.
    """

    zscore: Floats
    beta: Floats
    correlation: Floats
    hedge_bars: Ints


def pair_signals(
    closes: CloseMatrix, window: int, lookback: int, max_stale: int, rows: int, prices: Prices
) -> PairSignals:
    """Of a matrix of two symbols, A and B, at its last `rows` bars; as `pair_rows` has them."""
    both = np.zeros(1, np.int64), np.ones(1, np.int64)
    legs = Legs.of_symbols(closes.close, closes.start, closes.first, *both)
    legs = legs.logs() if prices == "log" else legs
    over, within = (legs.moments(legs.windows(width, rows)) for width in (lookback, window))
    beta = hedge_ratio(legs, over).beta
    zscore = spread_zscore(legs, beta, within).zscore
    have = np.arange(closes.end - rows, closes.end) - closes.first.max() + 1
    unknown = (have < window) | carried_too_long(closes.traded, max_stale, rows).any(axis=0)
    return PairSignals(
        np.where(unknown, np.nan, zscore[0]),
        np.where(unknown, np.nan, beta[0]),
        np.where(unknown, np.nan, correlation(within)[0]),
        np.where(unknown, 0, over.n[0]).astype(np.int64),
    )


def spread_adf_pvalues(close: Floats, ends: Ints, bars: Ints, prices: Prices) -> Floats:
    """(tests,) p-values of the ADF test on the spread, as `pair_tests` has them; NaN: none.

    close: (2, columns) of A and B. A test is over the `bars` (tests,) up to and including column
    `ends` (tests,), without holes; on log prices all of them are above 0.
    """
    found = np.full(len(ends), np.nan)
    for some, count in _alike(bars):
        at = ends[some][:, None] + np.arange(1 - count, 1)
        found[some] = _pvalues(close[0][at], close[1][at], prices)
    return found


def _pvalues(a: Floats, b: Floats, prices: Prices) -> Floats:
    """Of the spreads of a and b, (tests, bars)."""
    x, unit = np.concatenate([a, b]), 0.0
    if prices == "log":
        x, unit = np.log(x), 1.0
    rows = np.arange(len(a))
    tests = spread_tests(LaggedMoments.of(x), rows, rows + len(a))
    assert tests.adf is not None  # noqa: S101 for the type checker
    pvalue = tests.adf.pvalue.copy()
    for row in np.flatnonzero(tests.doubtful):
        spread = whole_spread(x[row], x[row + len(a)], unit)
        pvalue[row] = np.nan if spread is None else adf(spread).pvalue
    return pvalue


def _alike(bars: Ints) -> Iterator[tuple[Ints, int]]:
    """Numbers of tests over as many bars, some at a time; those over too few are left out."""
    for count in np.unique(bars[bars >= MIN_BARS]).tolist():
        same = np.flatnonzero(bars == count)
        for at in range(0, len(same), _TESTS):
            yield same[at : at + _TESTS], count
