"""A capture as a service: the exchange's streams, published to a log. It needs no lake."""

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from collector.broker.claims import claim_of
from collector.broker.published import AtOnce, Published
from collector.broker.publisher import Publisher
from collector.broker.registry import chosen_symbols, forget_capture, tell_capture
from collector.broker.server import Server, check_url
from collector.broker.shards import Shard, parse_shard
from collector.keeping import open_recorder, origin_of, venue_name, venue_of
from collector.network.access import Access, read_access
from collector.record.recorder import Recorder
from collector.rest import RestClient, WeightBudget
from collector.stream.streams import Streams
from collector.symbols.configuration_reload import ConfigurationReload
from collector.symbols.listing import ListingCheck
from collector.symbols.roster import Roster
from collector.tasks import Tasks
from collector.timing import Timing
from spreadlake.config import ConfigWatch, Settings
from spreadlake.lake import beat
from spreadlake.service import ServiceContext
from spreadlake.venue import Venue

log = logging.getLogger(__name__)
_LAST_SECONDS = 2.0


@dataclass(frozen=True)
class CaptureResources:
    """What the tasks of a capture share."""

    settings: Settings
    store: Published
    writer: AtOnce
    rest: RestClient
    timing: Timing
    roster: Roster
    streams: Access
    recorder: Recorder | None
    configuration: ConfigWatch
    restarted: bool

    @property
    def venue(self) -> Venue:
        """The exchange."""
        return self.streams.venue


async def serve_capture(context: ServiceContext, stopped: asyncio.Event) -> None:
    """Publishes trades until `stopped` is set, then what is in memory."""
    settings, url = context.settings, str(context.options["to"])
    check_url(url, "--to")
    timing = context.options.get("timing", Timing())
    claim = claim_of(settings.exchange.trades, origin_of(context), venue_name(context))
    server = Server(url, settings.redis)
    most, max_bytes = settings.collector.buffer_trades // 2, int(settings.redis.max_mib * 2**20)
    publisher = Publisher(server, claim, max(1, most), max_bytes, timing)
    written = context.options.get("shard")
    shard = Shard() if written is None else parse_shard(written)
    symbols = shard.of_named(settings.symbol_list)
    with ExitStack() as threads:
        recorder = open_recorder(context.options.get("record"), threads)
        streams, rest_way = read_access(settings.exchange, venue_of(context))
        budget = WeightBudget(settings.collector.request_weight)
        async with RestClient(rest_way, budget) as rest:
            resources = CaptureResources(
                settings,
                Published(publisher, symbols),
                AtOnce(),
                rest,
                timing,
                Roster(symbols),
                streams,
                recorder,
                context.config_watch(),
                context.restarted,
            )
            try:
                await Capture(resources, publisher, server, shard).run(stopped)
            finally:
                await server.close()


class Capture:
    """Captures a share of the symbols; made inside the event loop.

    Symbols that are named are those of its own configuration. Where rules choose, the store applies
    them, and tells the captures through the log.
    """

    def __init__(
        self, resources: CaptureResources, publisher: Publisher, server: Server, shard: Shard
    ) -> None:
        self._resources = resources
        self._publisher = publisher
        self._server = server
        self._shard = shard
        self._settings = resources.settings
        self._tasks = Tasks()
        self._source = Streams(resources, self)
        # In containers on one network every one may be process 1 of the same host.
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(2)}"
        self._started_ms = time.time_ns() // 1_000_000
        self._listing = ListingCheck(
            resources.rest,
            resources.roster,
            resources.timing,
            self._has_trades,
            self._joined,
            # One whose share is empty, or not known yet, is not to end for that.
            resources.restarted or not resources.roster.symbols,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Runs until `stop` is set; raises what stops it otherwise."""
        if not self._resources.roster.symbols:
            log.warning("no symbol is in share %s yet; waiting for some", self._shard)
        try:
            await self._tasks.run(self._work(), stop)
        finally:
            await self._finish()

    def check_if_old(self) -> None:
        """A symbol is silent, and may be halted."""
        self._listing.check_if_old()

    def has_worked(self) -> bool:
        """Whether the exchange ever sent trades to this capture."""
        return any(map(self._has_trades, self._resources.roster.symbols))

    def follow(self, settings: Settings) -> None:
        """What the edited configuration asks for."""
        self._settings = settings

    def check_now(self) -> None:
        """Asks the exchange at once how all symbols stand."""
        self._listing.check_now()

    async def add(self, symbols: Sequence[str]) -> None:  # noqa: ARG002 shares are of all
        """Symbols were added to the configuration."""
        self._take(self._shard.of_named(self._settings.symbol_list))
        self.check_now()

    async def remove(self, symbols: Sequence[str]) -> None:  # noqa: ARG002
        """Symbols were taken out of the configuration."""
        self._take(self._shard.of_named(self._settings.symbol_list))

    def _take(self, wanted: Sequence[str]) -> None:
        """Captures just these from now on."""
        roster = self._resources.roster
        gone = roster.remove([symbol for symbol in roster.symbols if symbol not in set(wanted)])
        new = roster.add(wanted)
        if gone:
            self._source.remove(gone)
        self._resources.store.capture(roster.symbols)
        if new:
            log.info("captured from now on: %d symbols more", len(new))
            self._tasks.start(self._source.add(new))

    async def _joined(self, symbols: Sequence[str]) -> None:
        self._source.joined(symbols)

    def _has_trades(self, symbol: str) -> bool:
        return self._resources.store.last_id(symbol) is not None

    def _work(self) -> list[Any]:
        resources = self._resources
        reload = ConfigurationReload(
            resources.rest,
            resources.roster,
            resources.timing,
            self._has_trades,
            self,
            resources.configuration,
        )
        return [
            *self._source.work(),
            self._publisher.run(),
            self._listing.run(),
            reload.run(),
            self._tell(),
            *([self._follow_store()] if self._settings.symbols == "all" else []),
            *([resources.recorder.run()] if resources.recorder else []),
        ]

    async def _follow_store(self) -> None:
        """Captures its share of those that the store has chosen."""
        while True:
            try:
                chosen = await chosen_symbols(self._server)
            except RedisError as error:
                log.debug("who is captured cannot be asked: %s", error)
                chosen = None
            if chosen is not None and self._settings.symbols == "all":
                self._take(self._shard.of_chosen(chosen))
            await asyncio.sleep(self._resources.timing.reload_interval)

    async def _tell(self) -> None:
        while True:
            await self._tell_now()
            await asyncio.sleep(self._resources.timing.status_interval)

    async def _tell_now(self) -> None:
        publisher = self._publisher
        status = {
            "pid": os.getpid(),
            "beat": beat(),
            "started_ms": self._started_ms,
            "shard": str(self._shard),
            "symbols": len(self._resources.roster.symbols),
            "carries": self._resources.roster.symbols,
            "waiting": self._source.waiting + publisher.waiting,
            "published": publisher.published,
            "dropped": publisher.dropped,
            **self._source.status(),
        }
        try:
            await tell_capture(self._server, self._name, status)
        except RedisError as error:
            log.debug("the capture could not tell of itself: %s", error)

    async def _finish(self) -> None:
        publishing = asyncio.create_task(self._publisher.run())
        try:
            with suppress(TimeoutError, RedisError):
                await self._publish_the_rest(publishing)
            if left := self._source.waiting + self._publisher.waiting:
                log.error(
                    "%d trades in memory could not be published (%s); the store fetches them",
                    left,
                    self._publisher.trouble,
                )
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            await self._source.close()
        if self._resources.recorder:
            await self._resources.recorder.flush()

    async def _publish_the_rest(self, publishing: "asyncio.Task[None]") -> None:
        async with asyncio.timeout(self._resources.timing.last_flush):
            await self._source.flush()
            flushed = asyncio.create_task(self._publisher.flush())
            try:
                await asyncio.wait((flushed, publishing), return_when=asyncio.FIRST_COMPLETED)
            finally:
                flushed.cancel()
            if flushed.done():
                await forget_capture(self._server, self._name)
