"""The running collector: connections on the event loop, batches to the writer thread."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from collector.feed import Feed
from collector.intake import Intake
from collector.parts import Parts
from collector.planning import subscribe, symbols_per_connection
from collector.pump import Pump
from collector.repair import Repairer, confirm_open
from collector.report import Reporter
from collector.roll import Roller
from collector.symbols import check_symbols
from collector.warm_start import WarmStart
from collector.watch import Watch

__all__ = ["Capture"]

log = logging.getLogger(__name__)


class Capture:
    """Captures the trades of all symbols into the store until it is told to stop."""

    def __init__(self, parts: Parts, pump: Pump) -> None:
        self._parts = parts
        self._pump = pump
        self._watch = Watch(parts)
        self._feeds = self._plan_feeds()
        self._reporter = Reporter(parts, pump, self._feeds)
        pump.feeds = self._feeds
        pump.on_stored = self._watch.hear

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then stores what is left; raises what stops it otherwise."""
        tasks = [asyncio.create_task(work) for work in self._work()]
        stopping = asyncio.create_task(stop.wait())
        try:
            await _first_failure(stopping, tasks)
        finally:
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)
            await self._finish()

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        parts = self._parts
        return [
            *(feed.run() for feed in self._feeds),
            *(self._watch.run(feed) for feed in self._feeds),
            self._pump.run(),
            Repairer(parts).run(),
            check_symbols(parts.rest, parts.settings.symbols, self._is_captured),
            WarmStart(parts).run(),
            Roller(parts).run(),
            *([parts.recorder.run()] if parts.recorder else []),
            self._report_forever(),
        ]

    def _plan_feeds(self) -> list[Feed]:
        settings, timing = self._parts.settings, self._parts.timing
        collector, exchange = settings.collector, settings.exchange
        groups = symbols_per_connection(settings.symbols, collector.streams_per_connection)
        # Half of the memory is for trades that are read, half for those being stored.
        share = max(1, collector.buffer_trades // 2 // len(groups))

        def new_intake() -> Intake:
            recorder = self._parts.recorder
            return Intake(exchange.trades, share, self._pump.hurry, recorder)

        return [
            Feed(
                symbols,
                subscribe(exchange.ws_url, symbols, exchange.trades),
                new_intake,
                share,
                collector.connection_hours * 3600,
                timing,
                self._has_worked,
            )
            for symbols in groups
        ]

    def _has_worked(self) -> bool:
        """Whether the exchange ever sent trades into this lake, by whichever connection."""
        return any(map(self._is_captured, self._parts.settings.symbols))

    def _is_captured(self, symbol: str) -> bool:
        """Whether the lake has trades of it."""
        return self._parts.store.last_id(symbol) is not None

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(self._parts.timing.last_flush):
                await self._pump.flush()
                await self._pump.flush()
                await confirm_open(self._parts)
                await self._reporter.report("stopped")
        except TimeoutError:
            log.error(  # noqa: TRY400 the traceback would tell nothing
                "%d trades in memory could not be stored (%s); they are fetched at the next start",
                self._pump.waiting,
                self._parts.writer.trouble,
            )
        if self._parts.recorder:
            await self._parts.recorder.flush()

    async def _report_forever(self) -> None:
        while True:
            if self._parts.writer.trouble is not None:
                self._watch.excuse()
            await self._reporter.report("running")
            await asyncio.sleep(self._parts.timing.status_interval)


async def _first_failure(stopping: asyncio.Task[Any], tasks: list[asyncio.Task[None]]) -> None:
    """Waits until `stopping` is done; raises the first failure of the others before that."""
    running = {stopping, *tasks}
    while not stopping.done():
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
