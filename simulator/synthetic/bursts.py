"""Bursts of the synthetic market, and which ids its blocks hold with them. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from simulator.synthetic.noise import Floats, Ints


class Burst(NamedTuple):
    """All trade `factor` times as often from `start_s` to before `end_s`, Unix seconds."""

    start_s: int
    end_s: int
    factor: float


class Bursts:
    """All bursts of a market."""

    def __init__(self, bursts: Iterable[Burst] = ()) -> None:
        self._bursts = tuple(bursts)

    def factors(self, seconds: Ints) -> Floats:
        """How many times as often all trade in each of the Unix `seconds`."""
        found = np.ones(len(seconds))
        for burst in self._bursts:
            found[(seconds >= burst.start_s) & (seconds < burst.end_s)] *= burst.factor
        return found

    def spans_ms(self) -> list[tuple[int, int]]:
        """Start and end of each, Unix ms."""
        return [(one.start_s * 1000, one.end_s * 1000) for one in self._bursts]


class BlockIds:
    """The ids of one symbol's blocks: `usual` trades in each, and `more` in some, by number.

    Ids rise by 1 over all blocks, and block 0 begins with id 0.
    """

    def __init__(self, usual: int, more: dict[int, int]) -> None:
        self.usual = usual
        self._numbers = sorted(more)
        self._more = more
        # What came on top up to and including each of the busy blocks, and before all of them.
        self._sums = [0, *accumulate(more[number] for number in self._numbers)]
        self._firsts = [self.first(number) for number in self._numbers]

    def first(self, number: int) -> int:
        """The first id of a block."""
        return number * self.usual + self._sums[bisect_left(self._numbers, number)]

    def count(self, number: int) -> int:
        """How many trades a block holds."""
        return self.usual + self._more.get(number, 0)

    def is_usual(self, first: int, after: int) -> bool:
        """Whether no block of [first, after) holds more than the usual."""
        return bisect_left(self._numbers, first) == bisect_left(self._numbers, after)

    def number_of(self, trade_id: int) -> int:
        """The block that holds an id."""
        busy = bisect_right(self._firsts, trade_id) - 1
        if busy >= 0:
            number = self._numbers[busy]
            if trade_id < self._firsts[busy] + self.count(number):
                return number
        return (trade_id - self._sums[busy + 1]) // self.usual
