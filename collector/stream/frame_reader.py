"""Frames of one connection, decoded and waiting to be stored: the path every trade takes.

Nothing is done per trade but decode and append.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from collector.log_lines import OnceLog, RateLimitedLog
from collector.record.recorder import Recorder
from spreadlake.trades import CoinMargined, FrameError, Ignored, OffMarket, TradeEvent
from spreadlake.venue import FrameDecoder

log = logging.getLogger(__name__)
_SAMPLE = 120
_LATELY = 60.0
_COIN_MARGINED = (
    "%s is a COIN-M contract, whose quantities are contracts and not coins: its trades are left out"
)

Receive = Callable[[], Awaitable[bytes]]


class FrameReader:
    """Holds at most `capacity` trades; reading waits for `take` when it is full."""

    def __init__(
        self,
        decode: FrameDecoder,
        capacity: int,
        on_full: Callable[[], None],
        recorder: Recorder | None = None,
        once: OnceLog | None = None,
    ) -> None:
        """`once` is shared by the connections that come after each other."""
        self.capacity = capacity
        self.counts: Counter[str] = Counter()
        self._paused = float("-inf")
        self._decode = decode
        self._events: list[TradeEvent | OffMarket] = []
        self._on_full = on_full
        self._recorder = recorder
        self._taken = asyncio.Event()
        self._warn = RateLimitedLog(log.warning)
        self._once = once or OnceLog(log.warning)

    def __len__(self) -> int:
        return len(self._events)

    async def read(self, receive: Receive) -> None:
        """Reads frames until `receive` raises."""
        if self._recorder is not None:
            receive = self._recorder.recorded(receive)
        decode, events = self._decode, self._events
        append = events.append
        while True:
            frame = await receive()
            try:
                event = decode(frame)
            except FrameError as error:
                self._reject(frame, error)
                continue
            if type(event) is Ignored or type(event) is CoinMargined:
                self._ignore(event)
                continue
            append(event)  # type: ignore[arg-type]
            if len(events) >= self.capacity:
                await self._room()

    @property
    def paused_lately(self) -> bool:
        """Whether reading had to wait for room within the last minute."""
        return time.monotonic() - self._paused < _LATELY

    def take(self) -> list[TradeEvent | OffMarket]:
        """All that is waiting; makes room."""
        events = self._events[:]
        self._events.clear()
        self._taken.set()
        return events

    async def _room(self) -> None:
        while len(self._events) >= self.capacity:
            self._paused = time.monotonic()
            self._taken.clear()
            self._on_full()
            await self._taken.wait()
            self._paused = time.monotonic()

    def _reject(self, frame: bytes, error: FrameError) -> None:
        self.counts["malformed"] += 1
        self._warn("malformed frame passed over: %s: %r", error, frame[:_SAMPLE])

    def _ignore(self, event: Ignored) -> None:
        self.counts["ignored"] += 1
        if isinstance(event, CoinMargined):
            self.counts["coin_margined"] += 1
            self._once(event.symbol, _COIN_MARGINED, event.symbol)
        elif event.what.startswith("an error"):
            self._warn("%s", event.what)
