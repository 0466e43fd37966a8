"""Pair analytics from closes. Pure functions over arrays; a NaN is a number without meaning.

Arrays are (pairs, rows). Every row is point in time: it is computed from its own window and
nothing later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.rolling import Floats, Ints, Moments, rolling_moments

# Below this share of the legs' own variance, the variance of the spread is lost in rounding when
# it is taken from moments, and is taken from the spread itself.
_ILL_CONDITIONED = 1e-6
# Below this share of the prices, so are the digits of the spread's distance from its mean.
_TINY = 1e-8
# A spread whose deviation is less than this share of the prices is rounding, not movement.
_FLAT = 1e-14
_PIECE = 8_192  # pairs times rows at a time: what is computed on stays in the processor's cache
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
    out = np.empty((4, *m.n.shape))
    for last, columns in _pieces(a, m):
        _hedge_ratio(a[:, :last], b[:, :last], m.at(columns), out[..., columns])
    return Hedge(*out)


def _hedge_ratio(a: Floats, b: Floats, m: Moments, out: Floats) -> None:
    """Writes the four arrays of `Hedge` to `out`, (4, pairs, rows)."""
    alpha, beta, stderr, r_squared = out
    _divide(m.sab, m.sbb, beta)
    np.multiply(beta, m.mean_b, out=alpha)
    np.subtract(m.mean_a, alpha, out=alpha)
    sse = beta * m.sab
    np.subtract(m.saa, sse, out=sse)
    np.maximum(sse, 0.0, out=sse)
    for direct in _one_by_one(a, b, beta, m, sse < _ILL_CONDITIONED * m.saa):
        sse[direct.rows] = direct.squares
    _divide(sse, m.saa, r_squared)
    np.subtract(1.0, r_squared, out=r_squared)
    _divide(sse, (m.n - 2) * m.sbb, stderr)
    np.sqrt(stderr, out=stderr)


def correlation(m: Moments) -> Floats:
    """Pearson correlation over the moments' window; NaN where a leg does not vary."""
    out = np.empty(m.n.shape)
    _divide(m.sab, np.sqrt(m.saa) * np.sqrt(m.sbb), out)
    return np.clip(out, -1.0, 1.0, out=out)


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
    out = np.empty((4, *beta.shape))
    for last, columns in _pieces(a, m):
        part = beta[:, columns]
        _spread_zscore(a[:, :last], b[:, :last], part, m.at(columns), out[..., columns])
    return Spread(*out)


def _spread_zscore(a: Floats, b: Floats, beta: Floats, m: Moments, out: Floats) -> None:
    """Writes the four arrays of `Spread` to `out`, (4, pairs, rows)."""
    spread, mean, std, zscore = out
    leg_a, leg_b = a[:, -beta.shape[1] :], beta * b[:, -beta.shape[1] :]
    np.subtract(leg_a, leg_b, out=spread)
    np.multiply(beta, m.mean_b, out=mean)
    np.subtract(m.mean_a, mean, out=mean)
    distance = spread - mean
    legs = beta * m.sbb
    legs *= beta
    legs += m.saa
    squares = beta * m.sab
    squares *= -2.0
    squares += legs
    size = np.square(leg_a)
    size += np.square(leg_b, out=leg_b)
    for direct in _one_by_one(a, b, beta, m, _lost(squares, legs, m.n * size)):
        flat = direct.squares <= _FLAT**2 * (m.n * size)[direct.rows]
        squares[direct.rows] = np.where(flat, 0.0, direct.squares)
        distance[direct.rows] = direct.distance
        mean[direct.rows] = spread[direct.rows] - direct.distance
    np.maximum(squares, 0.0, out=squares)
    _divide(squares, m.n - 1, std)
    np.sqrt(std, out=std)
    _divide(distance, std, zscore)


def _lost(squares: Floats, legs: Floats, prices: Floats) -> NDArray[np.bool_]:
    """Where moments leave too few digits: beside the legs' squares, or the prices' own."""
    least = legs * _ILL_CONDITIONED
    prices *= _TINY**2
    least += prices
    lost = squares < least
    return lost & (legs > 0) if lost.any() else lost


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


def _pieces(a: Floats, m: Moments) -> Iterator[tuple[int, slice]]:
    """Columns of the rows, some at a time, and the number of columns of `a` up to their end."""
    pairs, rows = m.n.shape
    step = max(1, _PIECE // max(1, pairs))
    for at in range(0, rows, step):
        end = min(at + step, rows)
        yield a.shape[1] - rows + end, slice(at, end)


def _divide(x: Floats, y: Floats, out: Floats) -> None:
    """Writes x / y to `out`, NaN where y is not positive."""
    positive = y > 0
    if positive.all():
        np.divide(x, y, out=out)
    else:
        out.fill(np.nan)
        np.divide(x, y, out=out, where=positive)
