"""Ranges of trade ids: what a file brings, and what is then still missing. Pure."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
_MOST_RUNS = 10_000


class IdRange(NamedTuple):
    """Trade ids first to last, both included."""

    first: int
    last: int


class RunCollector:
    """Collects ids as unbroken ranges; a few of them hold a month of trades."""

    def __init__(self) -> None:
        self._runs: list[IdRange] = []
        self._most = _MOST_RUNS

    def add(self, ids: Ids) -> None:
        """Adds ids in ascending order, each once."""
        if not ids.size:
            return
        breaks = np.flatnonzero(np.diff(ids) > 1)
        firsts = ids[np.concatenate(([0], breaks + 1))].tolist()
        lasts = ids[np.concatenate((breaks, [ids.size - 1]))].tolist()
        self._runs += map(IdRange, firsts, lasts)
        if len(self._runs) > self._most:
            self._runs = self.runs()
            # Where they do not join, they are sorted again only when there are twice as many.
            self._most = max(_MOST_RUNS, 2 * len(self._runs))

    def runs(self) -> list[IdRange]:
        """All ids so far, ascending, with a hole between any two ranges."""
        joined: list[IdRange] = []
        for run in sorted(self._runs):
            if joined and run.first <= joined[-1].last + 1:
                joined[-1] = IdRange(joined[-1].first, max(joined[-1].last, run.last))
            else:
                joined.append(run)
        return joined


def missing_in(wanted: IdRange, runs: Iterable[IdRange]) -> list[IdRange]:
    """The parts of `wanted` that are in none of `runs` (ascending, disjoint)."""
    missing, first = [], wanted.first
    for run in runs:
        if run.first > wanted.last:
            break
        if run.first > first:
            missing.append(IdRange(first, run.first - 1))
        first = max(first, run.last + 1)
    if first <= wanted.last:
        missing.append(IdRange(first, wanted.last))
    return missing


class KnownIds:
    """Which ids of a symbol a lake says it has: all of `held` but the `gaps` (ascending)."""

    def __init__(self, held: IdRange | None, gaps: Sequence[IdRange] = ()) -> None:
        self.held = held
        table = np.array(gaps, np.int64).reshape(-1, 2)
        self._firsts, self._lasts = table[:, 0], table[:, 1]

    def among(self, ids: Ids) -> Ids:
        """Those of `ids` that the lake should have."""
        if self.held is None:
            return ids[:0]
        inside = ids[(ids >= self.held.first) & (ids <= self.held.last)]
        gap = np.searchsorted(self._firsts, inside, "right") - 1
        if not self._firsts.size:
            return inside
        return inside[(gap < 0) | (inside > self._lasts[gap])]
