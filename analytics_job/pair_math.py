"""Pair analytics from closes. Pure functions over arrays; a NaN is a number without meaning.

Arrays are (pairs, rows). Every row is point in time: it is computed from its own window and
nothing later.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics_job.rolling import Floats, Ints, Moments, rolling_moments

__all__ = ["Hedge", "Spread", "correlation", "hedge_ratio", "return_moments", "spread_zscore"]

# Below this share of the legs' own variance, the variance of the spread is lost in rounding when
# it is taken from moments, and is taken from the spread itself.
_ILL_CONDITIONED = 1e-6
# A spread whose deviation is less than this share of the prices is rounding, not movement.
_FLAT = 1e-14
_CHUNK = 20_000  # windows computed one by one at a time, to bound memory


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


def hedge_ratio(m: Moments) -> Hedge:
    """OLS hedge ratio over the moments' window: beta = cov(A, B) / var(B).

    NaN where B does not vary; no standard error below 3 bars, no R² where A does not vary.
    """
    beta = _divide(m.sab, m.sbb)
    sse = np.maximum(m.saa - beta * m.sab, 0.0)
    return Hedge(
        alpha=m.mean_a - beta * m.mean_b,
        beta=beta,
        beta_stderr=np.sqrt(_divide(_divide(sse, m.n - 2), m.sbb)),
        r_squared=1.0 - _divide(sse, m.saa),
    )


def correlation(m: Moments) -> Floats:
    """Pearson correlation over the moments' window; NaN where a leg does not vary."""
    return np.clip(_divide(m.sab, np.sqrt(m.saa) * np.sqrt(m.sbb)), -1.0, 1.0)


def return_moments(
    a: Floats, b: Floats, window: int, start: int, first: Ints, rows: int
) -> Moments:
    """Moments of the log returns between the `window` closes of each row: window − 1 returns."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ra, rb = (np.diff(np.log(x), axis=1, prepend=np.nan) for x in (a, b))
    return rolling_moments(ra, rb, window - 1, start, first + 1, rows)


def spread_zscore(a: Floats, b: Floats, beta: Floats, m: Moments) -> Spread:
    """Spread and z-score of the last rows, with each row's one `beta` for its whole window.

    a, b: (pairs, columns) closes, whose last columns are the rows; `m` holds the rows' moments
    over the z-score's window. z = (spread_t − mean) / std, NaN where the spread does not vary.
    """
    rows = beta.shape[1]
    spread = a[:, -rows:] - beta * b[:, -rows:]
    mean = m.mean_a - beta * m.mean_b
    legs = m.saa + beta * beta * m.sbb
    squares = m.saa - 2 * beta * m.sab + beta * beta * m.sbb
    lost = squares <= _ILL_CONDITIONED * legs
    std = np.sqrt(np.maximum(squares, 0.0) / (m.n - 1))
    if lost.any():
        _direct(a, b, beta, m, np.nonzero(lost), mean, std)
    scale = np.maximum(np.abs(a[:, -rows:]), np.abs(beta * b[:, -rows:]))
    std = np.where(std <= _FLAT * scale, 0.0, std)
    return Spread(spread, mean, std, _divide(spread - mean, std))


def _direct(
    a: Floats,
    b: Floats,
    beta: Floats,
    m: Moments,
    where: tuple[NDArray[np.intp], ...],
    mean: Floats,
    std: Floats,
) -> None:
    """Mean and deviation from the spreads themselves, written over those of the rows `where`."""
    offset = a.shape[1] - beta.shape[1]
    for at in range(0, len(where[0]), _CHUNK):
        pair, row = where[0][at : at + _CHUNK], where[1][at : at + _CHUNK]
        n = m.n[pair, row].astype(np.int64)
        for size in np.unique(n):
            p, r = pair[n == size], row[n == size]
            bars = (r + offset)[:, None] + np.arange(1 - size, 1)
            s = a[p[:, None], bars] - beta[p, r][:, None] * b[p[:, None], bars]
            mean[p, r] = s.mean(axis=1)
            std[p, r] = s.std(axis=1, ddof=1) if size > 1 else np.nan


def _divide(x: Floats, y: Floats) -> Floats:
    """x / y, NaN where y is not positive."""
    out = np.full(np.broadcast_shapes(x.shape, y.shape), np.nan)
    np.divide(x, y, out=out, where=y > 0)
    return out
