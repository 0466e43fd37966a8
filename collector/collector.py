"""The running collector: what keeps a lake, and where its live trades come from."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from collector.funding.rates import FundingRates
from collector.heartbeat import Heartbeat
from collector.history.warm_start import WarmStart
from collector.repair.repairer import Repairer, confirm_open
from collector.resources import Resources
from collector.roll import Roller
from collector.source import Host, Source
from collector.stream.streams import Streams
from collector.symbols.configuration_reload import ConfigurationReload
from collector.symbols.listing import ListingCheck
from collector.symbols.universe_keeper import UniverseKeeper
from collector.symbols.universe_record import UniverseRecord
from collector.tasks import Tasks
from spreadlake.config import ConfigWatch, Settings

log = logging.getLogger(__name__)


class Collector:
    """Captures the trades of all symbols into the store until it is told to stop.

    Made inside the event loop. Symbols may be added and removed while it runs. Live trades come by
    connections to the exchange, unless `new_source` makes another source of them.
    """

    def __init__(
        self, resources: Resources, new_source: Callable[[Resources, Host], Source] = Streams
    ) -> None:
        self._resources = resources
        self._tasks = Tasks()
        self._source = new_source(resources, self)
        self._warm_start = WarmStart(resources)
        self._heartbeat = Heartbeat(resources, self._source, self._warm_start)
        self._universe = UniverseKeeper(
            resources.settings,
            resources.rest,
            resources.roster,
            resources.timing,
            UniverseRecord(resources.store, resources.writer),
            self._has_trades,
            self,
        )
        self._listing = ListingCheck(
            resources.rest,
            resources.roster,
            resources.timing,
            self._has_trades,
            self._joined,
            resources.restarted,
            self._universe,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set, then stores what is left; raises what stops it otherwise."""
        try:
            await self._tasks.run([self._begin()], stop)
        finally:
            await self._finish()

    async def _begin(self) -> None:
        # On a disk that is full this lasts: whoever ends the service then is not to wait for it.
        await self._universe.record()
        self._tasks.start(self._work())

    def follow(self, settings: Settings) -> None:
        """What is captured from now on gets the history that these settings look back on."""
        self._warm_start.follow(settings)
        self._universe.follow(settings)

    def check_now(self) -> None:
        """Asks the exchange at once how all symbols stand, and chooses anew where rules do."""
        self._listing.check_now()

    def check_if_old(self) -> None:
        """The same, unless it was just done: a symbol is silent, and may be halted."""
        self._listing.check_if_old()

    async def add(self, symbols: Sequence[str]) -> None:
        """As `capture`; how they stand at the exchange is asked at once.

        One that does not trade is waited for.
        """
        await self.capture(symbols)
        self.check_now()

    async def capture(self, symbols: Sequence[str]) -> None:
        """Captures more symbols from now on, with their history; those that are captured stay."""
        new = self._resources.roster.add(symbols)
        await self._warm_start.add(new)
        await self._take_captured()
        self._tasks.start(self._source.add(new))

    async def remove(self, symbols: Sequence[str]) -> None:
        """Captures some symbols no longer; what is stored of them stays."""
        gone = self._resources.roster.remove(symbols)
        self._source.remove(gone)
        self._warm_start.drop(gone)
        await self._take_captured()

    async def _take_captured(self) -> None:
        # In the writer's thread: a batch may be on its way.
        symbols = list(self._resources.roster.symbols)
        await self._resources.writer.run(lambda: self._resources.store.capture(symbols))
        await self._universe.record()

    async def _joined(self, symbols: Sequence[str]) -> None:
        """Symbols trade that did not: their streams are asked for anew, and are watched again."""
        self._source.joined(symbols)
        await self._warm_start.add(symbols)

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        resources = self._resources
        return [
            *self._source.work(),
            Repairer(resources, self._source.still_to_come).run(),
            self._listing.run(),
            self._warm_start.run(),
            FundingRates(resources).run(),
            Roller(resources).run(),
            *([resources.recorder.run()] if resources.recorder else []),
            *([self._reload(resources.configuration).run()] if resources.configuration else []),
            self._beat(),
        ]

    def _reload(self, configuration: ConfigWatch) -> ConfigurationReload:
        resources = self._resources
        return ConfigurationReload(
            resources.rest,
            resources.roster,
            resources.timing,
            self._has_trades,
            self,
            configuration,
        )

    def has_worked(self) -> bool:
        """Whether the exchange ever sent trades into this lake, by whichever connection."""
        return any(map(self._has_trades, self._resources.roster.symbols))

    def _has_trades(self, symbol: str) -> bool:
        """Whether the lake has trades of it."""
        return self._resources.store.last_id(symbol) is not None

    async def _finish(self) -> None:
        try:
            async with asyncio.timeout(self._resources.timing.last_flush):
                await self._source.flush()
                await confirm_open(self._resources)
                await self._heartbeat.write("stopped")
        except TimeoutError:
            log.error(  # noqa: TRY400 the traceback would tell nothing
                "%d trades in memory could not be stored (%s); they are fetched at the next start",
                self._source.waiting,
                self._resources.writer.trouble,
            )
        finally:
            await self._source.close()
        if self._resources.recorder:
            await self._resources.recorder.flush()

    async def _beat(self) -> None:
        while True:
            if self._resources.writer.trouble is not None:
                self._source.excuse_silence()
            await self._heartbeat.write("running")
            await asyncio.sleep(self._resources.timing.status_interval)
