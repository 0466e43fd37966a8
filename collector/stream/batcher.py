"""Moves trades from the connections to the store, a batch at a time."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from collector.resources import StreamResources
from collector.storage.batch import Batch, Stored
from collector.stream.connection_group import ConnectionGroup
from collector.timing import set_within
from spreadlake.trades import OffMarket, TradeEvent


class Batcher:
    """Takes what the connections hold every `flush_interval`, or at once when one is full.

    While a batch is being stored they go on reading into their own bounded memory. With it goes
    what they and the REST client have counted; `on_stored` hears what it came to.
    """

    def __init__(
        self,
        resources: StreamResources,
        groups: Sequence[ConnectionGroup],
        on_stored: Callable[[Stored], None],
    ) -> None:
        self._store = resources.store
        self._writer = resources.writer
        self._rest = resources.rest
        self._interval = resources.settings.collector.flush_interval
        self._groups = groups
        self._on_stored = on_stored
        self._full = asyncio.Event()
        self._storing: asyncio.Task[None] | None = None
        self._batch = Batch()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await set_within(self._full, self._interval)
            self._full.clear()
            await self.flush()

    async def flush(self) -> None:
        """Stores all that waits; returns when it is durable."""
        if self._storing is None:
            self._batch = self._take()
            if self._batch.empty:
                return
            self._storing = asyncio.create_task(self._persist(self._batch))
        try:
            # Whoever waits may be cancelled; the batch is stored all the same, and only once.
            await asyncio.shield(self._storing)
        finally:
            if self._storing.done():
                self._storing, self._batch = None, Batch()

    async def _persist(self, batch: Batch) -> None:
        stored = await self._writer.persist(lambda: self._store.write(batch))
        self._on_stored(stored)

    async def close(self) -> None:
        """Ends the attempts to store what could not be stored."""
        if self._storing is not None:
            self._storing.cancel()
            await asyncio.gather(self._storing, return_exceptions=True)

    def flush_now(self) -> None:
        """Flushes now instead of at the end of the interval: a connection waits for room."""
        self._full.set()

    @property
    def waiting(self) -> int:
        """Trades in memory."""
        return len(self._batch.events) + sum(
            len(connection.reader) for group in self._groups for connection in group.connections
        )

    def _take(self) -> Batch:
        trades: list[TradeEvent | OffMarket] = []
        batch = Batch(trades, Counter(self._rest.counts))
        self._rest.counts.clear()
        carriers: list[tuple[int, int]] = []
        repeats: dict[int, list[TradeEvent | OffMarket]] = {}
        for group in self._groups:
            (events, again), counts, interrupted = group.take()
            trades += events
            batch.counts.update(counts)
            batch.interrupted.update(interrupted)
            frames = len(events) + len(again) + counts["ignored"] + counts["malformed"]
            batch.counts["frames"] += frames
            if group.has_twins:
                carriers.append((group.number, len(events)))
                if again:
                    repeats.setdefault(group.number, []).extend(again)
        batch.carriers, batch.repeats = carriers, repeats
        return batch
