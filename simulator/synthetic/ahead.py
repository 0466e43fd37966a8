"""Frames made some time ahead, and given out a window at a time. Pure.

A window is short, and in most of them a symbol does not trade: to look at hundreds of symbols in
each would take longer than the windows last.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection
from operator import itemgetter

from simulator.source import Frame

Timed = list[tuple[int, Frame]]
"""Frames with their times (Unix ms), in order of time."""
FramesOf = Callable[[Collection[str], int, int], Timed]
_time_of = itemgetter(0)


class Ahead:
    """Gives out what `frames_of` makes of streams in [start, end), from `start_ms` on."""

    def __init__(self, frames_of: FramesOf, start_ms: int) -> None:
        self._frames_of = frames_of
        self._streams: frozenset[str] = frozenset()
        self._timed: Timed = []
        self._given = 0
        self._now = self._end = start_ms

    def until(self, later: int, streams: Collection[str], length: int) -> list[Frame]:
        """The frames of `streams` up to `later`; what comes after is made for `length` ms more.

        A stream that is new gets its frames from now on.
        """
        wanted = frozenset(streams)
        if new := wanted - self._streams:
            self._add(self._frames_of(sorted(new), self._now, self._end))
            self._streams |= new
        if self._end < later:
            end = max(later, self._end + length)
            self._add(self._frames_of(sorted(wanted), self._end, end))
            self._end, self._streams = end, wanted
        begin, self._now = self._given, later
        self._given = bisect_left(self._timed, later, lo=begin, key=_time_of)
        return [frame for _, frame in self._timed[begin : self._given]]

    def _add(self, timed: Timed) -> None:
        self._timed = sorted(self._timed[self._given :] + timed, key=_time_of)
        self._given = 0
