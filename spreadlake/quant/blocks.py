"""Sums over sliding windows from blocks of bars: exact to rounding, the same in any batching. Pure.

Every window is the end of one block and the beginning of the next, blocks being as long as the
window and laid out from absolute bar numbers (van Herk, "A fast algorithm for local minimum and
maximum filters", 1992, with sums). So a window costs O(1), sums are only ever added to, never
subtracted from, and a row depends on its own window alone and not on where a batch began: any
batching gives the same bits.
"""

from dataclasses import dataclass

import numpy as np

from spreadlake.quant.arrays import Floats, Ints, of_legs

_WIDE = 128  # from how many sums side by side on it pays to add them up place by place


@dataclass(frozen=True)
class BlockLayout:
    """The columns that the rows' windows reach, cut into blocks of `width`.

    Blocked arrays are (places of a block, …, series, blocks); the last blocks, from `row_block`
    on, are those that hold rows. Index 0 is the start of the first block.
    """

    columns: int
    rows: int
    width: int
    pad: int  # index of the first column
    blocks: int
    first: Ints  # (series, 1) index of each series' first bar
    warming: bool  # whether the first bar of a series lies within the columns

    @classmethod
    def of(cls, columns: int, width: int, start: int, first: Ints, rows: int) -> "BlockLayout":
        """For the last `rows` of so many columns; `start`, `first`: absolute bar numbers."""
        reached = min(columns, width - 1 + rows)
        start += columns - reached
        pad = start % width
        index = np.clip(first - (start - pad), pad, pad + reached)[:, None]
        warming = bool((first >= start).any())
        return cls(reached, rows, width, pad, -(-(pad + reached) // width), index, warming)

    @property
    def row_block(self) -> int:
        """The first block that holds a row."""
        return (self.pad + self.columns - self.rows) // self.width

    @property
    def _span(self) -> tuple[int, int]:
        """Places [low, high) of the row blocks that hold rows."""
        low = (self.pad + self.columns - self.rows) % self.width
        return (low, low + self.rows) if self.row_block + 1 == self.blocks else (0, self.width)

    def cut(self, x: Floats) -> Floats:
        """(series, columns) → blocked; NaN before `first`, for `clear` to find."""
        whole = np.zeros((len(x), self.blocks * self.width))
        whole[:, self.pad : self.pad + self.columns] = x[:, -self.columns :]
        if self.warming:
            whole[np.arange(whole.shape[1]) < self.first] = np.nan
        blocked = whole.reshape(len(x), self.blocks, self.width)
        return np.ascontiguousarray(blocked.transpose(2, 0, 1))

    def clear(self, x: Floats) -> None:
        """What lies before `first` becomes zero, and so adds nothing."""
        if self.warming:
            x[np.isnan(x)] = 0.0

    def centres(self, blocks: Floats) -> Floats:
        """(series, row blocks): the value where each block, or the series in it, begins."""
        if not self.warming:
            return blocks[0, :, self.row_block :]
        rows = np.arange(self.row_block, self.blocks)
        places = np.clip(self.first - rows * self.width, 0, self.width - 1)
        return np.asarray(blocks[places, np.arange(len(self.first))[:, None], rows])

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
        low, high = self._span
        return self._joined(
            running_sums(ahead, high - low), running_sums(behind, self._kept_behind)
        )

    def window_products(self, ahead: Floats, behind: Floats, at_a: Ints, at_b: Ints) -> Floats:
        """The same of the products of two series each: `at_a`, `at_b` (pairs,) their numbers."""
        low, high = self._span
        return self._joined(
            _running_products(ahead, at_a, at_b, high - low),
            _running_products(behind, at_a, at_b, self._kept_behind),
        )

    @property
    def _kept_behind(self) -> int:
        low, high = self._span
        return min(high, self.width - 1) - low

    def _joined(self, ahead: Floats, behind: Floats) -> Floats:
        both = self.with_block_before(ahead[: len(behind)])
        both += behind[::-1]
        return ahead

    def counts(self) -> Floats | float:
        """(series, rows): bars in each window; 1 before the first bar, where nothing is read."""
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
        """Blocked → (…, series, rows)."""
        place = (self.pad + self.columns - self.rows) % self.width - self._span[0]
        flat = np.moveaxis(x, 0, -1).reshape(*out.shape[:-1], len(x) * x.shape[-1])
        out[...] = flat[..., place : place + self.rows]


def running_sums(x: Floats, keep: int) -> Floats:
    """The last `keep` running sums along the places; `x` is used up."""
    if x[:1].size < _WIDE:
        np.cumsum(x, axis=0, out=x)  # the same additions either way
    else:
        flat = x.reshape(len(x), -1)
        before = flat[0]
        for at in flat[1:]:
            np.add(before, at, at)
            before = at
    return x[len(x) - keep :]


def _running_products(x: Floats, at_a: Ints, at_b: Ints, keep: int) -> Floats:
    """The last `keep` running sums of x[:, at_a]·x[:, at_b]; none of the others is held."""
    places, _, blocks = x.shape
    if len(at_a) * blocks < _WIDE:
        by_leg = x.transpose(1, 0, 2)
        products = of_legs(by_leg, at_a) * of_legs(by_leg, at_b)
        return running_sums(products.transpose(1, 0, 2), keep)
    out = np.empty((keep, len(at_a), blocks))
    one, other, before = np.empty((3, len(at_a), blocks))
    for place in range(places if keep else 0):
        x[place].take(at_a, 0, one, "clip")
        x[place].take(at_b, 0, other, "clip")
        kept = place - (places - keep)
        after = before if kept < 0 else out[kept]
        if place == 0:
            np.multiply(one, other, out=after)
        else:
            np.add(before, np.multiply(one, other, out=one), out=after)
        before = after
    return out
