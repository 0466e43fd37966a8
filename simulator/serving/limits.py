"""What the exchange allows its clients. Pure: the time is given."""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

from spreadlake.binance.errors import BANNED, TOO_MANY_REQUESTS
from spreadlake.binance.funding_rates import FUNDING_LIMIT, FUNDING_WINDOW
from spreadlake.binance.limits import WEIGHT_PER_MINUTE
from spreadlake.binance.streams import (
    CONNECTION_SECONDS,
    MESSAGES_PER_SECOND,
    PING_SECONDS,
    PONG_SECONDS,
    STREAMS_PER_CONNECTION,
)


@dataclass(frozen=True)
class Limits:
    """Limits of the exchange; the defaults are Binance's, tests use smaller ones.

    Times are seconds of real time. After `ban_after` requests more in a window that already
    answers 429, the address is banned for `ban_seconds`, twice as long each further time.
    `write_buffer` is how many bytes a slow reader may be behind before it is cut off.
    `others_weight` is what other programs at the client's address have used of each window.
    Requests for funding rates are counted apart: `funding_requests` in each `funding_window`.
    """

    weight_per_minute: int = WEIGHT_PER_MINUTE
    weight_window: float = 60.0
    others_weight: int = 0
    funding_requests: int = FUNDING_LIMIT
    funding_window: float = FUNDING_WINDOW
    ban_after: int = 10
    ban_seconds: float = 120.0
    ping_interval: float | None = PING_SECONDS
    ping_timeout: float | None = PONG_SECONDS
    connection_seconds: float = CONNECTION_SECONDS
    messages_per_second: int = MESSAGES_PER_SECOND
    streams_per_connection: int = STREAMS_PER_CONNECTION
    write_buffer: int = 64 * 2**20

    @property
    def of_funding(self) -> "Limits":
        """What requests for funding rates are allowed, each of them as a weight of 1."""
        return replace(
            self,
            weight_per_minute=self.funding_requests,
            weight_window=self.funding_window,
            others_weight=0,
        )


class OverLimit(NamedTuple):
    """A request that is not served: over the limit, or from a banned address."""

    status: int
    retry_after: int


class WeightCounter:
    """Counts request weight in fixed windows, as the exchange does for one address."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._window = -1
        self._refused = 0
        self._banned_until = 0.0
        self._ban_seconds = limits.ban_seconds
        self.used = 0

    def spend(self, weight: int, now: float) -> OverLimit | None:
        """Counts a request at `now` (seconds); says why it is refused, if it is."""
        if now < self._banned_until:
            return OverLimit(BANNED, _whole(self._banned_until - now))
        self._enter_window(now)
        self.used += weight
        if self.used <= self._limits.weight_per_minute:
            return None
        self._refused += 1
        if self._refused > self._limits.ban_after:
            return self._ban(now)
        window_end = (self._window + 1) * self._limits.weight_window
        return OverLimit(TOO_MANY_REQUESTS, _whole(window_end - now))

    def _enter_window(self, now: float) -> None:
        window = int(now // self._limits.weight_window)
        if window != self._window:
            self._window = window
            self._refused = 0
            self.used = self._limits.others_weight

    def _ban(self, now: float) -> OverLimit:
        self._banned_until = now + self._ban_seconds
        self._ban_seconds *= 2
        return OverLimit(BANNED, _whole(self._banned_until - now))


def _whole(seconds: float) -> int:
    """Retry-After is in whole seconds; waiting that long is always enough."""
    return int(seconds) + 1


class MessageRate:
    """Tells when a client sends more messages than it may."""

    def __init__(self, most_per_second: int) -> None:
        self._times: deque[float] = deque(maxlen=most_per_second + 1)

    def exceeded(self, now: float) -> bool:
        """Counts a message at `now` (seconds); whether it is one too many within a second."""
        self._times.append(now)
        return len(self._times) == self._times.maxlen and now - self._times[0] < 1.0
