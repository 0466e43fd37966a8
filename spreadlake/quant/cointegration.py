"""Cointegration tests of many pairs at once. Pure.

For every pair: OLS of A on B with a constant over all bars, and of its residual the augmented
Dickey–Fuller statistic with the lags that AIC prefers, as `statsmodels.tsa.stattools.coint` does
(trend="c", autolag="aic"); the same with a constant in the ADF regression, as `adfuller`; the
half-life (see `spreadlake.quant.dickey_fuller`).

Where too few digits would be left (nearly collinear legs, a spread that hardly moves, prices that
repeat), the pair is `doubtful`, and its numbers are NaN: it has to be taken by itself
(`spreadlake.quant.unit_root`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.quant.dickey_fuller import AdfRegressions, Statistics
from spreadlake.quant.lagged_moments import LaggedMoments
from spreadlake.quant.mackinnon import pvalues
from spreadlake.quant.pair_stats import Hedge, hedge_ratio
from spreadlake.quant.rolling import Moments

_PIECE = 2_048  # pairs at a time: enough that calls cost little
# statsmodels takes legs for collinear from 1 − R² of 1.5e-6 on.
_COLLINEAR = 1e-5
# A leg whose deviation is a smaller share of its price has few digits itself.
_STILL = 1e-9


class AdfTest(NamedTuple):
    """(pairs,) each: the t-statistic of the level, its p-value, and the lags that AIC chose."""

    statistic: Floats
    pvalue: Floats
    lag: Ints


@dataclass(frozen=True)
class SpreadTests:
    """Numbers of pairs; NaN is a number without meaning, and where `doubtful` none is known.

    `regression` is A on B over all bars, (pairs,); `residuals` (pairs, bars) are
    A − alpha − beta·B. `coint` is Engle–Granger's test, `adf` that of the spread with a constant,
    None where it was not asked for; `half_life` is in bars, see `half_lives`, and None where it
    was not asked for.
    """

    regression: Hedge
    residuals: Floats
    coint: AdfTest
    adf: AdfTest | None
    half_life: Floats | None
    doubtful: Bools


def spread_tests(moments: LaggedMoments, at_a: Ints, at_b: Ints) -> SpreadTests:
    """Tests of the pairs whose legs are the rows `at_a` and `at_b` of the moments' series."""
    pieces = []
    for at in range(0, max(1, len(at_a)), _PIECE):
        a, b = at_a[at : at + _PIECE], at_b[at : at + _PIECE]
        products = moments.legs(a, b).moments(moments.windows)
        pieces.append(_one_way(moments, a, b, moments.crossed_of(a, b), products))
    return _joined(pieces)


def spread_tests_both_ways(
    moments: LaggedMoments, at_a: Ints, at_b: Ints
) -> tuple[SpreadTests, SpreadTests]:
    """Engle–Granger of A on B, and of B on A, whose products are the same; nothing else."""
    there, back = [], []
    for at in range(0, max(1, len(at_a)), _PIECE):
        a, b = at_a[at : at + _PIECE], at_b[at : at + _PIECE]
        crossed, of_ab = moments.crossed_of(a, b), moments.legs(a, b).moments(moments.windows)
        of_ba = Moments(of_ab.n, of_ab.mean_b, of_ab.mean_a, of_ab.sbb, of_ab.saa, of_ab.sab)
        there.append(_one_way(moments, a, b, crossed, of_ab, alone=True))
        back.append(_one_way(moments, b, a, crossed, of_ba, alone=True))
    return _joined(there), _joined(back)


def half_lives(residuals: Floats) -> Floats:
    """ln(1/2) / ln(φ), in bars, with φ of the AR(1) u_t = c + φ·u_{t−1} fitted by OLS, by row.

    NaN unless 0 < φ < 1: the spread then does not come back, or overshoots at every bar.
    """
    before, after = residuals[:, :-1], residuals[:, 1:]
    centred = before - before.mean(axis=1, keepdims=True)
    variance = (centred * centred).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        phi = (centred * after).sum(axis=1) / variance
        return np.where((phi > 0) & (phi < 1), np.log(0.5) / np.log(phi), np.nan)


def _one_way(
    m: LaggedMoments,
    at_a: Ints,
    at_b: Ints,
    crossed: Floats,
    moments: Moments,
    *,
    alone: bool = False,
) -> SpreadTests:
    """A on B; `alone`: Engle–Granger's test, without the rest."""
    regression = hedge_ratio(m.legs(at_a, at_b), moments).at(0)
    residuals = m.centred[at_a] - regression.beta[:, None] * m.centred[at_b]
    with np.errstate(divide="ignore", invalid="ignore"):
        regressions = _regressions(m, at_a, at_b, regression.beta, crossed, residuals)
        coint = regressions.tests(constant=False)
        spread, fine = None, coint.fine
        if not alone:
            spread = regressions.tests(constant=True)
            fine = fine & spread.fine
    mean, squares = m.windows.mean[:, 0], m.windows.squares[:, 0]
    moves = squares > m.bars * np.square(_STILL * mean)
    apart = 1.0 - regression.r_squared > _COLLINEAR
    doubtful = ~(fine & apart & moves[at_a] & moves[at_b])
    return SpreadTests(
        regression,
        residuals,
        _known(coint, doubtful, series=2),
        None if spread is None else _known(spread, doubtful, series=1),
        None if alone else np.where(doubtful, np.nan, half_lives(residuals)),
        doubtful,
    )


def _regressions(
    m: LaggedMoments, at_a: Ints, at_b: Ints, beta: Floats, crossed: Floats, residuals: Floats
) -> AdfRegressions:
    """Of the residuals (pairs, bars) of A on B, from the products of their rows."""
    products = crossed * -beta
    products += 0.5 * m.crossed_of(at_a, at_a)
    products += (0.5 * beta * beta) * m.crossed_of(at_b, at_b)
    legs = m.squares[:, at_a] + beta * beta * m.squares[:, at_b]
    return AdfRegressions.of(products, legs, residuals)


def _known(tests: Statistics, doubtful: Bools, series: int) -> AdfTest:
    statistic = np.where(doubtful, np.nan, tests.statistic)
    return AdfTest(statistic, pvalues(statistic, series), np.where(doubtful, -1, tests.lag))


def _joined(pieces: list[SpreadTests]) -> SpreadTests:
    regression, coint = (
        [np.concatenate(columns) for columns in zip(*parts, strict=True)]
        for parts in ([p.regression for p in pieces], [p.coint for p in pieces])
    )
    adf = [piece.adf for piece in pieces if piece.adf is not None]
    half_life = [piece.half_life for piece in pieces if piece.half_life is not None]
    return SpreadTests(
        Hedge(*regression),
        np.concatenate([piece.residuals for piece in pieces]),
        AdfTest(*coint),
        AdfTest(*map(np.concatenate, zip(*adf, strict=True))) if adf else None,
        np.concatenate(half_life) if half_life else None,
        np.concatenate([piece.doubtful for piece in pieces]),
    )
