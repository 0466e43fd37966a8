"""The collector as a service, and its one command beside it."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from collector.keeping import event_of, keep_lake
from collector.roll import compact_all, over_before, roll_all, roll_klines, tell_unfinished
from spreadlake.errors import InputError, LakeError
from spreadlake.lake import (
    Lake,
    WalKeeper,
    open_reader,
    open_ticks_writer,
    writer_lock,
)
from spreadlake.service import ServiceContext, StopSignal

log = logging.getLogger(__name__)

Serve = Callable[[ServiceContext, asyncio.Event], Awaitable[None]]


def run(context: ServiceContext) -> None:
    """Captures trades into the lake until told to stop, then stores what is in memory.

    Options: `origin` (what the lake is claimed for), `record` (a file that keeps the raw frames),
    `venue` (the exchange, Binance by default). With `to`, the address of a Redis server, trades are
    published there instead, of the share `shard` of the symbols; with `from` they come from there.
    """
    serving, stop = _serving(context), StopSignal(context.duration)

    async def serve_until_stopped() -> None:
        await serving(context, event_of(stop))

    asyncio.run(serve_until_stopped())


async def serve(context: ServiceContext, stopped: asyncio.Event) -> None:
    """The same inside an event loop, until `stopped` is set."""
    with writer_lock(context.lake, "collector"), closing(open_ticks_writer(context.lake)) as db:
        await keep_lake(context, db, stopped)


def _serving(context: ServiceContext) -> Serve:
    """What is to be served; the client of Redis is read only where it is needed."""
    option = next((name for name in ("to", "from") if context.options.get(name) is not None), None)
    if option is None:
        return serve
    try:
        from collector.capture import serve_capture  # noqa: PLC0415
        from collector.storing import serve_store  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise InputError(
            f"--{option} needs the client of Redis, which is not installed: "
            "pip install 'spreadlake[redis]'"
        ) from None
    return serve_capture if option == "to" else serve_store


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
