"""Cointegration tests of many pairs at once. Pure.

For every pair: OLS of A on B with a constant over all bars, and of its residual the augmented
Dickey–Fuller statistic with the lags that AIC prefers, as `statsmodels.tsa.stattools.coint` does
(trend="c", autolag="aic"); the same with a constant in the ADF regression, as `adfuller`; the
half-life. The regressions of all lags are nested: one elimination of the normal matrix gives the
residual squares of each (see `spreadlake.quant.lagged_moments`).

Where too few digits would be left (nearly collinear legs, a spread that hardly moves, prices that
repeat), the pair is `doubtful`, and its numbers are NaN: it has to be taken by itself
(`spreadlake.quant.unit_root`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.quant.lagged_moments import LaggedMoments
from spreadlake.quant.mackinnon import pvalues
from spreadlake.quant.pair_stats import Hedge, hedge_ratio

_PIECE = 512  # pairs at a time: what is computed on stays in the processor's cache
# Below this share of the legs' own squares, what is left of them is lost in rounding.
_DIGITS = 1e-6
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
    pieces = [
        _one_way(moments, a, b, _crossed(moments, a, b))
        for at in range(0, max(1, len(at_a)), _PIECE)
        for a, b in [(at_a[at : at + _PIECE], at_b[at : at + _PIECE])]
    ]
    return _joined(pieces)


def spread_tests_both_ways(
    moments: LaggedMoments, at_a: Ints, at_b: Ints
) -> tuple[SpreadTests, SpreadTests]:
    """Engle–Granger of A on B, and of B on A, whose products are the same; nothing else."""
    there, back = [], []
    for at in range(0, max(1, len(at_a)), _PIECE):
        a, b = at_a[at : at + _PIECE], at_b[at : at + _PIECE]
        crossed = _crossed(moments, a, b)
        there.append(_one_way(moments, a, b, crossed, alone=True))
        back.append(_one_way(moments, b, a, crossed, alone=True))
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


def _crossed(m: LaggedMoments, at_a: Ints, at_b: Ints) -> Floats:
    """(p + 2, p + 2, pairs): M_ab + M_abᵀ, the same in both directions; pairs last, for speed."""
    products = m.products(at_a, at_b)
    return np.ascontiguousarray((products + products.transpose(0, 2, 1)).transpose(1, 2, 0))


def _one_way(
    m: LaggedMoments, at_a: Ints, at_b: Ints, crossed: Floats, *, alone: bool = False
) -> SpreadTests:
    """A on B; `alone`: Engle–Granger's test, without the rest."""
    legs = m.legs(at_a, at_b)
    regression = hedge_ratio(legs, legs.moments(m.windows)).at(0)
    residuals = m.centred[at_a] - regression.beta[:, None] * m.centred[at_b]
    with np.errstate(divide="ignore", invalid="ignore"):
        test = _Regressions.of(m, at_a, at_b, regression.beta, crossed, residuals)
        coint, fine = test.adf(constant=False)
        spread = None
        if not alone:
            spread, also_fine = test.adf(constant=True)
            fine &= also_fine
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


def _known(test: tuple[Floats, Ints], doubtful: Bools, series: int) -> AdfTest:
    statistic = np.where(doubtful, np.nan, test[0])
    return AdfTest(statistic, pvalues(statistic, series), np.where(doubtful, -1, test[1]))


class _Nested(NamedTuple):
    """What is left of level u and step y once the first lags are taken out: (lags, pairs) each."""

    uu: Floats
    uy: Floats
    yy: Floats
    fine: Bools  # whether enough digits are left

    @property
    def squares(self) -> Floats:
        """Residual squares of y on u and the lags."""
        return self.yy - self.uy * self.uy / self.uu


@dataclass(frozen=True)
class _Regressions:
    """The ADF regressions of some residuals; arrays have the pairs last, for speed.

    normal: (p + 2, p + 2, pairs) over the bars that all lags have; sums: (p + 2, pairs) of their
    rows; early: (p, p + 2, pairs) the rows of the p bars before, with zeros where a lag reaches
    before the first bar; legs: (p + 2, pairs) squares of which the normal matrix is a difference.
    """

    normal: Floats
    sums: Floats
    early: Floats
    legs: Floats
    bars: int
    most: int

    @classmethod
    def of(
        cls,
        m: LaggedMoments,
        at_a: Ints,
        at_b: Ints,
        beta: Floats,
        crossed: Floats,
        residuals: Floats,
    ) -> "_Regressions":
        """Of the residuals (pairs, bars) of A on B, from the products of their rows."""
        pairs, bars = residuals.shape
        most = m.most
        normal = crossed * -beta
        own, other = m.own.take(at_a, axis=2), m.own.take(at_b, axis=2)
        other *= beta * beta
        normal += own
        normal += other
        legs = (np.diagonal(own) + np.diagonal(other)).T.copy()
        sums = m.sums[at_a] - beta[:, None] * m.sums[at_b]
        steps = np.diff(residuals[:, : most + 1], axis=1).T
        early = np.zeros((most, most + 2, pairs))
        for lag in range(1, most):
            early[lag:, lag - 1] = steps[:-lag]
        early[:, most] = residuals[:, :most].T
        early[:, most + 1] = steps
        return cls(normal, sums.T.copy(), early, legs, bars, most)

    def adf(self, *, constant: bool) -> tuple[tuple[Floats, Ints], Bools]:
        """Statistic and lag of each pair, and whether enough digits were left for them."""
        rows = self.bars - 1 - self.most
        normal = self.normal.copy()
        if constant:
            _centre(normal, self.sums, rows)
        left = _eliminate(normal, self.legs)
        criterion = rows * np.log(left.squares) + 2 * np.arange(self.most + 1)[:, None]
        lag = np.argmin(criterion, axis=0)
        statistic, fine = np.empty(len(lag)), np.logical_and.reduce(left.fine)
        for used in np.unique(lag).tolist():
            same = np.flatnonzero(lag == used)
            statistic[same], enough = self._statistic(used, same, constant)
            fine[same] &= enough
        return (statistic, lag.astype(np.int64)), fine & np.isfinite(statistic)

    def _statistic(self, lag: int, same: NDArray[np.intp], constant: bool) -> tuple[Floats, Bools]:
        """t of the level with `lag` lags, over every bar that these have, as statsmodels does."""
        kept = np.array([*range(lag), self.most, self.most + 1])
        rows = self.bars - 1 - lag
        normal = self.normal[kept[:, None], kept].take(same, axis=2)
        sums = self.sums[kept].take(same, axis=1)
        for row in self.early[lag:, kept].take(same, axis=2):
            normal += row[:, None] * row[None]
            sums += row
        if constant:
            _centre(normal, sums, rows)
        left = _eliminate(normal, self.legs[kept].take(same, axis=1))
        freedom = rows - (lag + 1) - constant
        error = np.sqrt(left.uu[lag] * left.squares[lag] / freedom)
        return left.uy[lag] / error, left.fine[lag]


def _centre(normal: Floats, sums: Floats, rows: int) -> None:
    """Takes a constant out of the normal matrices, in place."""
    normal -= sums[:, None] * (sums / rows)[None]


def _eliminate(left: Floats, legs: Floats) -> _Nested:
    """Takes the lags out of level and step, one after another (Gauss); `left` is used up."""
    lags, pairs = left.shape[0] - 2, left.shape[2]
    uu, uy, yy = (np.empty((lags + 1, pairs)) for _ in range(3))
    fine = np.empty((lags + 1, pairs), dtype=np.bool_)
    so_far = np.ones(pairs, dtype=np.bool_)
    room = np.empty_like(left)
    for lag in range(lags + 1):
        u, both, y = left[-2, -2], left[-2, -1], left[-1, -1]
        uu[lag], uy[lag], yy[lag] = u, both, y
        enough = (u > _DIGITS * legs[-2]) & (y * u - both * both > _DIGITS * legs[-1] * u)
        fine[lag] = so_far & enough
        if lag < lags:
            pivot, column = left[0, 0], left[1:, 0]
            so_far = so_far & (pivot > _DIGITS * legs[lag])
            product = room[lag + 1 :, lag + 1 :]
            np.multiply(column[:, None], (column / pivot)[None], out=product)
            left = left[1:, 1:]
            left -= product
    return _Nested(uu, uy, yy, fine)


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
