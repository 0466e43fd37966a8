"""The running collector: connections on the event loop, batches to the writer thread."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine
from typing import Any

from collector.feed import Feed
from collector.intake import Intake
from collector.planning import subscribe, symbols_per_connection
from collector.pump import Pump
from collector.store import TickStore
from collector.timing import Timing
from collector.writer import WriterThread
from spreadlake.config import Settings

__all__ = ["Capture"]

log = logging.getLogger(__name__)


class Capture:
    """Captures the trades of all symbols into the store until it is told to stop."""

    def __init__(
        self, settings: Settings, store: TickStore, writer: WriterThread, timing: Timing
    ) -> None:
        self._settings = settings
        self._store = store
        self._writer = writer
        self._timing = timing
        self._started_ms = time.time_ns() // 1_000_000
        self._pump = Pump(store, writer, settings.collector.flush_interval)
        self._feeds = self._plan_feeds()
        self._pump.feeds = self._feeds

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then stores what is left; raises what stops it otherwise."""
        tasks = [asyncio.create_task(work) for work in self._work()]
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in tasks if task.done()]
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        await self._finish()
        for task in failed:
            task.result()

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        feeds = [feed.run() for feed in self._feeds]
        return [*feeds, self._pump.run(), self._report_forever()]

    def _plan_feeds(self) -> list[Feed]:
        collector, exchange = self._settings.collector, self._settings.exchange
        groups = symbols_per_connection(self._settings.symbols, collector.streams_per_connection)
        # Half of the memory is for trades that are read, half for those being stored.
        limit = max(1, collector.buffer_trades // 2 // len(groups))
        return [
            Feed(
                symbols,
                subscribe(exchange.ws_url, symbols, exchange.trades),
                lambda: Intake(exchange.trades, limit, self._pump.hurry),
                collector.connection_hours * 3600,
                self._timing,
            )
            for symbols in groups
        ]

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(self._timing.last_flush):
                await self._pump.flush()
                await self._pump.flush()
                await self._report("stopped")
        except TimeoutError:
            log.error(  # noqa: TRY400 the traceback would tell nothing
                "%d trades in memory could not be stored (%s); they are fetched at the next start",
                self._pump.waiting,
                self._writer.trouble,
            )

    async def _report_forever(self) -> None:
        while True:
            await self._report("running")
            await asyncio.sleep(self._timing.status_interval)

    async def _report(self, state: str) -> None:
        status = {
            "pid": os.getpid(),
            "started_ms": self._started_ms,
            "state": state,
            "connections": sum(feed.current is not None for feed in self._feeds),
            "buffer": self._pump.waiting,
        }
        await self._writer.persist(lambda: self._store.write_status({"collector": status}))
