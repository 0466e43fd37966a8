"""Spans in which there was trading, and the breaks between them. Pure.

A break is a span in which no symbol traded for longer than a limit: the collector was off, or
trades of other years were imported. Nothing is carried over it, and windows begin anew after it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Ints


def cuts_of(breaks: Iterable[tuple[int, int]], length: int, low: int, high: int) -> list[int]:
    """Bars of `length` in [low, high) that begin anew although no bar before them is missing.

    `breaks` are seconds [start, end). Long bars may hold both ends of a break, or lie on either
    side of it: the bar in which a break ends is the first after it.
    """
    return [
        end // length
        for start, end in breaks
        if low <= end // length < high and end // length - (start - 1) // length <= 1
    ]


def between_breaks(
    breaks: Iterable[tuple[int, int]], start: int, end: int
) -> Iterator[tuple[int, int]]:
    """What of the seconds [start, end) is in none of the breaks, which are in order."""
    at = start
    for begin, stop in breaks:
        if at < begin < end:
            yield at, begin
        if begin < end:
            at = max(at, stop)
    if at < end:
        yield at, end


class Piece(NamedTuple):
    """Covered seconds [start, end); `begins`: a span begins here, after a break or at first."""

    start: int
    end: int
    begins: bool


class Spans:
    """Covered seconds: those with a trade, and all between two that are at most `limit` apart.

    Which trades come first makes no difference: spans only ever grow, and grow together.
    """

    def __init__(self, limit: int, spans: Iterable[tuple[int, int]] = ()) -> None:
        """`spans` are (first, last) second with a trade, in order, more than `limit` apart."""
        self.limit = limit
        known = list(spans)
        self._firsts = [first for first, _ in known]
        self._lasts = [last for _, last in known]

    def add(self, seconds: Ints) -> list[tuple[int, int]]:
        """Takes in seconds with a trade, in order; ranges [start, end) that are covered newly."""
        if len(seconds) == 0:
            return []
        edges = np.flatnonzero(np.diff(seconds) > self.limit) + 1
        firsts = seconds[np.concatenate([[0], edges])]
        lasts = seconds[np.concatenate([edges - 1, [len(seconds) - 1]])]
        new: list[tuple[int, int]] = []
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            new += self._add(first, last)
        return new

    def _add(self, first: int, last: int) -> list[tuple[int, int]]:
        low = bisect_left(self._lasts, first - self.limit)
        high = bisect_right(self._firsts, last + self.limit)
        joined = slice(low, high)
        known = list(zip(self._firsts[joined], self._lasts[joined], strict=True))
        begin = min([first, *self._firsts[joined]])
        end = max([last, *self._lasts[joined]]) + 1
        self._firsts[joined], self._lasts[joined] = [begin], [end - 1]
        new, at = [], begin
        for start, stop in known:
            if at < start:
                new.append((at, start))
            at = stop + 1
        return new if at >= end else [*new, (at, end)]

    def within(self, start: int, end: int) -> Iterator[Piece]:
        """What is covered of [start, end), in order."""
        at = bisect_left(self._lasts, start)
        while at < len(self._firsts) and self._firsts[at] < end:
            first = self._firsts[at]
            yield Piece(max(first, start), min(self._lasts[at] + 1, end), first >= start)
            at += 1

    def span_of(self, second: int) -> tuple[int, int] | None:
        """(first, last) of the span that covers a second; None in a break."""
        at = bisect_left(self._lasts, second)
        if at == len(self._firsts) or self._firsts[at] > second:
            return None
        return self._firsts[at], self._lasts[at]

    def last_before(self, second: int) -> int | None:
        """The last covered second before `second`; None if there is none."""
        at = bisect_left(self._firsts, second) - 1
        return None if at < 0 else min(self._lasts[at], second - 1)

    def breaks(self, before: int) -> list[tuple[int, int]]:
        """Breaks [start, end) that end before the second `before`, in order."""
        count = bisect_left(self._firsts, before)
        ends = self._firsts[1:count]
        return [(last + 1, end) for last, end in zip(self._lasts, ends, strict=False)]

    def cuts(self, length: int, low: int, high: int) -> list[int]:
        """`cuts_of` the breaks between these spans."""
        at = max(1, bisect_left(self._firsts, low * length))
        until = bisect_left(self._firsts, high * length)
        lasts = self._lasts[at - 1 : until]
        breaks = zip([last + 1 for last in lasts], self._firsts[at:until], strict=False)
        return cuts_of(breaks, length, low, high)
