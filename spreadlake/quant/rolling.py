"""Rolling moments of two price series: exact to rounding, and the same in any batching.

Every window is the end of one block and the beginning of the next, blocks being as long as the
window and laid out from absolute bar numbers (van Herk, "A fast algorithm for local minimum and
maximum filters", 1992, with sums). So a window costs O(1), sums are only ever added to, never
subtracted from, and a row depends on its own window alone and not on where a batch began: any
batching gives the same bits.

Prices are centred on the price at the block's start, which is always inside the window. With
R the range of the window, the sum of squared deviations is at least R²/2 and no centred price
exceeds R, so the variance keeps about 13 digits at any price level; a constant price gives
exactly zero.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CELLS = 16_384  # pairs times rows at a time: what is computed on stays in the processor's cache
_WIDE = 128  # from how many sums side by side on it pays to add them up place by place


@dataclass(frozen=True)
class Moments:
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
        parts = (self.n, self.mean_a, self.mean_b, self.saa, self.sbb, self.sab)
        return Moments(*(part[:, columns] for part in parts))


def rolling_moments(
    a: Floats, b: Floats, width: int, start: int, first: Ints, rows: int
) -> Moments:
    """Moments of `a` and `b` over the last `width` bars, for the last `rows` columns.

    a, b: (pairs, columns) closes. `start` is the absolute bar number of column 0; `first`
    (pairs,) the absolute number of each pair's first bar: a window reaches back to it at the
    most, and columns before it are not read. Every window asked for must lie within the columns
    or begin at its pair's first bar; rows where that is not so hold nonsense.
    """
    out = np.empty((6, len(a), rows))
    step = max(1, _CELLS // max(1, len(a)))
    at = 0
    while at < rows:
        end = _end(at, at + step, rows, width, start + a.shape[1] - rows)
        last = a.shape[1] - rows + end
        layout = _Layout.of(last, width, start, first, end - at)
        _moments(layout, a[:, :last], b[:, :last], out[:, :, at:end])
        at = end
    return Moments(*out)


def _end(begin: int, end: int, rows: int, width: int, start: int) -> int:
    """Where the piece from `begin` to about `end` ends: between two blocks, or with the rows."""
    if end >= rows:
        return rows
    border = (start + end) // width * width - start
    return border if border > begin else end


def rolling_sum(x: Floats, width: int, start: int, first: Ints, rows: int) -> Floats:
    """Sum over the last `width` bars (fewer at a series' start), for the last `rows` columns."""
    layout = _Layout.of(x.shape[1], width, start, first, rows)
    ahead, behind = (part.copy() for part in layout.parts(layout.cut(x)))
    layout.clear(ahead)
    layout.clear(behind)
    out = np.empty((1, len(x), rows))
    layout.lay_out(layout.window_sums(ahead, behind), out)
    return np.asarray(out[0])


def _moments(layout: "_Layout", a: Floats, b: Floats, out: Floats) -> None:
    """Writes the six arrays of `Moments` to `out`, (6, pairs, rows)."""
    blocks = layout.cut(a, b)
    centres = layout.centres(blocks)
    ahead, behind = layout.parts(blocks)
    sums = layout.window_sums(
        _products(layout, ahead, centres),
        _products(layout, behind, layout.with_block_before(centres)),
    )
    layout.lay_out(sums, out[1:])
    n, s1, squares, product = out[0], out[1:3], out[3:5], out[5]
    n[...] = layout.counts()
    offset = s1 / n  # of the mean from the centre
    product -= s1[0] * offset[1]
    s1 *= offset
    squares -= s1
    np.maximum(squares, 0.0, out=squares)
    np.add(offset, layout.by_row(centres), out=s1)


def _products(layout: "_Layout", prices: Floats, centres: Floats) -> Floats:
    """Prices of A and B → what is summed: deviations of A and B, their squares, their product."""
    out = np.empty((len(prices), 5, *prices.shape[2:]))
    deviations = out[:, :2]
    np.subtract(prices, centres, out=deviations)
    layout.clear(deviations)
    np.multiply(deviations, deviations, out=out[:, 2:4])
    np.multiply(out[:, 0], out[:, 1], out=out[:, 4])
    return out


@dataclass(frozen=True)
class _Layout:
    """The columns that the rows' windows reach, cut into blocks of `width`.

    Blocked arrays are (places of a block, series, pairs, blocks); the last blocks, from
    `row_block` on, are those that hold rows. Index 0 is the start of the first block.
    """

    columns: int
    rows: int
    width: int
    pad: int  # index of the first column
    blocks: int
    first: Ints  # (pairs, 1) index of each pair's first bar
    warming: bool  # whether the first bar of a pair lies within the columns

    @classmethod
    def of(cls, columns: int, width: int, start: int, first: Ints, rows: int) -> "_Layout":
        reached = min(columns, width - 1 + rows)
        start += columns - reached
        pad = start % width
        index = np.clip(first - (start - pad), pad, pad + reached)[:, None]
        warming = bool((first >= start).any())
        return cls(reached, rows, width, pad, -(-(pad + reached) // width), index, warming)

    @property
    def row_block(self) -> int:
        return (self.pad + self.columns - self.rows) // self.width

    @property
    def _span(self) -> tuple[int, int]:
        """Places [low, high) of the row blocks that hold rows."""
        low = (self.pad + self.columns - self.rows) % self.width
        return (low, low + self.rows) if self.row_block + 1 == self.blocks else (0, self.width)

    def cut(self, *series: Floats) -> Floats:
        """(pairs, columns) each → blocked; NaN before `first`, for `clear` to find."""
        whole = np.zeros((len(series), len(series[0]), self.blocks * self.width))
        for at, x in enumerate(series):
            whole[at, :, self.pad : self.pad + self.columns] = x[:, -self.columns :]
        if self.warming:
            whole[:, np.arange(whole.shape[2]) < self.first] = np.nan
        blocked = whole.reshape(*whole.shape[:2], self.blocks, self.width)
        return np.ascontiguousarray(blocked.transpose(3, 0, 1, 2))

    def clear(self, x: Floats) -> None:
        """What lies before `first` becomes zero, and so adds nothing."""
        if self.warming:
            x[np.isnan(x)] = 0.0

    def centres(self, blocks: Floats) -> Floats:
        """(series, pairs, row blocks): the price where each block, or the pair in it, begins."""
        if not self.warming:
            return blocks[0, :, :, self.row_block :]
        rows = np.arange(self.row_block, self.blocks)
        places = np.clip(self.first - rows * self.width, 0, self.width - 1)
        pairs = np.arange(len(self.first))[:, None]
        return np.moveaxis(blocks[places, :, pairs, rows], -1, 0)

    def parts(self, blocks: Floats) -> tuple[Floats, Floats]:
        """Row blocks up to their rows, and the block before each from its end backwards."""
        low, high = self._span
        at = self.row_block
        return blocks[:high, ..., at:], blocks[:low:-1, ..., max(at - 1, 0) : -1]

    def with_block_before(self, x: Floats) -> Floats:
        """Of what is one for each row block, those of blocks that have another before them."""
        return x[..., int(self.row_block == 0) :]

    def window_sums(self, ahead: Floats, behind: Floats) -> Floats:
        """Sums over each window, blocked: its block so far, and what is left of the one before."""
        _accumulate(ahead)
        _accumulate(behind)
        low, _ = self._span
        both = self.with_block_before(ahead[low : self.width - 1])
        both += behind[::-1][: len(both)]
        return ahead[low:]

    def counts(self) -> Floats | float:
        """(pairs, rows): bars in each window; 1 before the first bar, where nothing is read."""
        if not self.warming:
            return float(self.width)
        index = np.arange(self.pad + self.columns - self.rows, self.pad + self.columns)
        return np.asarray(np.clip(index - self.first + 1, 1, self.width), dtype=np.float64)

    def by_row(self, x: Floats) -> Floats:
        """What is one for each row block, for each of its rows."""
        if x.shape[-1] == 1:
            return x
        place = (self.pad + self.columns - self.rows) % self.width
        return np.repeat(x, self.width, axis=-1)[..., place : place + self.rows]

    def lay_out(self, x: Floats, out: Floats) -> None:
        """Blocked → (series, pairs, rows)."""
        place = (self.pad + self.columns - self.rows) % self.width - self._span[0]
        flat = x.transpose(1, 2, 3, 0).reshape(*out.shape[:2], -1)
        out[...] = flat[..., place : place + self.rows]


def _accumulate(x: Floats) -> None:
    """Running sums along the places, in place: the same additions either way."""
    if x[:1].size < _WIDE:
        np.cumsum(x, axis=0, out=x)
        return
    flat = x.reshape(len(x), -1)
    before = flat[0]
    for at in flat[1:]:
        np.add(before, at, at)
        before = at
