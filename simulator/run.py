"""The simulated exchange for code that blocks: a command, a child process, a test."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

from simulator.serving.script import Event, happen
from simulator.serving.server import SimulatedExchange
from simulator.source import Source, TradeColumns
from spreadlake.errors import InputError
from spreadlake.service import StopSignal

OnReady = Callable[[str, str], None]

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05


def run_simulator(
    source: Source,
    stop: StopSignal,
    *,
    on_ready: OnReady,
    events: Sequence[Event] = (),
    **options: Any,
) -> None:
    """Serves `source` until `stop` is set; `options` are those of `SimulatedExchange`.

    The `events` of a script happen meanwhile. `on_ready` is called once with the WebSocket and the
    REST address. Raises InputError when the address cannot be listened on.
    """
    asyncio.run(_serve(source, stop, on_ready, events, options))


async def _serve(
    source: Source,
    stop: StopSignal,
    on_ready: OnReady,
    events: Sequence[Event],
    options: dict[str, Any],
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_here() -> None:
        with suppress(RuntimeError):  # told again after the loop has ended
            loop.call_soon_threadsafe(stopped.set)

    stop.on_set(stop_here)
    async with SimulatedExchange(source, **options) as exchange:
        on_ready(exchange.ws_url, exchange.rest_url)
        happening = asyncio.create_task(play_script(events, exchange))
        try:
            await exchange.until(stopped)
        finally:
            happening.cancel()


async def play_script(events: Sequence[Event], exchange: SimulatedExchange) -> None:
    """Lets the events happen, each at its time, counted from now in the exchange's time."""
    began_ms = exchange.clock_ms()
    for event in events:
        while exchange.clock_ms() < began_ms + event.at * 1000:  # noqa: ASYNC110 no event tells
            await asyncio.sleep(_LOOK_SECONDS)
        happen(event, exchange)
        _log.info("script: %s %s", event.do, event.symbol or f"of all, {event.factor:g} times")


class ExchangeHandle:
    """A simulated exchange that runs in another thread; every method is safe in any thread."""

    def __init__(self, exchange: SimulatedExchange, loop: asyncio.AbstractEventLoop) -> None:
        self._exchange = exchange
        self._loop = loop
        self.ws_url = exchange.ws_url
        self.rest_url = exchange.rest_url

    def call(self, function: Callable[[SimulatedExchange], Any]) -> Any:
        """Result of `function(exchange)`, run in the exchange's own thread."""

        async def apply() -> Any:
            return function(self._exchange)

        return asyncio.run_coroutine_threadsafe(apply(), self._loop).result(timeout=60)

    def truth(
        self, since_ms: int | None = None, until_ms: int | None = None
    ) -> dict[str, TradeColumns]:
        """As `SimulatedExchange.truth`."""
        trades: dict[str, TradeColumns] = self.call(lambda e: e.truth(since_ms, until_ms))
        return trades

    def status(self) -> dict[str, Any]:
        """As `SimulatedExchange.status`."""
        status: dict[str, Any] = self.call(SimulatedExchange.status)
        return status


@contextmanager
def exchange_in_thread(source: Source, **options: Any) -> Iterator[ExchangeHandle]:
    """Serves `source` from a thread with an event loop of its own, until the context ends."""
    ready: Future[ExchangeHandle] = Future()
    stop = Future[None]()
    thread = threading.Thread(
        target=lambda: _run_in_thread(source, options, ready, stop), name="exchange", daemon=True
    )
    thread.start()
    try:
        yield ready.result(timeout=30)
    finally:
        stop.set_result(None)
        thread.join(timeout=30)


def _run_in_thread(
    source: Source, options: dict[str, Any], ready: Future[ExchangeHandle], stop: Future[None]
) -> None:
    async def serve() -> None:
        async with SimulatedExchange(source, **options) as exchange:
            ready.set_result(ExchangeHandle(exchange, asyncio.get_running_loop()))
            await asyncio.wrap_future(stop)

    try:
        asyncio.run(serve())
    except InputError as error:
        ready.set_exception(error)
