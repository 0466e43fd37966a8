"""Pair analytics from closes. Pure functions over arrays; a NaN is a number without meaning.

Arrays are (pairs, rows). Every row is point in time: it is computed from its own window and
nothing later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics_job.rolling import Floats, Ints, Moments, rolling_moments

__all__ = [
    "Hedge",
    "Spread",
    "correlation",
    "hedge_ratio",
    "log_returns",
    "return_moments",
    "spread_zscore",
]

# Below this share of the legs' own variance, the variance of the spread is lost in rounding when
# it is taken from moments, and is taken from the spread itself.
_ILL_CONDITIONED = 1e-6
# A spread whose deviation is less than this share of the prices is rounding, not movement.
_FLAT = 1e-14
_CELLS = 1_000_000  # bars of windows taken one by one that are held at a time, to bound memory


@dataclass(frozen=True)
class Hedge:
    """OLS of A on B with intercept: A = alpha + beta·B; all arrays (pairs, rows).

    `beta_stderr` is sqrt(SSE / (n − 2) / Sbb) and `r_squared` 1 − SSE / Saa, as in statsmodels'
    OLS.
    """

    alpha: Floats
    beta: Floats
    beta_stderr: Floats
    r_squared: Floats


@dataclass(frozen=True)
class Spread:
    """Spread A − beta·B at each row, and its mean, deviation (ddof 1) and z-score in the window."""

    spread: Floats
    mean: Floats
    std: Floats
    zscore: Floats


def hedge_ratio(a: Floats, b: Floats, m: Moments) -> Hedge:
    """OLS hedge ratio over the moments' window: beta = cov(A, B) / var(B).

    a, b: (pairs, columns) closes, whose last columns are the rows of `m`. NaN where B does not
    vary; no standard error below 3 bars, no R² where A does not vary.
    """
    beta = _divide(m.sab, m.sbb)
    sse = np.maximum(m.saa - beta * m.sab, 0.0)
    for direct in _one_by_one(a, b, beta, m, (sse <= _ILL_CONDITIONED * m.saa) & (m.saa > 0)):
        sse[direct.rows] = direct.squares
    return Hedge(
        alpha=m.mean_a - beta * m.mean_b,
        beta=beta,
        beta_stderr=np.sqrt(_divide(_divide(sse, m.n - 2), m.sbb)),
        r_squared=1.0 - _divide(sse, m.saa),
    )


def correlation(m: Moments) -> Floats:
    """Pearson correlation over the moments' window; NaN where a leg does not vary."""
    return np.clip(_divide(m.sab, np.sqrt(m.saa) * np.sqrt(m.sbb)), -1.0, 1.0)


def log_returns(x: Floats) -> Floats:
    """(…, columns) closes → log returns, those of column 0 unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diff(np.log(x), axis=-1, prepend=np.nan)


def return_moments(
    ra: Floats, rb: Floats, window: int, start: int, first: Ints, rows: int
) -> Moments:
    """Moments of the log returns between the `window` closes of each row: window − 1 returns."""
    return rolling_moments(ra, rb, window - 1, start, first + 1, rows)


def spread_zscore(a: Floats, b: Floats, beta: Floats, m: Moments) -> Spread:
    """Spread and z-score of the last rows, with each row's one `beta` for its whole window.

    a, b: (pairs, columns) closes, whose last columns are the rows; `m` holds the rows' moments
    over the z-score's window. z = (spread_t − mean) / std, NaN where the spread does not vary.
    """
    rows = beta.shape[1]
    leg_a, leg_b = a[:, -rows:], beta * b[:, -rows:]
    spread = leg_a - leg_b
    mean = m.mean_a - beta * m.mean_b
    b_squares = beta * beta * m.sbb
    squares = m.saa - 2 * beta * m.sab + b_squares
    legs = m.saa + b_squares
    distance = spread - mean
    for direct in _one_by_one(a, b, beta, m, (squares <= _ILL_CONDITIONED * legs) & (legs > 0)):
        squares[direct.rows], distance[direct.rows] = direct.squares, direct.distance
        mean[direct.rows] = spread[direct.rows] - direct.distance
    std = np.sqrt(_divide(np.maximum(squares, 0.0), m.n - 1))
    std[std <= _FLAT * np.maximum(np.abs(leg_a), np.abs(leg_b))] = 0.0
    return Spread(spread, mean, std, _divide(distance, std))


class _Direct(NamedTuple):
    """Rows whose windows were taken one by one.

    `squares` are the sums of squared deviations of their spreads, `distance` how far the spread
    at the row lies above the mean.
    """

    rows: tuple[NDArray[np.intp], NDArray[np.intp]]
    squares: Floats
    distance: Floats


def _one_by_one(
    a: Floats, b: Floats, beta: Floats, m: Moments, where: NDArray[np.bool_]
) -> Iterator[_Direct]:
    """The rows `where`, from the spreads themselves, less the one at the row: that is exact."""
    if not where.any():
        return
    offset = a.shape[1] - beta.shape[1]
    pair, row = np.nonzero(where)
    n = m.n[pair, row].astype(np.int64)
    for size in np.unique(n):
        same = np.flatnonzero(n == size)
        for at in range(0, len(same), max(1, _CELLS // size)):
            part = same[at : at + max(1, _CELLS // size)]
            p, r = pair[part], row[part]
            at_row, bars = p[:, None], (r + offset)[:, None] + np.arange(1 - size, 1)
            moves_a = a[at_row, bars] - a[p, r + offset][:, None]
            moves_b = b[at_row, bars] - b[p, r + offset][:, None]
            moves = moves_a - beta[p, r][:, None] * moves_b
            mean = moves.mean(axis=1)
            yield _Direct((p, r), ((moves - mean[:, None]) ** 2).sum(axis=1), -mean)


def _divide(x: Floats, y: Floats) -> Floats:
    """x / y, NaN where y is not positive."""
    positive = y > 0
    if positive.all():
        return np.asarray(x / y)
    out = np.full(np.broadcast_shapes(x.shape, y.shape), np.nan)
    np.divide(x, y, out=out, where=positive)
    return out
