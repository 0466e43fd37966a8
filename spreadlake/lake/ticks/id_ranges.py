"""Which trade ids of a symbol are held, and which are missing in between. Pure.

Ids rise by 1 per symbol, so what is held is one range with gaps in it. Whatever order trades
come in, and however often, `absorb` says which are new and what became of the gaps.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spreadlake.trades import IdRange

Ids = NDArray[np.int64]
_MOST_RANGES = 10_000


class HeldIds(NamedTuple):
    """Everything from `first` to `last` is held, but for the gaps (sorted, disjoint)."""

    first: int
    last: int
    gaps: tuple[IdRange, ...] = ()

    def among(self, ids: Ids) -> NDArray[np.bool_]:
        """Which of `ids` are held."""
        return (ids >= self.first) & (ids <= self.last) & ~within(self.gaps, ids)


class GapChange(NamedTuple):
    """What trades did to a gap: the parts they filled, and the parts that are left."""

    gap: IdRange
    filled: tuple[IdRange, ...]
    left: tuple[IdRange, ...]


class Absorbed(NamedTuple):
    """What `absorb` found: `fresh` marks the ids that were not held, each once."""

    held: HeldIds
    fresh: NDArray[np.bool_]
    opened: tuple[IdRange, ...] = ()
    changed: tuple[GapChange, ...] = ()


def absorb(held: HeldIds | None, ids: Ids) -> Absorbed:
    """Adds `ids` (ascending, repeats allowed, not empty) to what is held.

    `held` is None before the first trade of a symbol: nothing is missing before that one.
    """
    if held is None:
        held = HeldIds(int(ids[0]), int(ids[0]) - 1)
    firsts, lasts = _bounds(held.gaps)
    gap = np.searchsorted(firsts, ids, "right") - 1
    in_gap = (gap >= 0) & (ids <= lasts[gap]) if held.gaps else np.zeros(len(ids), bool)
    fresh = in_gap | (ids < held.first) | (ids > held.last)
    fresh[1:] &= ids[1:] != ids[:-1]
    new = ids[fresh]
    if not new.size:
        return Absorbed(held, fresh)
    first, last = min(held.first, int(new[0])), max(held.last, int(new[-1]))
    opened = (
        *subtract(IdRange(first, held.first - 1), new),
        *subtract(IdRange(held.last + 1, last), new),
    )
    changed = tuple(_change(held.gaps[i], new) for i in np.unique(gap[fresh & in_gap]))
    kept = set(held.gaps) - {change.gap for change in changed}
    left = (part for change in changed for part in change.left)
    return Absorbed(
        HeldIds(first, last, tuple(sorted({*kept, *left, *opened}))), fresh, opened, changed
    )


def _bounds(ranges: Sequence[IdRange]) -> tuple[Ids, Ids]:
    table = np.array(ranges, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _change(gap: IdRange, new: Ids) -> GapChange:
    inside = new[np.searchsorted(new, gap.first) : np.searchsorted(new, gap.last, "right")]
    return GapChange(gap, runs(inside), subtract(gap, new))


def within(ranges: Sequence[IdRange], ids: Ids) -> NDArray[np.bool_]:
    """Which of `ids` are in one of `ranges` (sorted, disjoint)."""
    if not ranges:
        return np.zeros(ids.size, np.bool_)
    firsts, lasts = _bounds(ranges)
    at = np.searchsorted(firsts, ids, "right") - 1
    inside: NDArray[np.bool_] = (at >= 0) & (ids <= lasts[at])
    return inside


def subtract(wanted: IdRange, ids: Ids) -> tuple[IdRange, ...]:
    """The parts of `wanted` that are not among `ids` (ascending, each once)."""
    inside = ids[np.searchsorted(ids, wanted.first) : np.searchsorted(ids, wanted.last, "right")]
    edges = np.concatenate(([wanted.first - 1], inside, [wanted.last + 1]))
    missing = np.flatnonzero(np.diff(edges) > 1)
    return tuple(IdRange(int(edges[i]) + 1, int(edges[i + 1]) - 1) for i in missing)


def subtract_ranges(wanted: IdRange, ranges: Iterable[IdRange]) -> tuple[IdRange, ...]:
    """The parts of `wanted` that are in none of `ranges` (sorted; they may overlap)."""
    missing, first = [], wanted.first
    for one in ranges:
        if one.first > wanted.last:
            break
        if one.first > first:
            missing.append(IdRange(first, one.first - 1))
        first = max(first, one.last + 1)
    if first <= wanted.last:
        missing.append(IdRange(first, wanted.last))
    return tuple(missing)


def runs(ids: Ids) -> tuple[IdRange, ...]:
    """The unbroken ranges among `ids` (ascending, each once)."""
    if not ids.size:
        return ()
    breaks = np.flatnonzero(np.diff(ids) > 1)
    starts = np.concatenate(([0], breaks + 1))
    ends = np.concatenate((breaks, [ids.size - 1]))
    return tuple(map(IdRange, ids[starts].tolist(), ids[ends].tolist()))


class IdCollector:
    """Collects ids as unbroken ranges; a few of them hold a month of trades."""

    def __init__(self) -> None:
        self._ranges: list[IdRange] = []
        self._most = _MOST_RANGES

    def add(self, ids: Ids) -> None:
        """Adds ids in ascending order, each once."""
        self._ranges += runs(ids)
        if len(self._ranges) > self._most:
            self._ranges = self.ranges()
            # Where they do not join, they are sorted again only when there are twice as many.
            self._most = max(_MOST_RANGES, 2 * len(self._ranges))

    def ranges(self) -> list[IdRange]:
        """All ids so far, ascending, with a gap between any two ranges."""
        joined: list[IdRange] = []
        for one in sorted(self._ranges):
            if joined and one.first <= joined[-1].last + 1:
                joined[-1] = IdRange(joined[-1].first, max(joined[-1].last, one.last))
            else:
                joined.append(one)
        return joined
