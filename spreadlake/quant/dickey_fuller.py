"""Augmented Dickey–Fuller regressions of many residuals at once, with all numbers of lags. Pure.

Over t = k + 1, …, n − 1 the regression with k lags is of Δu_t on Δu_{t−1}, …, Δu_{t−k} and
u_{t−1}. What two lags have in common is what the two before them had, but for one bar at each end:
Σ Δu_{t−1−i}·Δu_{t−1−j} = Σ Δu_{t−i}·Δu_{t−j} + Δu_{k−i}·Δu_{k−j} − Δu_{n−1−i}·Δu_{n−1−j},
so that the products of Δu_t and u_{t−1} with all of them make the whole normal matrix. The
regressions are nested: one elimination gives the residual squares of each number of lags.

Arrays have the pairs last, for speed; all is done element by element, so that a pair has the same
bits whichever pairs it is computed with.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Bools, Floats, Ints

# Below this share of the legs' own squares, what is left of them is lost in rounding.
_DIGITS = 1e-6
_ROWS = 4  # of a triangle at a time: fewer calls for a few numbers that nobody needs


class Statistics(NamedTuple):
    """(pairs,) each: the t-statistic of the level, and the lags that AIC chose."""

    statistic: Floats
    lag: Ints
    fine: Bools  # whether enough digits were left for both


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
class AdfRegressions:
    """Those of some residuals.

    products: (2, p + 2, pairs) of Δu_t and u_{t−1} with Δu_t, …, Δu_{t−p} and u_{t−1} over the
    bars that all lags have; legs: (2, pairs) squares of which differences and levels are a
    difference. first, last: (p + 1, pairs) the residuals' first and last bars in order of time;
    total: (pairs,) the sum of all but the last.
    """

    products: Floats
    legs: Floats
    first: Floats
    last: Floats
    total: Floats
    bars: int

    @classmethod
    def of(cls, products: Floats, legs: Floats, residuals: Floats) -> "AdfRegressions":
        """Of the residuals (pairs, bars)."""
        ends = products.shape[1] - 1
        return cls(
            products,
            legs,
            residuals[:, :ends].T.copy(),
            residuals[:, -ends:].T.copy(),
            residuals[:, :-1].sum(axis=1),
            residuals.shape[1],
        )

    @property
    def _most(self) -> int:
        return len(self.first) - 1

    def tests(self, *, constant: bool) -> Statistics:
        """Statistic and lags by AIC of each pair.

        The lags are compared over the bars that all of them have, and the statistic is over all
        that the chosen ones have, as in statsmodels' adfuller.
        """
        most = self._most
        left = self._eliminated(self.products, most, constant)
        criterion = (self.bars - 1 - most) * np.log(left.squares)
        criterion += 2.0 * np.arange(most + 1)[:, None]
        lag = np.argmin(criterion, axis=0)
        statistic, fine = np.empty(len(lag)), np.logical_and.reduce(left.fine)
        products = self.products.copy()
        for lags in range(most, -1, -1):
            same = np.flatnonzero(lag == lags)
            if len(same):
                part = self._some(same)
                statistic[same], enough = part._statistic(products.take(same, 2), lags, constant)
                fine[same] &= enough
            if lags:
                self._add_bar(products, lags)
        return Statistics(statistic, lag.astype(np.int64), fine & np.isfinite(statistic))

    def _add_bar(self, products: Floats, bar: int) -> None:
        """Adds t = `bar` to the products of up to `bar` − 1 lags."""
        level = self.first[bar - 1]
        steps = self.first[bar:0:-1] - self.first[bar - 1 :: -1]
        products[0, :bar] += steps[0] * steps
        products[1, :bar] += level * steps
        products[1, -1] += level * level

    def _some(self, pairs: Ints) -> "AdfRegressions":
        parts = self.legs, self.first, self.last
        legs, first, last = (part.take(pairs, 1) for part in parts)
        return AdfRegressions(self.products, legs, first, last, self.total[pairs], self.bars)

    def _statistic(self, products: Floats, lags: int, constant: bool) -> tuple[Floats, Bools]:
        """t of the level."""
        left = self._eliminated(products, lags, constant)
        freedom = self.bars - 1 - lags - (lags + 1) - constant
        error = np.sqrt(left.uu[lags] * left.squares[lags] / freedom)
        return left.uy[lags] / error, left.fine[lags]

    def _eliminated(self, products: Floats, lags: int, constant: bool) -> _Nested:
        normal = self._normal(products, lags)
        if constant:
            self._centre(normal, lags)
        return _eliminate(normal, self.legs)

    def _normal(self, products: Floats, lags: int) -> Floats:
        """(lags + 2, lags + 2, pairs): the upper triangle over the lags, the level and the step."""
        out = np.zeros((lags + 2, lags + 2, products.shape[2]))
        # Δu_{k−i} before the first bar's, and Δu_{n−1−i}, which the last has and the one before
        # it not: i = 0, …, k − 1.
        early = self.first[lags:0:-1] - self.first[lags - 1 :: -1] if lags else self.first[:0]
        late = self.last[:0:-1] - self.last[-2::-1]
        above = products[0]
        for row in range(lags):
            here = out[row, row:lags]
            np.multiply(early[row], early[row:], out=here)
            here += above[: lags - row]
            here -= late[row] * late[row:lags]
            above = here
        out[:lags, lags] = products[1, 1 : lags + 1]
        out[:lags, lags + 1] = products[0, 1 : lags + 1]
        out[lags, lags], out[lags, lags + 1] = products[1, -1], products[1, 0]
        out[lags + 1, lags + 1] = products[0, 0]
        return out

    def _centre(self, normal: Floats, lags: int) -> None:
        """Takes a constant out of the normal matrices, in place."""
        sums = np.empty(normal.shape[1:])
        ends = self.last[::-1][: lags + 1] - self.first[lags::-1]
        sums[:lags], sums[lags + 1] = ends[1:], ends[0]
        sums[lags] = self.total
        for before in self.first[:lags]:
            sums[lags] -= before
        shares = sums / (self.bars - 1 - lags)
        for row in range(lags + 2):
            normal[row, row:] -= shares[row] * sums[row:]


def _eliminate(left: Floats, legs: Floats) -> _Nested:
    """Takes the lags out of level and step, one after another (Gauss); `left` is used up.

    Only its upper triangle counts.
    """
    lags, pairs = left.shape[0] - 2, left.shape[2]
    uu, uy, yy = (np.empty((lags + 1, pairs)) for _ in range(3))
    fine = np.empty((lags + 1, pairs), dtype=np.bool_)
    so_far = np.ones(pairs, dtype=np.bool_)
    steps, levels = _DIGITS * legs
    for lag in range(lags + 1):
        u, both, y = left[lags, lags], left[lags, lags + 1], left[lags + 1, lags + 1]
        uu[lag], uy[lag], yy[lag] = u, both, y
        fine[lag] = so_far & (u > levels) & (y * u - both * both > steps * u)
        if lag < lags:
            pivot = left[lag, lag]
            so_far = so_far & (pivot > steps)
            factors = left[lag, lag + 1 :] / pivot
            for row in range(lag + 1, lags + 2, _ROWS):
                part = factors[row - lag - 1 :][:_ROWS, None]
                left[row : row + _ROWS, row:] -= part * left[lag, None, row:]
    return _Nested(uu, uy, yy, fine)
