"""The clock of the pipeline: the greatest trade time that can be believed. Pure.

Some trades are dated wrongly, by an hour or by days. Followed, one of them would make bars of the
future, and every real trade late. So the clock follows a trade that is ahead of it by a minute at
most. A trade from farther ahead is a claim, and waits for what bears it out:

- a claim of another symbol: the clock goes to the lesser of the two;
- a minute of further trades of the same symbol, while no other trades (a quiet market, the only
  symbol that trades after a break, a file that is imported).

A trade of the present, less than a minute from the clock, refutes all claims: they are counted,
and nothing comes of them. Trades from farther back, such as repaired ones, tell nothing. Before
the first trade of all there is no present: there it takes another symbol, or five seconds of the
same one, and the clock begins with the least that is borne out.

What the clock says after a row of trades does not depend on how they are divided into batches.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NEAR_MS = 60_000
"""How far one symbol may move the clock (ms)."""

_ALONE_MS = 60_000
_BEGIN_MS = 5_000
_CHUNK = 8_192


class _Claim(NamedTuple):
    """Trades of one symbol from ahead: the times (ms) of the first and the last, how many."""

    first: int
    last: int
    trades: int


@dataclass
class TradeClock:
    """`watermark_ms` is None before the first trade; `refuted` counts trades by symbol.

    A batch that may not be stored is taken in by a `copy`.
    """

    watermark_ms: int | None = None
    refuted: Counter[Hashable] = field(default_factory=Counter)
    _claims: dict[Hashable, _Claim] = field(default_factory=dict)

    @classmethod
    def begun(cls, newest_ms: Iterable[int]) -> "TradeClock":
        """A clock that goes on from the newest trade times of symbols, one each.

        One of them that is ahead of all others is followed once trades bear it out.
        """
        times = sorted(newest_ms)
        if len(times) > 1:
            return cls(min(times[-1], times[-2] + NEAR_MS))
        return cls(times[0] if times else None)

    def copy(self) -> "TradeClock":
        """Another clock that stands where this one does, with nothing refuted yet."""
        return TradeClock(self.watermark_ms, Counter(), dict(self._claims))

    def take(self, times_ms: NDArray[np.int64], symbol_at: Callable[[int], Hashable]) -> None:
        """Takes in trades in the order of `seq`; `symbol_at` tells the symbol at a position."""
        at = 0
        while at < times_ms.size:
            if not self._claims and self.watermark_ms is not None:
                at += self._follow(times_ms[at : at + _CHUNK])
            if at < times_ms.size and (self._claims or self._is_ahead(int(times_ms[at]))):
                self._take_one(symbol_at(at), int(times_ms[at]))
                at += 1

    def bear_out(self, until_ms: int) -> bool:
        """A source has ended that had all trades before `until_ms`: what it claims is so.

        Nothing that is still to come would bear it out. Whether there was such a claim.
        """
        ended = [symbol for symbol, claim in self._claims.items() if claim.last < until_ms]
        for symbol in ended:
            self.watermark_ms = max(self.watermark_ms or 0, self._claims.pop(symbol).last)
        return bool(ended)

    def reach(self, time_ms: int) -> bool:
        """Something else than trades tells that it is this late; whether the clock had to move."""
        if not self._is_ahead(time_ms) and time_ms <= (self.watermark_ms or 0):
            return False
        self._follow_claims(time_ms)
        return True

    def greatest(
        self, times_ms: NDArray[np.int64], sizes: NDArray[np.int64], known_ms: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Of each symbol the greatest of its times and the known one, but for those that are ahead.

        The times stand symbol by symbol, `sizes` of each; a symbol without a known one has -1.
        Where there is no other one: no later than the clock, if there is a clock yet.
        """
        limit = np.iinfo(np.int64).max if self.watermark_ms is None else self.watermark_ms + NEAR_MS
        found = np.where(known_ms <= limit, known_ms, 0)
        some = sizes > 0
        if some.any():
            near = np.where(times_ms <= limit, times_ms, 0)
            newest = np.maximum.reduceat(near, (np.cumsum(sizes) - sizes)[some])
            found[some] = np.maximum(found[some], newest)
        return np.where(found > 0, found, self.watermark_ms or 0)

    def _is_ahead(self, time_ms: int) -> bool:
        return self.watermark_ms is None or time_ms > self.watermark_ms + NEAR_MS

    def _follow(self, times_ms: NDArray[np.int64]) -> int:
        """Nearly all there ever is: trades that are not ahead; returns how many there were."""
        begin = np.array([self.watermark_ms], np.int64)
        reached = np.maximum.accumulate(np.concatenate((begin, times_ms)))
        ahead = times_ms > reached[:-1] + NEAR_MS
        count = int(ahead.argmax()) if ahead.any() else times_ms.size
        self.watermark_ms = int(reached[count])
        return count

    def _take_one(self, symbol: Hashable, time_ms: int) -> None:
        if self._is_ahead(time_ms):
            self._claim(symbol, time_ms)
            self._heed()
            return
        watermark = self.watermark_ms or 0
        if time_ms > watermark - NEAR_MS:
            for refuted in list(self._claims):
                self._refute(refuted)
        self.watermark_ms = max(watermark, time_ms)

    def _claim(self, symbol: Hashable, time_ms: int) -> None:
        claim = self._claims.get(symbol)
        if claim is not None and time_ms < claim.first - NEAR_MS:
            self._refute(symbol)
            claim = None
        first, last, trades = claim or _Claim(time_ms, time_ms, 0)
        self._claims[symbol] = _Claim(min(first, time_ms), max(last, time_ms), trades + 1)

    def _refute(self, symbol: Hashable) -> None:
        self.refuted[symbol] += self._claims.pop(symbol).trades

    def _heed(self) -> None:
        """Goes to what is borne out, and then to what is near to that."""
        begins = self.watermark_ms is None
        reached = _borne_out(self._claims, begins=begins)
        if reached is None:
            return
        self._follow_claims(reached)
        for symbol, (_, last, trades) in self._claims.items():  # which begin anew
            self._claims[symbol] = _Claim(last, last, max(1, trades - begins))

    def _follow_claims(self, time_ms: int) -> None:
        """Goes there, and on to what is near to that."""
        reached: int | None = time_ms
        while reached is not None:
            self.watermark_ms = reached
            near = [s for s, claim in self._claims.items() if not self._is_ahead(claim.last)]
            further = max((self._claims.pop(symbol).last for symbol in near), default=reached)
            reached = further if further > reached else None


def _borne_out(claims: Mapping[Hashable, _Claim], *, begins: bool) -> int | None:
    """The time (ms) that claims bear each other or themselves out for; None for none."""
    if len(claims) > 1:
        return sorted(claim.last for claim in claims.values())[-2]
    (claim,) = claims.values()
    span = claim.last - claim.first
    if begins:
        return claim.first if span >= _BEGIN_MS else None
    return claim.last if span >= _ALONE_MS else None
