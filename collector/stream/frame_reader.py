"""Frames of one connection, decoded and waiting to be stored: the path every trade takes.

Nothing is done per trade but decode, note the time, and append.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from collector.log_lines import OnceLog, RateLimitedLog
from collector.record.recorder import Recorder
from collector.stream.arbitration import Arbiter
from spreadlake.trades import CoinMargined, FrameError, Ignored, OffMarket, TradeEvent
from spreadlake.venue import FrameDecoder

log = logging.getLogger(__name__)
_SAMPLE = 120
_LATELY = 60.0
_COIN_MARGINED = (
    "%s is a COIN-M contract, whose quantities are contracts and not coins: its trades are left out"
)

Receive = Callable[[], Awaitable[bytes]]
Events = list[TradeEvent | OffMarket]


class Taken(NamedTuple):
    """What a connection brought first, and what another one had brought before it."""

    events: Events
    repeats: Events


class FrameReader:
    """Holds at most `capacity` trades; reading waits for `take` when it is full.

    A frame that came by another connection before is not decoded again, nor recorded.
    """

    def __init__(
        self,
        decode: FrameDecoder,
        capacity: int,
        on_full: Callable[[], None],
        recorder: Recorder | None = None,
        once: OnceLog | None = None,
        arbiter: Arbiter | None = None,
    ) -> None:
        """`once` is shared by all connections, `arbiter` by those that carry the same symbols."""
        self.capacity = capacity
        self.counts: Counter[str] = Counter()
        self._paused = float("-inf")
        self._decode = decode
        self._events: Events = []
        self._repeats: Events = []
        self._on_full = on_full
        self._recorder = recorder
        self._arbiter = arbiter
        self._taken = asyncio.Event()
        self._warn = RateLimitedLog(log.warning)
        self._once = once or OnceLog(log.warning)

    def __len__(self) -> int:
        return len(self._events)

    async def read(self, receive: Receive) -> None:
        """Reads frames until `receive` raises."""
        decode = self._decode if self._recorder is None else self._recorded(self._recorder)
        arbiter, events, repeats = self._arbiter, self._events, self._repeats
        now = time.time_ns
        while True:
            frame = await receive()
            if arbiter is not None and (known := arbiter.repeated(frame)) is not None:
                repeats.append(known)
                if len(repeats) >= self.capacity:
                    await self._room()
                continue
            try:
                event = decode(frame)
            except FrameError as error:
                self._reject(frame, error)
                continue
            if type(event) is Ignored or type(event) is CoinMargined:
                self._ignore(event)
                continue
            event.received_ms = now() // 1_000_000  # type: ignore[union-attr]
            events.append(event)  # type: ignore[arg-type]
            if arbiter is not None:
                arbiter.remember(frame, event)  # type: ignore[arg-type]
            if len(events) >= self.capacity:
                await self._room()

    def _recorded(self, recorder: Recorder) -> FrameDecoder:
        def keep_and_decode(frame: bytes) -> TradeEvent | Ignored:
            recorder.keep(frame)
            return self._decode(frame)

        return keep_and_decode

    @property
    def paused_lately(self) -> bool:
        """Whether reading had to wait for room within the last minute."""
        return time.monotonic() - self._paused < _LATELY

    def take(self) -> Taken:
        """All that is waiting; makes room."""
        taken = Taken(self._events[:], self._repeats[:])
        self._events.clear()
        self._repeats.clear()
        self._taken.set()
        return taken

    async def _room(self) -> None:
        while max(len(self._events), len(self._repeats)) >= self.capacity:
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
