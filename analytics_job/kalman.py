"""Hedge ratio that moves: a Kalman filter over the lookback. Pure.

The state (alpha, beta) walks randomly, A_t = alpha_t + beta_t·B_t + noise (E. Chan, "Algorithmic
Trading", 2013, chapter 3; R. E. Kalman, 1960). The filter starts anew at the beginning of each
row's lookback, so that a row depends on its own window alone; both legs are standardised by
their mean and deviation over that window, which makes the noise settings free of units.
"""

import numpy as np

from analytics_job.rolling import Floats, Moments

__all__ = ["kalman_beta"]

_PRIOR_VARIANCE = 10.0  # of alpha and beta, in standardised prices: close to knowing nothing


def kalman_beta(
    a: Floats, b: Floats, m: Moments, lookback: int, delta: float, observation_variance: float
) -> Floats:
    """Filtered beta at each of the last rows, (pairs, rows); NaN where a leg does not vary.

    a, b: (pairs, columns) closes, whose last columns are the rows; `m` holds the rows' moments
    over `lookback`. The state moves with variance delta / (1 − delta) a bar; the observation
    noise has `observation_variance` times the variance of A.
    """
    rows = m.n.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        scale_a, scale_b = np.sqrt(m.saa / (m.n - 1)), np.sqrt(m.sbb / (m.n - 1))
        state = _State(m.n.shape, delta / (1 - delta), observation_variance)
        for age in range(min(lookback, a.shape[1]) - 1, -1, -1):
            last = a.shape[1] - age
            x = (_columns(b, last, rows) - m.mean_b) / scale_b
            y = (_columns(a, last, rows) - m.mean_a) / scale_a
            state.update(x, y, age < m.n)
        return np.where((m.saa > 0) & (m.sbb > 0), state.beta * scale_a / scale_b, np.nan)


def _columns(x: Floats, last: int, rows: int) -> Floats:
    """The `rows` columns before `last`; NaN for those before column 0, which no window reaches."""
    if last >= rows:
        return x[:, last - rows : last]
    return np.pad(x[:, :last], ((0, 0), (rows - last, 0)), constant_values=np.nan)


class _State:
    """Mean (alpha, beta) and covariance of the state, (pairs, rows) each."""

    def __init__(self, shape: tuple[int, ...], walk: float, noise: float) -> None:
        self._walk, self._noise = walk, noise
        self.alpha, self.beta = np.zeros(shape), np.zeros(shape)
        self._paa, self._pbb = np.full(shape, _PRIOR_VARIANCE), np.full(shape, _PRIOR_VARIANCE)
        self._pab = np.zeros(shape)

    def update(self, x: Floats, y: Floats, inside: np.ndarray) -> None:
        """One bar: predict, then correct, where the bar is `inside` the row's window."""
        paa, pbb = self._paa + self._walk, self._pbb + self._walk
        ha, hb = paa + self._pab * x, self._pab + pbb * x
        s = ha + hb * x + self._noise
        error = (y - self.alpha - self.beta * x) / s
        for name, value in (
            ("alpha", self.alpha + ha * error),
            ("beta", self.beta + hb * error),
            ("_paa", paa - ha * ha / s),
            ("_pbb", pbb - hb * hb / s),
            ("_pab", self._pab - ha * hb / s),
        ):
            setattr(self, name, np.where(inside, value, getattr(self, name)))
