"""Moves trades from the connections to the store, a batch at a time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from collector.batch import Batch, Stored
from collector.feed import Feed
from collector.store import TickStore
from collector.writer import WriterThread
from spreadlake.wire import OffMarket, TradeEvent

__all__ = ["Pump"]


class Pump:
    """Takes what the feeds hold every `interval` seconds, or at once when one of them is full.

    While a batch is being stored the feeds go on reading into their own bounded memory.
    """

    def __init__(self, store: TickStore, writer: WriterThread, interval: float) -> None:
        self._store = store
        self._writer = writer
        self._interval = interval
        self._full = asyncio.Event()
        self._pending = Batch()
        self.feeds: Sequence[Feed] = ()
        self.counts: Counter[str] = Counter()
        self.on_stored: Callable[[Batch, Stored], None] = lambda _batch, _stored: None

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await self._wait()
            await self.flush()

    async def flush(self) -> None:
        """Stores all that waits; returns when it is durable."""
        # A batch that was cancelled on its way is still here: no trade may be let go.
        if self._pending.empty:
            self._pending = self._take()
        if self._pending.empty:
            return
        batch = self._pending
        stored = await self._writer.persist(lambda: self._store.write(batch))
        self._pending = Batch()
        self.on_stored(batch, stored)

    def hurry(self) -> None:
        """Flushes now instead of at the end of the interval: a connection waits for room."""
        self._full.set()

    @property
    def waiting(self) -> int:
        """Trades in memory."""
        return len(self._pending.events) + sum(
            len(session.intake) for feed in self.feeds for session in feed.sessions
        )

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._interval):
                await self._full.wait()
        except TimeoutError:
            pass
        self._full.clear()

    def _take(self) -> Batch:
        trades: list[TradeEvent | OffMarket] = []
        batch = Batch(trades, Counter(self.counts))
        self.counts.clear()
        for feed in self.feeds:
            events, counts, interrupted = feed.take()
            trades += events
            batch.counts.update(counts)
            batch.interrupted.update(interrupted)
            batch.counts["frames"] += len(events) + counts["ignored"] + counts["malformed"]
        return batch
