"""A server that is as simple as it can be: it sends what a test tells it to."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

Behaviour = Callable[["FakeServer", ServerConnection], Awaitable[None]]
START_MS = 1_700_000_000_000


def frame(trade_id: int, symbol: str = "BTCUSDT", **other: object) -> str:
    """An aggTrade frame of a combined stream."""
    time_ms = START_MS + trade_id
    data = {"e": "aggTrade", "E": time_ms, "s": symbol, "a": trade_id, "p": "100.5", "q": "0.25"}
    data |= {"f": trade_id, "l": trade_id, "T": time_ms, "m": True, **other}
    return json.dumps({"stream": f"{symbol.lower()}@aggTrade", "data": data})


def _rest_trade(trade_id: int) -> dict[str, object]:
    trade = {"a": trade_id, "p": "100.5", "q": "0.25", "f": trade_id, "l": trade_id}
    return {**trade, "T": START_MS + trade_id, "m": True}


@dataclass
class FakeServer:
    """What came to it, and what it answers: `status` refuses handshakes, `pages` are the ids
    that REST gives from an id on.
    """

    behaviour: Behaviour
    status: int | None = None
    paths: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    pages: Callable[[int], list[int]] | None = None
    sent: int = 0
    port: int = 0

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def rest_url(self) -> str:
        """Every request is refused, but for `aggTrades` where there are `pages`."""
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.pages is not None and request.path.startswith("/fapi/v1/aggTrades"):
            self.asked.append(request.path)
            query = parse_qs(urlsplit(request.path).query)
            ids = self.pages(int(query.get("fromId", ["0"])[0]))
            return connection.respond(HTTPStatus.OK, json.dumps([_rest_trade(i) for i in ids]))
        if request.path.startswith("/fapi"):
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "no REST here\n")
        self.paths.append(request.path)
        if self.status is None:
            return None
        return connection.respond(HTTPStatus(self.status), "refused\n")

    async def handle(self, connection: ServerConnection) -> None:
        await self.behaviour(self, connection)


@asynccontextmanager
async def fake_server(behaviour: Behaviour, status: int | None = None) -> AsyncIterator[FakeServer]:
    fake = FakeServer(behaviour, status)
    async with serve(
        fake.handle,
        "127.0.0.1",
        0,
        process_request=fake.answer,
        ping_interval=None,
        close_timeout=0.2,
    ) as server:
        fake.port = next(iter(server.sockets)).getsockname()[1]
        yield fake
