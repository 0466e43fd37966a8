"""Symbols that are away: how long a close is carried on that nobody may trade after. Pure.

A symbol is away from when it left those that are captured, or ended, until it came back. While it
is away and nobody trades it for as long as a break is, its bars stop: at the later of its last
trade and its leaving, plus that time. They begin anew with its next trade. What says so is on
record before any bar so late can be final: the bars are the same whenever they are made.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Bools, Ints

NEVER = 2**62


class Absence(NamedTuple):
    """Seconds [left, back) in which a symbol was away; `back` is NEVER while it is."""

    left: int
    back: int


class Absences:
    """When each symbol was away."""

    def __init__(self, limit: int) -> None:
        """`limit`: seconds without a trade that are no break yet."""
        self._limit = limit
        self._of: dict[str, list[Absence]] = {}

    def take(self, symbol: str, second: int, *, captured: bool) -> None:
        """A symbol left at `second`, or came back; in the order in which that happened."""
        known = self._of.setdefault(symbol, [])
        away = bool(known) and known[-1].back == NEVER
        if captured and away:
            known[-1] = Absence(known[-1].left, max(second, known[-1].left))
        elif not captured and not away:
            known.append(Absence(second, NEVER))

    def clear(self) -> None:
        """Forgets all of them."""
        self._of.clear()

    def of(self, symbol: str, second: int) -> Sequence[Absence]:
        """Those of a symbol that may stop what it has bars of up to `second`: not over by then."""
        return [one for one in self._of.get(symbol, ()) if one.back > second]

    def away(self, second: int) -> Iterable[str]:
        """The symbols that have any such."""
        return (symbol for symbol, known in self._of.items() if known[-1].back > second)

    def stops(self, symbol: str, second: int, traded: Ints) -> Ints:
        """The second from which a close is carried no further, for each second of its trade.

        `traded` may be -1: earlier than the symbol left. `second`: bars before it are there.
        """
        stops = np.full(len(traded), NEVER, dtype=np.int64)
        for left, back in self.of(symbol, second):
            stop = np.maximum(traded, left) + self._limit
            stops = np.minimum(stops, np.where(stop < back, stop, NEVER))
        return stops

    def stay(self, symbol: str, times: Ints, trades: Ints, before: int) -> Bools:
        """Which of a symbol's 1s bars there are, of those at `times` in a row up to any end.

        `trades` are how many each has, `before` is the second of the last trade before them, -1:
        not since the symbol left.
        """
        own = np.maximum.accumulate(np.where(trades > 0, times, before))
        stay: Bools = (trades > 0) | (times < self.stops(symbol, int(times[0]), own))
        return stay
