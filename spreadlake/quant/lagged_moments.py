"""Cross products of many series with their own pasts and each other's: what ADF tests are made of.

Pure. With x centred on its mean, a series has the rows Δx_t, Δx_{t−1}, …, Δx_{t−p} and x_{t−1} over
t = p + 1, …, n − 1 (0-based): the regressand and the regressors of an augmented Dickey–Fuller
regression with up to p lagged differences. The rows of a residual u = a − β·b are those of a less
β times those of b, so with β known each product of two rows of u is
M_aa − β·(M_ab + M_abᵀ) + β²·M_bb. Only the products of Δx_t and of x_{t−1} with all rows are
kept: those of the lags with each other follow from them (`spreadlake.quant.dickey_fuller`).

The products are taken in blocks of symbols of one shape, and all else is done element by element:
a pair has the same bits whichever pairs it is computed with.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.legs import Legs
from spreadlake.quant.rolling import LegWindows

_BLOCK = 16  # symbols: with whole tiles of any BLAS, every place in a block is computed alike


def most_lags(bars: int) -> int:
    """Lagged differences tried at most, as in statsmodels' adfuller (G. W. Schwert, 1989)."""
    return math.ceil(12 * math.pow(bars / 100, 0.25))


@dataclass(frozen=True)
class LaggedMoments:
    """Series side by side, with the products that their rows have.

    x: (symbols, bars) as they came, without a NaN. centred: the same less each one's mean.
    windows: their rolling moments over all bars, a row each.
    crossed: (2, p + 2, symbols, symbols) M_ab + M_abᵀ of Δx_t (0) and of x_{t−1} (1) with
    Δx_t, …, Δx_{t−p} and, last, x_{t−1}; M_aa is half of what a series has with itself.
    squares: (2, symbols) of all differences, and of all levels.
    """

    x: Floats
    centred: Floats
    windows: LegWindows
    crossed: Floats
    squares: Floats
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
        rows = np.zeros((-(-symbols // _BLOCK) * _BLOCK, p + 2, bars - 1 - p))
        for lag in range(p + 1):
            rows[:symbols, lag] = steps[:, p - lag : bars - 1 - lag]
        rows[:symbols, p + 1] = centred[:, p : bars - 1]
        return cls(
            x=x,
            centred=centred,
            windows=LegWindows.of(x, bars, 0, np.full(symbols, -1), 1),
            crossed=_crossed(rows, symbols),
            squares=np.stack([(steps * steps).sum(axis=1), (centred * centred).sum(axis=1)]),
            most=p,
        )

    @property
    def bars(self) -> int:
        """Bars of each series."""
        return int(self.x.shape[1])

    def legs(self, at_a: Ints, at_b: Ints) -> Legs:
        """The series as legs of the pairs `at_a` and `at_b`."""
        return Legs(self.x, 0, np.full(len(self.x), -1), at_a, at_b)

    def crossed_of(self, at_a: Ints, at_b: Ints) -> Floats:
        """(2, p + 2, pairs): `crossed` of the series `at_a` and `at_b`, the same either way."""
        _, rows, symbols, _ = self.crossed.shape
        flat = self.crossed.reshape(2, rows, symbols * symbols)
        found: Floats = flat.take(at_a * symbols + at_b, axis=2)
        return found


def _crossed(rows: Floats, symbols: int) -> Floats:
    """Of the rows (symbols and zeros up to a whole block, p + 2, bars)."""
    padded, count, bars = rows.shape
    out = np.empty((2, count, symbols, symbols))
    led = np.ascontiguousarray(rows[:, [0, count - 1]])
    for a in range(0, padded, _BLOCK):
        left = led[a : a + _BLOCK].reshape(_BLOCK * 2, bars)
        for b in range(0, padded, _BLOCK):
            right = rows[b : b + _BLOCK].reshape(_BLOCK * count, bars)
            products = (left @ right.T).reshape(_BLOCK, 2, _BLOCK, count).transpose(1, 3, 0, 2)
            place = out[:, :, a : a + _BLOCK, b : b + _BLOCK]
            place[...] = products[:, :, : place.shape[2], : place.shape[3]]
    for one in out.reshape(2 * count, symbols, symbols):
        np.add(one, one.T, out=one)  # the largest array of all: once is enough
    return out
