"""Hedge ratio that moves: a Kalman filter over the lookback. Pure.

The state (alpha, beta) walks randomly, A_t = alpha_t + beta_t·B_t + noise (E. Chan, "Algorithmic
Trading", 2013, chapter 3; R. E. Kalman, 1960). The filter starts anew at the beginning of each
row's lookback, so that a row depends on its own window alone; both legs are standardised by
their mean and deviation over that window, which makes the noise settings free of units.
"""

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.rolling import Floats, Moments

_PRIOR_VARIANCE = 10.0  # of alpha and beta, in standardised prices: close to knowing nothing
_CELLS = 4_096  # rows filtered at a time: their state stays in the processor's cache


def kalman_beta(
    a: Floats, b: Floats, m: Moments, lookback: int, delta: float, observation_variance: float
) -> Floats:
    """Filtered beta at each of the last rows, (pairs, rows); NaN where a leg does not vary.

    a, b: (pairs, columns) closes, whose last columns are the rows; `m` holds the rows' moments
    over `lookback`. The state moves with variance delta / (1 − delta) a bar; the observation
    noise has `observation_variance` times the variance of A.
    """
    pairs, rows = m.n.shape
    prices = np.stack([b, a])
    means = np.stack([m.mean_b, m.mean_a])
    beta = np.empty((pairs, rows))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scales = np.sqrt(np.stack([m.sbb, m.saa]) / (m.n - 1))
        step = max(1, _CELLS // max(1, pairs))
        for at in range(0, rows, step):
            part = slice(at, min(at + step, rows))
            last = prices.shape[2] - rows + part.stop
            begin = max(0, last - (part.stop - at) - lookback + 1)
            model = _Filter(delta / (1 - delta), observation_variance, m.n[:, part])
            model.run(prices[:, :, begin:last], means[:, :, part], 1 / scales[:, :, part])
            beta[:, part] = model.beta
        varies = (m.saa > 0) & (m.sbb > 0)
        return np.where(varies, beta * scales[1] / scales[0], np.nan)


class _Filter:
    """The filters of some rows side by side; a row takes in the last `n` bars up to itself.

    Everything is computed in place: with a few rows at a time, a step's cost is in the calls.
    """

    def __init__(self, walk: float, noise: float, n: Floats) -> None:
        self._walk, self._noise, self._n = walk, noise, n
        self._state = np.zeros((2, *n.shape))  # alpha, beta
        self._p = np.zeros((3, *n.shape))  # their covariance: aa, ab, bb
        self._p_diagonal = self._p[::2]
        self._p_diagonal[:] = _PRIOR_VARIANCE
        self._p_a, self._p_b, self._p_bb = self._p[:2], self._p[1:], self._p[2]
        self._seen, self._h = np.empty((2, *n.shape)), np.empty((2, *n.shape))
        self._gain, self._change = np.empty((2, *n.shape)), np.empty((2, *n.shape))
        self._s = np.empty(n.shape)

    @property
    def beta(self) -> Floats:
        return np.asarray(self._state[1])

    def run(self, prices: Floats, means: Floats, inverse: Floats) -> None:
        """`prices` (2, pairs, columns) of B and A; `means`, `inverse` scales (2, pairs, rows)."""
        rows, columns = self._n.shape[1], prices.shape[2]
        oldest = int(self._n.max()) - 1
        entered = int(self._n.min())  # bars back from which on every row takes part
        for age in range(min(oldest, columns - 1), -1, -1):
            np.subtract(_columns(prices, columns - age, rows), means, out=self._seen)
            np.multiply(self._seen, inverse, out=self._seen)
            self._update(None if age < entered else age < self._n)

    def _update(self, inside: NDArray[np.bool_] | None) -> None:
        """One bar; rows that are not `inside` stay as they are."""
        (x, y), h, gain, s, change = self._seen, self._h, self._gain, self._s, self._change
        if inside is None:
            np.add(self._p_diagonal, self._walk, out=self._p_diagonal)
        else:
            np.copyto(self._seen, 0.0, where=~inside)
            self._p_diagonal += self._walk * inside
        np.multiply(self._p_b, x, out=h)
        np.add(h, self._p_a, out=h)
        np.multiply(h[1], x, out=s)
        np.add(s, h[0], out=s)
        np.add(s, self._noise, out=s)
        np.divide(h, s, out=gain)
        if inside is not None:
            gain *= inside
        np.subtract(y, self._state[0], out=y)
        np.subtract(y, np.multiply(self._state[1], x, out=s), out=y)
        np.add(self._state, np.multiply(gain, y, out=change), out=self._state)
        np.subtract(self._p_a, np.multiply(h, gain[0], out=change), out=self._p_a)
        np.subtract(self._p_bb, np.multiply(h[1], gain[1], out=s), out=self._p_bb)


def _columns(x: Floats, last: int, rows: int) -> Floats:
    """The `rows` columns before `last`; NaN for those before column 0, which no window reaches."""
    if last >= rows:
        return x[..., last - rows : last]
    return np.pad(x[..., :last], ((0, 0), (0, 0), (rows - last, 0)), constant_values=np.nan)
