"""How much request weight may still be used. Pure: the time is given, in seconds."""

from collections import deque
from dataclasses import dataclass, field

_MINUTE = 60.0


@dataclass
class WeightBudget:
    """At most `most` in any `window` seconds, and nothing while the exchange told us to wait.

    The exchange counts by address: what it says was used, by whomever, is used up here as well.
    """

    most: int
    window: float = _MINUTE
    # Of two minutes: an answer may come late, and says what was used before its request.
    _spent: deque[tuple[float, int]] = field(default_factory=deque)
    _blocked_until: float = float("-inf")
    # What the exchange said last, of which request (when it was sent), when it was first heard of
    # that minute, and what of it cannot be ours.
    _reported: int = 0
    _reported_of: float = float("-inf")
    _heard: float = float("-inf")
    _others: int = 0

    def delay(self, weight: int, now: float) -> float:
        """Seconds until a request of `weight` may be sent; 0 for now."""
        self._forget(now)
        wait = max(0.0, self._blocked_until - now)
        excess = self._used(now) + min(weight, self.most) - self.most
        for at, spent in self._spent:
            if excess <= 0:
                break
            if at > now - self.window:
                excess -= spent
                wait = max(wait, at + self.window - now)
        if self._counted(now) + min(weight, self.most) > self.most:
            wait = max(wait, self._heard + self.window - now)
        return wait

    def spend(self, weight: int, now: float) -> None:
        """Counts a request that is sent at `now`."""
        self._spent.append((now, weight))

    def report(self, used: int, sent: float, now: float) -> None:
        """The exchange said, in the answer to what was sent at `sent`, what this minute used."""
        if sent < self._reported_of:
            return
        # Within a minute it counts up.
        if used <= self._reported or sent - self._heard >= self.window:
            self._heard = now
        self._reported, self._reported_of = used, sent
        self._others = max(0, used - self._used(sent))

    def block(self, seconds: float, now: float) -> None:
        """Keeps all requests back for `seconds`: the exchange said so (429 or 418)."""
        self._blocked_until = max(self._blocked_until, now + seconds)

    def others(self, now: float) -> int:
        """The least weight of this minute that others at this address must have used."""
        return self._others if now - self._heard < self.window else 0

    def _used(self, now: float) -> int:
        """What we sent in the minute before `now`, and after it."""
        return sum(weight for at, weight in self._spent if at > now - self.window)

    def _counted(self, now: float) -> int:
        """What the exchange has counted in its minute, and what we sent since it said so."""
        # Its minute is over at the latest a minute after it was first heard of.
        if now - self._heard >= self.window:
            return 0
        return self._reported + sum(w for at, w in self._spent if at > self._reported_of)

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0][0] <= now - 2 * self.window:
            self._spent.popleft()
