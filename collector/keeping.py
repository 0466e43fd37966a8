"""Keeps one lake: its trades, gaps, history and partitions, wherever live trades come from."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from collector.collector import Collector
from collector.network.access import read_access
from collector.record.recorder import Recorder
from collector.resources import Resources
from collector.rest import RestClient, WeightBudget
from collector.source import Host, Source
from collector.storage.rescue import rescue
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.stream.streams import Streams
from collector.symbols.roster import Roster
from collector.symbols.universe_keeper import first_symbols
from collector.timing import Timing
from spreadlake import binance
from spreadlake.lake import Lake, Origin, WalKeeper, claim
from spreadlake.lake.databases.presence import Presence
from spreadlake.service import ServiceContext, StopSignal
from spreadlake.venue import Venue

log = logging.getLogger(__name__)


async def keep_lake(
    context: ServiceContext,
    db: sqlite3.Connection,
    stopped: asyncio.Event,
    new_source: Callable[[Resources, Host], Source] = Streams,
    may_roll: Callable[[], bool] = lambda: True,
) -> None:
    """Runs the collector on `db`, the writer's connection, until `stopped` is set."""
    settings, lake = context.settings, context.lake
    claim(db, lake, settings.exchange.trades, origin_of(context), venue_name(context))
    presence = Presence(lake.ticks_db)
    try:
        symbols = first_symbols(settings, db)
        await _collect(context, TickStore(db, symbols), symbols, stopped, new_source, may_roll)
    finally:
        _keep_what_was_removed(db, lake, presence)
    WalKeeper(db, lake.ticks_db).empty()


def venue_of(context: ServiceContext) -> Venue:
    """The exchange: Binance, unless another one is given."""
    venue: Venue = context.options.get("venue", binance)
    return venue


def venue_name(context: ServiceContext) -> str | None:
    """What lakes call it; None where no host names one."""
    exchange = context.settings.exchange
    return venue_of(context).venue_of(exchange.ws_url, exchange.rest_url)


def origin_of(context: ServiceContext) -> Origin:
    """What the trades are of: an exchange, or the simulated market."""
    origin: Origin = context.options.get("origin", "exchange")
    return origin


def open_recorder(path: Path | None, threads: ExitStack) -> Recorder | None:
    """What keeps the raw frames, where that is wanted; closed with `threads`."""
    if path is None:
        return None
    recorder = Recorder(path)
    threads.callback(recorder.close)
    return recorder


def event_of(stop: StopSignal) -> asyncio.Event:
    """The signal as an event of the running loop."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def on_stop() -> None:
        # A second signal may come when the loop is gone.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopped.set)

    stop.on_set(on_stop)
    return stopped


async def _collect(
    context: ServiceContext,
    store: TickStore,
    symbols: Sequence[str],
    stopped: asyncio.Event,
    new_source: Callable[[Resources, Host], Source],
    may_roll: Callable[[], bool],
) -> None:
    settings = context.settings
    timing = context.options.get("timing", Timing())
    writer = WriterThread(context.lake.ticks_db, timing.write_retry_cap)
    budget = WeightBudget(settings.collector.request_weight)
    with ExitStack() as threads:
        threads.callback(writer.close)
        recorder = open_recorder(context.options.get("record"), threads)
        streams, rest_way = read_access(settings.exchange, venue_of(context))
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
                may_roll,
            )
            await Collector(resources, new_source).run(stopped)


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
