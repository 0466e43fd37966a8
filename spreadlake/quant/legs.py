"""The legs of many pairs side by side: what belongs to a leg is computed once. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.rolling import LegWindows, Moments


@dataclass(frozen=True)
class Legs:
    """Closes of legs, and which two of them each pair has.

    close: (legs, columns); `start` is the absolute bar number (time // length) of column 0.
    first: (legs,) absolute number of each leg's first bar; both legs of a pair begin at the same.
    at_a, at_b: (pairs,) numbers of each pair's legs. unit: of what size the closes are beside
    their own, for their rounding: 1 for logarithms, as a share of a price moves them by as much.
    """

    close: Floats
    start: int
    first: Ints
    at_a: Ints
    at_b: Ints
    unit: float = 0.0

    @classmethod
    def of(cls, a: Floats, b: Floats, start: int = 0, first: Ints | None = None) -> Self:
        """Of a, b (pairs, columns); `first` (pairs,), None: all bars are there."""
        pairs = np.arange(len(a))
        begin = np.full(len(a), start) if first is None else first
        return cls(np.concatenate([a, b]), start, np.tile(begin, 2), pairs, pairs + len(a))

    @classmethod
    def of_symbols(cls, close: Floats, start: int, first: Ints, at_a: Ints, at_b: Ints) -> Self:
        """Of the pairs of symbols `at_a` and `at_b`: close (symbols, columns), first (symbols,).

        A pair begins with the later of its two symbols: a symbol is a leg for each bar at which
        one of its pairs does so.
        """
        begins, place = np.unique(first, return_inverse=True)
        begin = np.maximum(place[at_a], place[at_b])
        numbers = [at * len(begins) + begin for at in (at_a, at_b)]
        used = np.zeros(len(close) * len(begins), dtype=np.bool_)
        for number in numbers:
            used[number] = True
        legs = np.flatnonzero(used)
        order = np.cumsum(used) - 1
        symbols, begin_of = np.divmod(legs, len(begins))
        at_a, at_b = (order[at] for at in numbers)
        return cls(close[symbols], start, begins[begin_of], at_a, at_b)

    @property
    def pairs(self) -> int:
        """How many there are."""
        return len(self.at_a)

    def logs(self) -> "Legs":
        """Natural logarithms in the place of closes."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return replace(self, close=np.log(self.close), unit=1.0)

    def steps(self) -> "Legs":
        """What each close is above the one before; each leg has one fewer."""
        steps = np.diff(self.close, axis=-1, prepend=np.nan)
        return replace(self, close=steps, first=self.first + 1)

    def windows(self, width: int, rows: int) -> LegWindows:
        """The last `width` bars of every leg at each of the last `rows` columns."""
        return LegWindows.of(self.close, width, self.start, self.first, rows)

    def moments(self, windows: LegWindows) -> Moments:
        """Moments (pairs, rows) of the pairs, from what `windows` has of these legs."""
        return windows.moments(self.at_a, self.at_b)

    def of_pairs(self, at_a: Ints, at_b: Ints) -> "Legs":
        """Other pairs of the same legs."""
        return replace(self, at_a=at_a, at_b=at_b)

    def some(self, pairs: slice) -> "Legs":
        """Some of the pairs, of the same legs."""
        return self.of_pairs(self.at_a[pairs], self.at_b[pairs])

    def last(self, rows: int, end: int | None = None) -> tuple[Floats, Floats]:
        """(pairs, rows) each: the closes of A and B in the last columns (before column `end`)."""
        close = self.close[:, :end][:, -rows:]
        return close[self.at_a], close[self.at_b]

    def moves(self, pairs: Ints, columns: Ints, bars: int) -> tuple[Floats, Floats]:
        """(len(pairs), bars) each: A and B of some pairs up to a column, less their close there."""
        window = columns[:, None] + np.arange(1 - bars, 1)
        legs = (at[pairs][:, None] for at in (self.at_a, self.at_b))
        a, b = (self.close[leg, window] - self.close[leg, columns[:, None]] for leg in legs)
        return a, b

    def groups(self, size: int) -> Iterator[slice]:
        """The pairs, at most `size` at a time."""
        for at in range(0, self.pairs, size):
            yield slice(at, min(at + size, self.pairs))


def log_returns(close: Floats) -> Floats:
    """(…, columns) closes → log returns, those of column 0 unknown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diff(np.log(close), axis=-1, prepend=np.nan)
