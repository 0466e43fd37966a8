"""How much request weight may still be used. Pure: the time is given, in seconds."""

from collections import deque
from dataclasses import dataclass, field

__all__ = ["WeightBudget"]

_WINDOW = 60.0


@dataclass
class WeightBudget:
    """At most `per_minute` in any 60 s, and nothing while the exchange has told us to wait."""

    per_minute: int
    _spent: deque[tuple[float, int]] = field(default_factory=deque)
    _used: int = 0
    _blocked_until: float = float("-inf")

    def delay(self, weight: int, now: float) -> float:
        """Seconds until a request of `weight` may be sent; 0 for now."""
        self._forget(now)
        wait = max(0.0, self._blocked_until - now)
        excess = self._used + min(weight, self.per_minute) - self.per_minute
        for at, spent in self._spent:
            if excess <= 0:
                break
            excess -= spent
            wait = max(wait, at + _WINDOW - now)
        return wait

    def spend(self, weight: int, now: float) -> None:
        """Counts a request that is sent at `now`."""
        self._spent.append((now, weight))
        self._used += weight

    def block(self, seconds: float, now: float) -> None:
        """Keeps all requests back for `seconds`: the exchange said so (429 or 418)."""
        self._blocked_until = max(self._blocked_until, now + seconds)

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0][0] <= now - _WINDOW:
            self._used -= self._spent.popleft()[1]
