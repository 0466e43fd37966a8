"""Rolling moments of many legs and of pairs of them: exact to rounding, the same in any batching.

Pure. What belongs to a leg (its mean, its squares, its distances from a centre) is computed once,
whichever pairs it is in; a pair only adds up its legs' products. Sums are those of
`spreadlake.quant.blocks`, so that one row of many pairs and many rows of one have the same bits.

Prices are centred on the price at the block's start, which is always inside the window. With
R the range of the window, the sum of squared deviations is at least R²/2 and no centred price
exceeds R, so the variance keeps about 13 digits at any price level; a constant price gives
exactly zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats, Ints, of_legs
from spreadlake.quant.blocks import BlockLayout

_CELLS = 32_768  # legs times rows at a time: what is computed on stays in the processor's cache


class Moments(NamedTuple):
    """Moments over each row's window; all arrays are (pairs, rows).

    `saa`, `sbb` and `sab` are sums of squared deviations from the mean, and of their products;
    `n` counts the bars in the window (float, for division).
    """

    n: Floats
    mean_a: Floats
    mean_b: Floats
    saa: Floats
    sbb: Floats
    sab: Floats

    def at(self, columns: slice) -> "Moments":
        """Those of some of the rows."""
        return Moments(*(part[:, columns] for part in self))


class _Part(NamedTuple):
    """Some of the rows, and the blocked deviations that their windows are made of."""

    rows: slice
    layout: BlockLayout
    ahead: Floats
    behind: Floats


@dataclass(frozen=True)
class LegWindows:
    """The last `width` bars of many legs at each of some rows: all that pairs of them share.

    n, mean, squares: (legs, rows) bars in the window, mean, and sum of squared deviations from it.
    """

    n: Floats
    mean: Floats
    _offset: Floats  # of the mean from the block's centre
    _sums: Floats  # of the deviations from the centre
    squares: Floats
    _parts: tuple[_Part, ...]

    @classmethod
    def of(cls, x: Floats, width: int, start: int, first: Ints, rows: int) -> "LegWindows":
        """For the last `rows` columns of x (legs, columns).

        `start` is the absolute bar number of column 0; `first` (legs,) the absolute number of
        each leg's first bar: a window reaches back to it at the most, and columns before it are
        not read. Every window asked for must lie within the columns or begin at its leg's first
        bar; rows where that is not so hold nonsense.
        """
        out = np.empty((5, len(x), rows))
        begin = x.shape[1] - rows
        parts = []
        for at in _pieces(width, start + begin, rows, len(x)):
            layout = BlockLayout.of(begin + at.stop, width, start, first, at.stop - at.start)
            blocks = layout.cut(x[:, : begin + at.stop])
            centres = layout.centres(blocks)
            ahead, behind = layout.parts(blocks)
            part = _Part(
                at,
                layout,
                _deviations(layout, ahead, centres),
                _deviations(layout, behind, layout.with_block_before(centres)),
            )
            parts.append(part)
            _leg_moments(part, centres, out[..., at])
        n, mean, offset, sums, squares = out
        return cls(n, mean, offset, sums, squares, tuple(parts))

    def moments(self, at_a: Ints, at_b: Ints) -> Moments:
        """Of the pairs whose legs have the numbers `at_a` and `at_b`, (pairs,) each.

        Both legs of a pair begin at the same bar.
        """
        n, mean_a, saa = (of_legs(x, at_a) for x in (self.n, self.mean, self.squares))
        mean_b, sbb = (of_legs(x, at_b) for x in (self.mean, self.squares))
        sab = np.empty(mean_a.shape)
        for part in self._parts:
            layout = part.layout
            layout.lay_out(
                layout.window_products(part.ahead, part.behind, at_a, at_b), sab[:, part.rows]
            )
        sab -= of_legs(self._sums, at_a) * of_legs(self._offset, at_b)
        return Moments(n, mean_a, mean_b, saa, sbb, sab)


def rolling_sum(x: Floats, width: int, start: int, first: Ints, rows: int) -> Floats:
    """Sum over the last `width` bars (fewer at a series' start), for the last `rows` columns."""
    layout = BlockLayout.of(x.shape[1], width, start, first, rows)
    ahead, behind = (part.copy() for part in layout.parts(layout.cut(x)))
    layout.clear(ahead)
    layout.clear(behind)
    out = np.empty((len(x), rows))
    layout.lay_out(layout.window_sums(ahead, behind), out)
    return out


def _deviations(layout: BlockLayout, prices: Floats, centres: Floats) -> Floats:
    out = prices - centres
    layout.clear(out)
    return out


def _leg_moments(part: _Part, centres: Floats, out: Floats) -> None:
    """Writes the arrays of `LegWindows` to `out`, (5, legs, rows)."""
    n, mean, offset, sums, squares = out
    layout = part.layout
    both = _with_squares(part.ahead), _with_squares(part.behind)
    layout.lay_out(layout.window_sums(*both), out[3:])
    n[...] = layout.counts()
    np.divide(sums, n, out=offset)
    np.add(offset, layout.by_row(centres), out=mean)
    squares -= sums * offset
    np.maximum(squares, 0.0, out=squares)


def _with_squares(x: Floats) -> Floats:
    out = np.empty((len(x), 2, *x.shape[1:]))
    out[:, 0] = x
    np.multiply(x, x, out=out[:, 1])
    return out


def _pieces(width: int, start: int, rows: int, legs: int) -> Iterator[slice]:
    """The rows from the absolute bar `start` on, some at a time, cut where blocks meet.

    A few rows never lie in two blocks: only the places of a block that hold rows are kept.
    """
    step, at = max(1, _CELLS // max(1, legs)), 0
    while at < rows:
        end = min(at + step, rows)
        border = (start + end) // width * width - start
        if border > at and (end < rows or rows <= width):
            end = min(end, border)
        yield slice(at, end)
        at = end
