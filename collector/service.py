"""The collector as a service."""

import asyncio
import logging
from contextlib import closing, suppress

from collector.capture import Capture
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
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def on_stop() -> None:
        # A second signal may come when the loop is gone.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stopped.set)

    stop.on_set(on_stop)
    timing = context.options.get("timing", Timing())
    writer = WriterThread(timing.write_retry_cap)
    try:
        await Capture(context.settings, store, writer, timing).run(stopped)
    finally:
        writer.close()
