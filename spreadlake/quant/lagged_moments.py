"""Cross products of many series with their own pasts and each other's: what ADF tests are made of.

Pure. With x centred on its mean, a series has the rows Δx_{t−1}, …, Δx_{t−p}, x_{t−1}, Δx_t over
t = p + 1, …, n − 1 (0-based): the regressors and, last, the regressand of an augmented
Dickey–Fuller regression with up to p lagged differences. The rows of a residual u = a − β·b are
those of a less β times those of b, so with β known every normal matrix of u is
M_aa − β·(M_ab + M_abᵀ) + β²·M_bb.

Each pair's product is one matrix product of one shape, and all else is done element by element:
a pair has the same bits whichever pairs it is computed with.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.legs import Legs
from spreadlake.quant.rolling import LegWindows


def most_lags(bars: int) -> int:
    """Lagged differences tried at most, as in statsmodels' adfuller (G. W. Schwert, 1989)."""
    return math.ceil(12 * math.pow(bars / 100, 0.25))


@dataclass(frozen=True)
class LaggedMoments:
    """Series side by side, with the products that each has with itself.

    x: (symbols, bars) as they came, without a NaN. centred: the same less each one's mean.
    windows: their rolling moments over all bars, a row each.
    rows: (symbols, p + 2, bars − 1 − p), see above. own: (p + 2, p + 2, symbols) their products.
    sums: (symbols, p + 2) their sums.
    """

    x: Floats
    centred: Floats
    windows: LegWindows
    rows: Floats
    own: Floats
    sums: Floats
    most: int

    @classmethod
    def of(cls, x: Floats, most: int | None = None) -> Self:
        """Of x (symbols, bars) with up to `most` lagged differences (None: `most_lags`)."""
        x = np.ascontiguousarray(x)  # sums would be taken in another order
        symbols, bars = x.shape
        p = most_lags(bars) if most is None else most
        if bars < 2 * p + 6:
            raise ValueError(f"{bars} bars are too few for {p} lagged differences")
        moves = x - x[:, :1]  # exact, or nearly: what is left of a high price level is rounding
        centred = moves - moves.mean(axis=1, keepdims=True)
        steps = np.diff(x, axis=1)
        rows = np.empty((symbols, p + 2, bars - 1 - p))
        for lag in range(1, p + 1):
            rows[:, lag - 1] = steps[:, p - lag : bars - 1 - lag]
        rows[:, p] = centred[:, p : bars - 1]
        rows[:, p + 1] = steps[:, p:]
        own = np.empty((symbols, p + 2, p + 2))
        for at in range(symbols):
            np.matmul(rows[at], rows[at].T, out=own[at])
        return cls(
            x=x,
            centred=centred,
            windows=LegWindows.of(x, bars, 0, np.full(symbols, -1), 1),
            rows=rows,
            own=np.ascontiguousarray(own.transpose(1, 2, 0)),
            sums=rows.sum(axis=2),
            most=p,
        )

    @property
    def bars(self) -> int:
        """Bars of each series."""
        return int(self.x.shape[1])

    def legs(self, at_a: Ints, at_b: Ints) -> Legs:
        """The series as legs of the pairs `at_a` and `at_b`."""
        return Legs(self.x, 0, np.full(len(self.x), -1), at_a, at_b)

    def products(self, at_a: Ints, at_b: Ints) -> Floats:
        """(pairs, p + 2, p + 2): rows of A times rows of B, over the regressions' bars."""
        out = np.empty((len(at_a), self.most + 2, self.most + 2))
        for pair, (a, b) in enumerate(zip(at_a.tolist(), at_b.tolist(), strict=True)):
            np.matmul(self.rows[a], self.rows[b].T, out=out[pair])
        return out
