"""Hedge ratio that moves: a Kalman filter over the lookback. Pure.

The state (alpha, beta) walks randomly, A_t = alpha_t + beta_t·B_t + noise (E. Chan, "Algorithmic
Trading", 2013, chapter 3; R. E. Kalman, 1960). The filter starts anew at the beginning of each
row's lookback, so that a row depends on its own window alone; both legs are standardised by
their mean and deviation over that window, which makes the noise settings free of units.

The covariance of the state, and so the gain, depends on B alone: it is computed once for each
leg B, whatever it hedges.
"""

import numpy as np

from spreadlake.quant.arrays import Bools, Floats
from spreadlake.quant.legs import Legs
from spreadlake.quant.pair_stats import deviation
from spreadlake.quant.rolling import LegWindows

_PRIOR_VARIANCE = 10.0  # of alpha and beta, in standardised prices: close to knowing nothing
_CELLS = 4_096  # rows filtered at a time: their state stays in the processor's cache


def kalman_beta(
    legs: Legs, windows: LegWindows, delta: float, observation_variance: float
) -> Floats:
    """Filtered beta at each of the windows' rows, (pairs, rows); NaN where a leg does not vary.

    `windows` are the legs' lookbacks. The state moves with variance delta / (1 − delta) a bar;
    the observation noise has `observation_variance` times the variance of A.
    """
    rows = windows.n.shape[1]
    beta = np.empty((legs.pairs, rows))
    walk = delta / (1 - delta)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scale = deviation(windows.squares, windows.n)
        step = max(1, _CELLS // max(1, legs.pairs, len(legs.close) // 2))
        for at in range(0, rows, step):
            part = slice(at, min(at + step, rows))
            last = legs.close.shape[1] - rows + part.stop
            filters = _Filters(legs, walk, observation_variance, windows.n[:, part])
            filters.run(legs.close[:, :last], windows.mean[:, part], 1 / scale[:, part])
            beta[:, part] = filters.beta
        beta *= scale[legs.at_a]
        beta /= scale[legs.at_b]
    varies = windows.squares > 0
    return np.where(varies[legs.at_a] & varies[legs.at_b], beta, np.nan)


class _Filters:
    """The filters of some rows side by side; a row takes in the last `n` bars up to itself.

    Everything is computed in place: with a few rows at a time, a step's cost is in the calls.
    """

    def __init__(self, legs: Legs, walk: float, noise: float, n: Floats) -> None:
        hedging = np.zeros(len(n), dtype=np.bool_)
        hedging[legs.at_b] = True
        self._hedging = np.flatnonzero(hedging)
        self._at_a, self._at_b = legs.at_a, (np.cumsum(hedging) - 1)[legs.at_b]
        self._n = n
        self._seen = np.empty(n.shape)
        self._gain = _Gain(walk, noise, (len(self._hedging), n.shape[1]))
        shape = (legs.pairs, n.shape[1])
        self._alpha, self.beta = np.zeros((2, *shape))
        self._error, self._room = np.empty((2, *shape))

    def run(self, close: Floats, mean: Floats, inverse: Floats) -> None:
        """close (legs, columns); `mean`, `inverse` scale (legs, rows) of each row's lookback."""
        rows, columns = self._n.shape[1], close.shape[1]
        oldest = int(self._n.max()) - 1
        entered = int(self._n.min())  # bars back from which on every row takes part
        for age in range(min(oldest, columns - 1), -1, -1):
            np.subtract(_columns(close, columns - age, rows), mean, out=self._seen)
            np.multiply(self._seen, inverse, out=self._seen)
            inside = None if age < entered else age < self._n
            if inside is not None:
                np.copyto(self._seen, 0.0, where=~inside)
                inside = inside[self._hedging]
            x = self._seen.take(self._hedging, axis=0)
            self._gain.update(x, inside)
            self._update(x)

    def _update(self, x: Floats) -> None:
        """One bar: (legs B, rows) standardised; the pairs' errors move their states."""
        error, room, at_b = self._error, self._room, self._at_b
        self._seen.take(self._at_a, 0, error, "clip")
        np.subtract(error, self._alpha, out=error)
        x.take(at_b, 0, room, "clip")
        np.subtract(error, np.multiply(self.beta, room, out=room), out=error)
        for state, gain in ((self._alpha, self._gain.alpha), (self.beta, self._gain.beta)):
            gain.take(at_b, 0, room, "clip")
            np.add(state, np.multiply(room, error, out=room), out=state)


class _Gain:
    """How much of an error goes to alpha and to beta, and the states' covariance behind it.

    All arrays are (legs B, rows).
    """

    def __init__(self, walk: float, noise: float, shape: tuple[int, int]) -> None:
        self._walk, self._noise = walk, noise
        self._p = np.zeros((3, *shape))  # of alpha and beta: aa, ab, bb
        self._p_diagonal = self._p[::2]
        self._p_diagonal[:] = _PRIOR_VARIANCE
        self._p_a, self._p_b, self._p_bb = self._p[:2], self._p[1:], self._p[2]
        self._h, self._gain, self._change = np.empty((3, 2, *shape))
        self.alpha, self.beta = self._gain
        self._s = np.empty(shape)

    def update(self, x: Floats, inside: Bools | None) -> None:
        """One bar; rows that are not `inside` stay as they are, and have no gain."""
        h, gain, s = self._h, self._gain, self._s
        if inside is None:
            np.add(self._p_diagonal, self._walk, out=self._p_diagonal)
        else:
            self._p_diagonal += self._walk * inside
        np.multiply(self._p_b, x, out=h)
        np.add(h, self._p_a, out=h)
        np.multiply(h[1], x, out=s)
        np.add(s, h[0], out=s)
        np.add(s, self._noise, out=s)
        np.divide(h, s, out=gain)
        if inside is not None:
            gain *= inside
        np.subtract(self._p_a, np.multiply(h, gain[0], out=self._change), out=self._p_a)
        np.subtract(self._p_bb, np.multiply(h[1], gain[1], out=s), out=self._p_bb)


def _columns(x: Floats, last: int, rows: int) -> Floats:
    """The `rows` columns before `last`; NaN for those before column 0, which no window reaches."""
    if last >= rows:
        return x[:, last - rows : last]
    return np.pad(x[:, :last], ((0, 0), (rows - last, 0)), constant_values=np.nan)
