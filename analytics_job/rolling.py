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

__all__ = ["Floats", "Ints", "Moments", "rolling_moments", "rolling_sum"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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


def rolling_moments(
    a: Floats, b: Floats, width: int, start: int, first: Ints, rows: int
) -> Moments:
    """Moments of `a` and `b` over the last `width` bars, for the last `rows` columns.

    a, b: (pairs, columns) closes. `start` is the absolute bar number of column 0; `first`
    (pairs,) the absolute number of each pair's first bar: a window reaches back to it at the
    most, and columns before it are not read. Every window asked for must lie within the columns
    or begin at its pair's first bar; rows where that is not so hold nonsense.
    """
    layout = _Layout.of(a.shape[1], width, start, first)
    da, ua = layout.centre(a)
    db, ub = layout.centre(b)
    sums = [
        layout.window_sums(ahead, behind)[:, -rows:]
        for ahead, behind in (
            (da, ua),
            (db, ub),
            (da * da, ua * ua),
            (db * db, ub * ub),
            (da * db, ua * ub),
        )
    ]
    return _moments(layout, a, b, sums, rows)


def rolling_sum(x: Floats, width: int, start: int, first: Ints, rows: int) -> Floats:
    """Sum over the last `width` bars (fewer at a series' start), for the last `rows` columns."""
    layout = _Layout.of(x.shape[1], width, start, first)
    blocks = layout.cut(x)
    places = np.arange(layout.blocks * width).reshape(1, layout.blocks, width)
    ahead = np.where(places >= layout.first[:, :, None], blocks, 0.0)
    behind = np.zeros_like(ahead)
    behind[:, 1:] = ahead[:, :-1]
    return layout.window_sums(ahead, behind)[:, -rows:]


def _moments(layout: "_Layout", a: Floats, b: Floats, sums: list[Floats], rows: int) -> Moments:
    s1a, s1b, s2a, s2b, s2ab = sums
    n = layout.counts(rows)
    return Moments(
        n=n,
        mean_a=layout.centres(a, rows) + s1a / n,
        mean_b=layout.centres(b, rows) + s1b / n,
        saa=np.maximum(s2a - s1a * s1a / n, 0.0),
        sbb=np.maximum(s2b - s1b * s1b / n, 0.0),
        sab=s2ab - s1a * s1b / n,
    )


@dataclass(frozen=True)
class _Layout:
    """The columns cut into blocks of `width`; index 0 is the start of the first block."""

    columns: int
    width: int
    pad: int  # places of the first block that lie before column 0
    first: Ints  # (pairs, 1) index of each pair's first bar
    blocks: int

    @classmethod
    def of(cls, columns: int, width: int, start: int, first: Ints) -> "_Layout":
        pad = start % width
        clipped = np.clip(first - (start - pad), pad, pad + columns)[:, None]
        return cls(columns, width, pad, clipped, -(-(pad + columns) // width))

    def cut(self, x: Floats) -> Floats:
        """(pairs, columns) → (pairs, blocks, width), zero where there is no column."""
        whole = np.zeros((x.shape[0], self.blocks * self.width))
        whole[:, self.pad : self.pad + self.columns] = x
        return whole.reshape(x.shape[0], self.blocks, self.width)

    def block_centres(self, x: Floats) -> Floats:
        """(pairs, blocks): the price at each block's start, or at the first bar within it."""
        starts = np.arange(self.blocks) * self.width
        at = np.maximum(starts, self.first) - self.pad
        return np.take_along_axis(x, np.minimum(at, self.columns - 1), axis=1)

    def centre(self, x: Floats) -> tuple[Floats, Floats]:
        """Each block, and the block before it, less this block's centre; zero before `first`."""
        blocks = self.cut(x)
        centres = self.block_centres(x)[:, :, None]
        places = np.arange(self.blocks * self.width).reshape(1, self.blocks, self.width)
        valid = places >= self.first[:, :, None]
        ahead = np.where(valid, blocks - centres, 0.0)
        behind = np.zeros_like(ahead)
        np.subtract(blocks[:, :-1], centres[:, 1:], out=behind[:, 1:], where=valid[:, :-1])
        return ahead, behind

    def window_sums(self, ahead: Floats, behind: Floats) -> Floats:
        """Sums over each window: this block so far, and what is left of the block before."""
        sums = np.cumsum(ahead, axis=-1)
        rest = np.cumsum(behind[..., :0:-1], axis=-1)[..., ::-1]
        sums[..., :-1] += rest
        return self._flat(sums)

    def counts(self, rows: int) -> Floats:
        """(pairs, rows): bars in each window; 1 before the first bar, where nothing is read."""
        index = np.arange(self.pad + self.columns - rows, self.pad + self.columns)
        return np.asarray(np.clip(index - self.first + 1, 1, self.width), dtype=np.float64)

    def centres(self, x: Floats, rows: int) -> Floats:
        """(pairs, rows): the centre that each row's sums are taken from."""
        repeated = np.repeat(self.block_centres(x), self.width, axis=1)
        return repeated[:, self.pad : self.pad + self.columns][:, -rows:]

    def _flat(self, x: Floats) -> Floats:
        flat = x.reshape(x.shape[0], self.blocks * self.width)
        return flat[:, self.pad : self.pad + self.columns]
