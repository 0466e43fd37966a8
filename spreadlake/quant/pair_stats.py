"""Pair analytics from closes. Pure functions over arrays; a NaN is a number without meaning.

Arrays are (pairs, rows). Every row is point in time: it is computed from its own window and
nothing later.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.arrays import Bools, Floats
from spreadlake.quant.legs import Legs
from spreadlake.quant.rolling import Moments

# Below this share of the legs' own variance, the variance of the spread is lost in rounding when
# it is taken from moments, and is taken from the spread itself.
_ILL_CONDITIONED = 1e-6
# Below this share of the prices, so are the digits of the spread's distance from its mean.
_TINY = 1e-8
# A spread whose deviation is less than this share of the prices is rounding, not movement.
_FLAT = 1e-14
_PIECE = 8_192  # pairs times rows at a time: what is computed on stays in the processor's cache
_CELLS = 1_000_000  # bars of windows taken one by one that are held at a time, to bound memory


class Hedge(NamedTuple):
    """OLS of A on B with intercept: A = alpha + beta·B; all arrays (pairs, rows).

    `beta_stderr` is sqrt(SSE / (n − 2) / Sbb) and `r_squared` 1 − SSE / Saa, as in statsmodels'
    OLS.
    """

    alpha: Floats
    beta: Floats
    beta_stderr: Floats
    r_squared: Floats

    def at(self, row: int) -> "Hedge":
        """Those of one row, (pairs,)."""
        return Hedge(*(part[:, row] for part in self))


class Spread(NamedTuple):
    """Spread A − beta·B at each row, and its mean, deviation (ddof 1) and z-score in the window."""

    spread: Floats
    mean: Floats
    std: Floats
    zscore: Floats


def hedge_ratio(legs: Legs, m: Moments) -> Hedge:
    """OLS hedge ratio over the moments' window: beta = cov(A, B) / var(B).

    The last columns of the legs are the rows of `m`. NaN where B does not vary; no standard error
    below 3 bars, no R² where A does not vary.
    """
    out = np.empty((4, *m.n.shape))
    for end, columns in _pieces(legs, m):
        _hedge_ratio(legs, end, m.at(columns), out[..., columns])
    return Hedge(*out)


def _hedge_ratio(legs: Legs, end: int, m: Moments, out: Floats) -> None:
    """Writes the four arrays of `Hedge` to `out`, (4, pairs, rows); rows end at column `end`."""
    alpha, beta, stderr, r_squared = out
    _divide(m.sab, m.sbb, beta)
    np.multiply(beta, m.mean_b, out=alpha)
    np.subtract(m.mean_a, alpha, out=alpha)
    sse = beta * m.sab
    np.subtract(m.saa, sse, out=sse)
    np.maximum(sse, 0.0, out=sse)
    for direct in _one_by_one(legs, end, beta, m, sse < _ILL_CONDITIONED * m.saa):
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


def deviation(squares: Floats, n: Floats) -> Floats:
    """Standard deviation (ddof 1) from the sum of squared deviations of `n`; NaN for n of 1."""
    out = np.empty(squares.shape)
    _divide(squares, n - 1, out)
    return np.sqrt(out, out=out)


def spread_zscore(legs: Legs, beta: Floats, m: Moments) -> Spread:
    """Spread and z-score of the last rows, with each row's one `beta` for its whole window.

    The last columns of the legs are the rows; `m` holds the rows' moments over the z-score's
    window. z = (spread_t − mean) / std, NaN where the spread does not vary.
    """
    out = np.empty((4, *beta.shape))
    for end, columns in _pieces(legs, m):
        _spread_zscore(legs, end, beta[:, columns], m.at(columns), out[..., columns])
    return Spread(*out)


def _spread_zscore(legs: Legs, end: int, beta: Floats, m: Moments, out: Floats) -> None:
    """Writes the four arrays of `Spread` to `out`, (4, pairs, rows); rows end at column `end`."""
    spread, mean, std, zscore = out
    leg_a, leg_b = legs.last(beta.shape[1], end)
    leg_b *= beta
    np.subtract(leg_a, leg_b, out=spread)
    np.multiply(beta, m.mean_b, out=mean)
    np.subtract(m.mean_a, mean, out=mean)
    distance = spread - mean
    apart = beta * m.sbb  # the legs' squares, as if they had nothing in common
    apart *= beta
    apart += m.saa
    squares = beta * m.sab
    squares *= -2.0
    squares += apart
    size = np.square(leg_a)
    size += np.square(leg_b, out=leg_b)
    if legs.unit:
        size += legs.unit**2 * (1 + beta * beta)
    size *= m.n
    for direct in _one_by_one(legs, end, beta, m, _lost(squares, apart, size)):
        flat = direct.squares <= _FLAT**2 * size[direct.rows]
        squares[direct.rows] = np.where(flat, 0.0, direct.squares)
        distance[direct.rows] = direct.distance
        mean[direct.rows] = spread[direct.rows] - direct.distance
    np.maximum(squares, 0.0, out=squares)
    std[...] = deviation(squares, m.n)
    _divide(distance, std, zscore)


def whole_spread(a: Floats, b: Floats, unit: float = 0.0) -> Floats | None:
    """A − beta·B of one pair's closes (bars,), with the beta of all of them, less its first value.

    None where a leg or the spread does not vary; `unit` as that of `Legs`. No test depends on the
    spread's level, and most lose digits to it.
    """
    legs = replace(Legs.of(a[None], b[None]), unit=unit)
    m = legs.moments(legs.windows(len(a), 1))
    beta = hedge_ratio(legs, m).beta
    std = spread_zscore(legs, beta, m).std[0, 0]
    if not std > 0 or np.ptp(a) == 0:
        return None
    return np.asarray((a - a[0]) - beta[0, 0] * (b - b[0]))


def _lost(squares: Floats, apart: Floats, prices: Floats) -> Bools:
    """Where moments leave too few digits: beside the legs' squares, or the prices' own."""
    least = apart * _ILL_CONDITIONED
    least += prices * _TINY**2
    lost = squares < least
    return lost & (apart > 0) if lost.any() else lost


class _Direct(NamedTuple):
    """Rows whose windows were taken one by one.

    `squares` are the sums of squared deviations of their spreads, `distance` how far the spread
    at the row lies above the mean.
    """

    rows: tuple[NDArray[np.intp], NDArray[np.intp]]
    squares: Floats
    distance: Floats


def _one_by_one(legs: Legs, end: int, beta: Floats, m: Moments, where: Bools) -> Iterator[_Direct]:
    """The rows `where`, from the spreads themselves, less the one at the row: that is exact."""
    if not where.any():
        return
    pair, row = np.nonzero(where)
    n = m.n[pair, row].astype(np.int64)
    for size in np.unique(n):
        same = np.flatnonzero(n == size)
        for at in range(0, len(same), max(1, _CELLS // size)):
            part = same[at : at + max(1, _CELLS // size)]
            p, r = pair[part], row[part]
            moves_a, moves_b = legs.moves(p, r + (end - beta.shape[1]), size)
            moves = moves_a - beta[p, r][:, None] * moves_b
            mean = moves.mean(axis=1)
            yield _Direct((p, r), ((moves - mean[:, None]) ** 2).sum(axis=1), -mean)


def _pieces(legs: Legs, m: Moments) -> Iterator[tuple[int, slice]]:
    """Rows, some at a time, and the column of the legs that each piece ends before."""
    pairs, rows = m.n.shape
    step = max(1, _PIECE // max(1, pairs))
    for at in range(0, rows, step):
        end = min(at + step, rows)
        yield legs.close.shape[1] - rows + end, slice(at, end)


def _divide(x: Floats, y: Floats, out: Floats) -> None:
    """Writes x / y to `out`, NaN where y is not positive."""
    positive = y > 0
    if positive.all():
        np.divide(x, y, out=out)
    else:
        out.fill(np.nan)
        np.divide(x, y, out=out, where=positive)
