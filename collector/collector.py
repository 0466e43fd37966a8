"""The running collector: connections on the event loop, batches to the writer thread."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from collector.crew import Crew
from collector.heartbeat import Reporter
from collector.history.warm_start import WarmStart
from collector.repair.repairer import Repairer, confirm_open
from collector.resources import Parts
from collector.roll import Roller
from collector.stream.batcher import Pump
from collector.stream.connection_group import Feed
from collector.stream.connection_groups import Feeds
from collector.stream.silence_monitor import Watch
from collector.symbols.edits import Edits
from collector.symbols.listing import SymbolCheck
from spreadlake.config import ConfigWatch, Settings

log = logging.getLogger(__name__)


class Capture:
    """Captures the trades of all symbols into the store until it is told to stop.

    Made inside the event loop. Symbols may be added and removed while it runs.
    """

    def __init__(self, parts: Parts, pump: Pump) -> None:
        self._parts = parts
        self._pump = pump
        self._crew = Crew()
        self._watch = Watch(parts)
        self._feeds = Feeds(parts, pump.hurry, self._has_worked)
        self._warm_start = WarmStart(parts)
        self._reporter = Reporter(parts, pump, self._feeds.all, self._warm_start)
        self._symbols = SymbolCheck(
            parts.rest,
            parts.roster,
            parts.timing,
            self._is_captured,
            self._joined,
            parts.restarted,
        )
        pump.feeds = self._feeds.all
        pump.on_stored = self._watch.hear

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then stores what is left; raises what stops it otherwise."""
        for work in self._work():
            self._crew.start(work)
        self._run_feeds(self._feeds.all)
        try:
            await self._crew.until(stop)
        finally:
            await self._crew.end()
            await self._finish()

    def follow(self, settings: Settings) -> None:
        """What is captured from now on gets the history that these settings look back on."""
        self._warm_start.follow(settings)

    async def add(self, symbols: Sequence[str]) -> None:
        """Captures more symbols from now on, with their history; those that are captured stay.

        How they stand at the exchange is asked at once; one that does not trade is waited for.
        """
        new = self._parts.roster.add(symbols)
        await self._warm_start.add(new)
        await self._take_captured()
        self._watch.begin(new)
        self._run_feeds(self._feeds.add(new))
        self._symbols.hurry()

    async def remove(self, symbols: Sequence[str]) -> None:
        """Captures some symbols no longer; what is stored of them stays."""
        gone = self._parts.roster.remove(symbols)
        self._feeds.remove(gone)
        self._warm_start.drop(gone)
        await self._take_captured()

    async def _take_captured(self) -> None:
        # In the writer's thread: a batch may be on its way.
        symbols = list(self._parts.roster.symbols)
        await self._parts.writer.run(lambda: self._parts.store.capture(symbols))

    async def _joined(self, symbols: Sequence[str]) -> None:
        """Symbols trade that did not: their streams are asked for anew, and are watched again."""
        self._watch.begin(symbols)
        self._feeds.ask_again(symbols)
        await self._warm_start.add(symbols)

    def _run_feeds(self, feeds: Sequence[Feed]) -> None:
        for feed in feeds:
            self._crew.start(feed.run())
            self._crew.start(self._watch.run(feed))

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        parts = self._parts
        return [
            self._pump.run(),
            Repairer(parts).run(),
            self._symbols.run(),
            self._warm_start.run(),
            Roller(parts).run(),
            *([parts.recorder.run()] if parts.recorder else []),
            *([self._edits(parts.watch).run()] if parts.watch else []),
            self._report_forever(),
        ]

    def _edits(self, watch: ConfigWatch) -> Edits:
        parts = self._parts
        return Edits(parts.rest, parts.roster, parts.timing, self._is_captured, self, watch)

    def _has_worked(self) -> bool:
        """Whether the exchange ever sent trades into this lake, by whichever connection."""
        return any(map(self._is_captured, self._parts.roster.symbols))

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
