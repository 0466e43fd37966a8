"""The collector as a service."""

import asyncio
import logging
from contextlib import closing, suppress

from collector.capture import Capture
from collector.parts import Parts
from collector.pump import Pump
from collector.rest import RestClient, WeightBudget
from collector.store import TickStore
from collector.timing import Timing
from collector.writer import WriterThread
from spreadlake.lake import claim, open_ticks_writer, writer_lock
from spreadlake.service import ServiceContext, StopSignal

__all__ = ["run"]

log = logging.getLogger(__name__)


def run(context: ServiceContext) -> None:
    """Captures trades into the lake until told to stop, then stores what is in memory."""
    stop = StopSignal(context.duration)
    settings, lake = context.settings, context.lake
    with writer_lock(lake, "collector"), closing(open_ticks_writer(lake)) as db:
        claim(db, lake, settings.exchange.trades, context.options.get("origin", "exchange"))
        store = TickStore(db, settings.symbols)
        asyncio.run(_capture(context, store, stop))


async def _capture(context: ServiceContext, store: TickStore, stop: StopSignal) -> None:
    settings = context.settings
    timing = context.options.get("timing", Timing())
    writer = WriterThread(timing.write_retry_cap)
    pump = Pump(store, writer, settings.collector.flush_interval)
    budget = WeightBudget(settings.collector.request_weight)
    try:
        async with RestClient(settings.exchange.rest_url, budget, pump.counts) as rest:
            parts = Parts(settings, store, writer, rest, timing)
            await Capture(parts, pump).run(_event_of(stop))
    finally:
        writer.close()


def _event_of(stop: StopSignal) -> asyncio.Event:
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def on_stop() -> None:
        # A second signal may come when the loop is gone.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopped.set)

    stop.on_set(on_stop)
    return stopped
