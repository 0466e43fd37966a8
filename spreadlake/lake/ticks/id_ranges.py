"""Which trade ids of a symbol are held, and which are missing in between. Pure.

Ids rise by 1 per symbol, so what is held is one range with holes in it. Whatever order trades
come in, and however often, `absorb` says which are new and what became of the holes.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


class IdRange(NamedTuple):
    """Trade ids first to last, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        """How many ids are in it."""
        return self.last - self.first + 1


class Held(NamedTuple):
    """Everything from `first` to `last` is held, but for the holes (sorted, disjoint)."""

    first: int
    last: int
    holes: tuple[IdRange, ...] = ()


class HoleChange(NamedTuple):
    """What trades did to a hole: the parts they filled, and the parts that are left."""

    hole: IdRange
    filled: tuple[IdRange, ...]
    left: tuple[IdRange, ...]


class Absorbed(NamedTuple):
    """What `absorb` found: `fresh` marks the ids that were not held, each once."""

    held: Held
    fresh: NDArray[np.bool_]
    opened: tuple[IdRange, ...] = ()
    changed: tuple[HoleChange, ...] = ()


def absorb(held: Held | None, ids: Ids) -> Absorbed:
    """Adds `ids` (ascending, repeats allowed, not empty) to what is held.

    `held` is None before the first trade of a symbol: nothing is missing before that one.
    """
    if held is None:
        held = Held(int(ids[0]), int(ids[0]) - 1)
    firsts, lasts = _bounds(held.holes)
    hole = np.searchsorted(firsts, ids, "right") - 1
    in_hole = (hole >= 0) & (ids <= lasts[hole]) if held.holes else np.zeros(len(ids), bool)
    fresh = in_hole | (ids < held.first) | (ids > held.last)
    fresh[1:] &= ids[1:] != ids[:-1]
    new = ids[fresh]
    if not new.size:
        return Absorbed(held, fresh)
    first, last = min(held.first, int(new[0])), max(held.last, int(new[-1]))
    opened = (
        *subtract(IdRange(first, held.first - 1), new),
        *subtract(IdRange(held.last + 1, last), new),
    )
    changed = tuple(_change(held.holes[i], new) for i in np.unique(hole[fresh & in_hole]))
    kept = set(held.holes) - {change.hole for change in changed}
    left = (part for change in changed for part in change.left)
    return Absorbed(
        Held(first, last, tuple(sorted({*kept, *left, *opened}))), fresh, opened, changed
    )


def _bounds(ranges: tuple[IdRange, ...]) -> tuple[Ids, Ids]:
    table = np.array(ranges, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _change(hole: IdRange, new: Ids) -> HoleChange:
    inside = new[np.searchsorted(new, hole.first) : np.searchsorted(new, hole.last, "right")]
    return HoleChange(hole, runs(inside), subtract(hole, new))


def subtract(wanted: IdRange, ids: Ids) -> tuple[IdRange, ...]:
    """The parts of `wanted` that are not among `ids` (ascending, each once)."""
    inside = ids[np.searchsorted(ids, wanted.first) : np.searchsorted(ids, wanted.last, "right")]
    edges = np.concatenate(([wanted.first - 1], inside, [wanted.last + 1]))
    missing = np.flatnonzero(np.diff(edges) > 1)
    return tuple(IdRange(int(edges[i]) + 1, int(edges[i + 1]) - 1) for i in missing)


def runs(ids: Ids) -> tuple[IdRange, ...]:
    """The unbroken ranges among `ids` (ascending, each once)."""
    if not ids.size:
        return ()
    breaks = np.flatnonzero(np.diff(ids) > 1)
    starts = np.concatenate(([0], breaks + 1))
    ends = np.concatenate((breaks, [ids.size - 1]))
    return tuple(IdRange(int(ids[a]), int(ids[b])) for a, b in zip(starts, ends, strict=True))
