"""Real clients for the simulated exchange, and how the tests wait."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from simulator import SimulatedExchange
from spreadlake.binance.decode import AggTrade, FrameDecoder, MarketTrade
from spreadlake.binance.streams import combined_url, stream_name
from tests.patience import PATIENCE

DEADLINE = PATIENCE
SYMBOLS = ("BTCUSDT", "ETHUSDT")


def combined(*symbols: str, kind: str = "aggTrade") -> str:
    """The combined route of these symbols."""
    names = [stream_name(symbol, kind) for symbol in symbols]
    return combined_url("", kind, names)


@asynccontextmanager
async def opened(exchange: SimulatedExchange, route: str) -> AsyncIterator[ClientConnection]:
    """A WebSocket client on that route."""
    # A client that leaves with unread frames would wait for the close frame behind them.
    async with connect(
        exchange.ws_url + route, compression=None, max_size=None, close_timeout=0.1
    ) as client:
        yield client


async def take(client: ClientConnection, count: int) -> list[str]:
    """The next `count` messages."""
    async with asyncio.timeout(DEADLINE):
        return [str(await client.recv()) for _ in range(count)]


def decoded(frames: list[str]) -> list[AggTrade | MarketTrade]:
    """The trades in frames that must all hold one."""
    decoder = FrameDecoder("aggTrade")
    events = [decoder.decode(frame) for frame in frames]
    assert all(isinstance(event, AggTrade) for event in events)
    return [event for event in events if isinstance(event, AggTrade)]


async def read_to_the_end(client: ClientConnection, frames: list[str]) -> None:
    """Adds what comes to `frames`, until the connection ends with ConnectionClosed."""
    async with asyncio.timeout(DEADLINE):
        while True:
            frames.append(str(await client.recv()))


async def request(client: ClientConnection, message: object) -> Any:
    """The reply to a request; frames of trades that come before it are passed over."""
    await client.send(message if isinstance(message, str) else json.dumps(message))
    async with asyncio.timeout(DEADLINE):
        async for frame in client:
            reply = json.loads(frame)
            if "result" in reply or "error" in reply:
                return reply
    raise AssertionError("the connection ended without a reply")


async def silent(client: ClientConnection) -> bool:
    """Whether nothing comes until the exchange has answered two more requests."""
    for number in (1, 2):
        await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        [reply] = await take(client, 1)
        if "result" not in json.loads(reply):
            return False
    return True


async def get(exchange: SimulatedExchange, path: str) -> httpx.Response:
    """The response to a GET."""
    async with httpx.AsyncClient(base_url=exchange.rest_url, timeout=DEADLINE) as client:
        return await client.get(path)


async def until(condition: Callable[[], bool | Coroutine[Any, Any, bool]]) -> None:
    """Waits until the condition holds."""
    async with asyncio.timeout(DEADLINE):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await asyncio.sleep(0.005)
