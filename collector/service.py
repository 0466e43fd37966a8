"""The collector as a service, and its one command beside it."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from collector.collector import Collector
from collector.network.access import read_access
from collector.record.recorder import Recorder
from collector.resources import Resources
from collector.rest import RestClient, WeightBudget
from collector.roll import compact_all, over_before, roll_all, roll_klines, tell_unfinished
from collector.storage.rescue import rescue
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.symbols.roster import Roster
from collector.symbols.universe_keeper import first_symbols
from collector.timing import Timing
from spreadlake import binance
from spreadlake.errors import LakeError
from spreadlake.lake import (
    Lake,
    WalKeeper,
    claim,
    open_reader,
    open_ticks_writer,
    writer_lock,
)
from spreadlake.lake.databases.presence import Presence
from spreadlake.service import ServiceContext, StopSignal
from spreadlake.venue import Venue

log = logging.getLogger(__name__)


def run(context: ServiceContext) -> None:
    """Captures trades into the lake until told to stop, then stores what is in memory.

    Options: `origin` (what the lake is claimed for), `record` (a file that keeps the raw frames),
    `venue` (the exchange, Binance by default).
    """
    stop = StopSignal(context.duration)

    async def serve_until_stopped() -> None:
        await serve(context, _event_of(stop))

    asyncio.run(serve_until_stopped())


async def serve(context: ServiceContext, stopped: asyncio.Event) -> None:
    """The same inside an event loop, until `stopped` is set."""
    settings, lake = context.settings, context.lake
    with writer_lock(lake, "collector"), closing(open_ticks_writer(lake)) as db:
        venue = _venue(context).venue_of(settings.exchange.ws_url, settings.exchange.rest_url)
        origin = context.options.get("origin", "exchange")
        claim(db, lake, settings.exchange.trades, origin, venue)
        presence = Presence(lake.ticks_db)
        try:
            symbols = first_symbols(settings, db)
            await _collect(context, TickStore(db, symbols), symbols, stopped)
        finally:
            _keep_what_was_removed(db, lake, presence)
        WalKeeper(db, lake.ticks_db).empty()


def _venue(context: ServiceContext) -> Venue:
    venue: Venue = context.options.get("venue", binance)
    return venue


def _keep_what_was_removed(db: sqlite3.Connection, lake: Lake, presence: Presence) -> None:
    """Once all trades in memory were stored, in a file that may have no name any more."""
    if presence.lost:
        kept = rescue(db, lake.ticks_db, presence)
        log.error(
            "%s was deleted, moved or replaced while the collector wrote it; all that it held is "
            "in %s now",
            lake.ticks_db,
            kept,
        )


def roll(context: ServiceContext) -> None:
    """Rolls finished hours and compacts finished days now, and old klines to their files.

    LakeError while a collector runs, which does so by itself; as well, once all others are done,
    for partitions that cannot be written and days that cannot be put together.

    Options: `before` (Unix ms): only hours that end by then; without it all that have ended. With
    it an hour is over when trades or the local clock say so; one that is not over stays.
    """
    lake = context.lake
    open_reader(lake.ticks_db).close()  # a lake that is not there must not be made here
    with _roll_lock(lake), closing(open_ticks_writer(lake)) as db:
        wanted_ms = context.options.get("before")
        before_ms = over_before(db, wanted_ms)
        try:
            _roll_and_compact(lake, db, before_ms)
            roll_klines(lake, db, wanted_ms)
            tell_unfinished(db, wanted_ms)
        finally:
            WalKeeper(db, lake.ticks_db).empty()


def _roll_and_compact(lake: Lake, db: sqlite3.Connection, before_ms: int) -> None:
    left = list[str]()
    for step in (roll_all, compact_all):
        try:
            step(lake, db, before_ms)
        except LakeError as error:
            left.append(str(error))
    if left:
        raise LakeError(". ".join(left))


@contextmanager
def _roll_lock(lake: Lake) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(writer_lock(lake, "collector"))
        except LakeError as error:
            raise LakeError(f"{error}; a running collector rolls finished hours itself") from None
        yield


async def _collect(
    context: ServiceContext, store: TickStore, symbols: Sequence[str], stopped: asyncio.Event
) -> None:
    settings = context.settings
    timing = context.options.get("timing", Timing())
    writer = WriterThread(context.lake.ticks_db, timing.write_retry_cap)
    budget = WeightBudget(settings.collector.request_weight)
    with ExitStack() as threads:
        threads.callback(writer.close)
        recorder = _recorder(context.options.get("record"), threads)
        streams, rest_way = read_access(settings.exchange, _venue(context))
        async with RestClient(rest_way, budget) as rest:
            roster = Roster(symbols)
            resources = Resources(
                settings,
                context.lake,
                store,
                writer,
                rest,
                timing,
                roster,
                streams,
                recorder,
                context.config_watch(),
                context.restarted,
            )
            await Collector(resources).run(stopped)


def _recorder(path: Path | None, threads: ExitStack) -> Recorder | None:
    if path is None:
        return None
    recorder = Recorder(path)
    threads.callback(recorder.close)
    return recorder


def _event_of(stop: StopSignal) -> asyncio.Event:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def on_stop() -> None:
        # A second signal may come when the loop is gone.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopped.set)

    stop.on_set(on_stop)
    return stopped
