"""Another exchange is another room: the collector captures one that is nothing like Binance."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from spreadlake import binance
from spreadlake.binance.decode import KINDS
from spreadlake.binance.hosts import BINANCE
from spreadlake.binance.limits import WEIGHT_PER_MINUTE
from spreadlake.binance.streams import CONNECTION_SECONDS, STREAMS_PER_CONNECTION
from spreadlake.config import Settings, load_settings
from spreadlake.config.sections import CollectorSettings, ExchangeSettings
from spreadlake.errors import ExchangeError, LakeError
from spreadlake.lake import Lake
from spreadlake.venue import Venue
from tests.collector.lakes import rows_of
from tests.collector.live import collecting, counter, until
from tests.venue import toy

A, B = "ALPHA", "BETA"
START_MS = 1_700_000_000_000
VENUES: dict[str, Venue] = {"binance": binance, "toy": toy}


def line(symbol: str, trade_id: int) -> str:
    """A trade as the toy exchange writes it."""
    return f"{symbol} {trade_id} {START_MS + trade_id} 10.5 2 {'sell' if trade_id % 2 else 'buy'}"


class ToyServer:
    """Sends ids 1 to 4, 9 (an 8 that was cancelled) of what is asked for; REST has all up to 9."""

    def __init__(self, status: int = 101) -> None:
        self.status = status
        self.port = 0
        self.asked: list[str] = []

    @property
    def settings(self) -> Settings:
        where = f"127.0.0.1:{self.port}"
        return load_settings(
            None,
            symbols=[A, B],
            pairs="all",
            exchange={"ws_url": f"ws://{where}", "rest_url": f"http://{where}", "trades": "trade"},
            collector={
                "connections_per_symbol": 1,
                "warm_start_minutes": 0,
                "request_weight": 2400,
            },
        )

    async def feed(self, connection: ServerConnection) -> None:
        await connection.send("welcome")
        async for message in connection:
            self.asked.append(str(message))
            symbol = str(message)[1:].split()[0]
            for trade_id in (1, 2, 3, 4):
                await connection.send(line(symbol, trade_id))
            await connection.send(f"!{line(symbol, 8)}")
            await connection.send("nonsense")
            await connection.send(line(symbol, 9))

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        if parts.path == "/feed":
            if self.status != 101:
                return connection.respond(HTTPStatus(self.status), "no\n")
            return None
        self.asked.append(parts.path)
        if parts.path == "/v9/markets":
            return connection.respond(HTTPStatus.OK, f'{{"{A}":"open","{B}":"open","C":"gone"}}')
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        first = int(query.get("after", 0)) + 1
        ids = range(first, min(first + toy.TRADES_PAGE, 10))
        return connection.respond(HTTPStatus.OK, "\n".join(line(query["market"], i) for i in ids))


@asynccontextmanager
async def toy_server(status: int = 101) -> AsyncIterator[ToyServer]:
    toy_exchange = ToyServer(status)
    async with serve(
        toy_exchange.feed, "127.0.0.1", 0, process_request=toy_exchange.answer, close_timeout=0.2
    ) as server:
        toy_exchange.port = next(iter(server.sockets)).getsockname()[1]
        yield toy_exchange


def test_another_exchange_is_captured_and_its_gaps_are_filled(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> list[str]:
        async with (
            toy_server() as exchange,
            collecting(lake, exchange.settings, venue=toy),
        ):
            await until(lambda: rows_of(lake, "SELECT count(*) FROM ticks") == [(16,)])
            return exchange.asked

    asked = asyncio.run(scenario())
    assert {f"+{A} trade", f"+{B} trade", "/v9/markets", "/v9/fills"} <= set(asked)
    for symbol in (A, B):
        ids = rows_of(lake, f"SELECT trade_id FROM ticks WHERE symbol = '{symbol}' ORDER BY 1")
        assert [row[0] for row in ids] == [1, 2, 3, 4, 5, 6, 7, 9]
    assert rows_of(lake, "SELECT price, qty, buyer_is_maker FROM ticks LIMIT 1") == [(10.5, 2.0, 1)]
    assert counter(lake, "malformed") == 2
    assert rows_of(lake, "SELECT DISTINCT state FROM gaps") == [("repaired",)]


def test_a_lake_of_one_exchange_takes_nothing_of_another(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with toy_server() as exchange:
            async with collecting(lake, exchange.settings, venue=toy):
                await until(lambda: rows_of(lake, "SELECT count(*) FROM ticks") != [(0,)])
            elsewhere = exchange.settings.model_copy(
                update={
                    "exchange": exchange.settings.exchange.model_copy(
                        update={
                            "ws_url": "wss://fstream.binance.com",
                            "rest_url": "https://fapi.binance.com",
                        }
                    )
                }
            )
            async with collecting(lake, elsewhere):
                pass

    with pytest.raises(LakeError, match="toy"):
        asyncio.run(scenario())


def test_a_refusal_is_fatal_where_the_exchange_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            toy_server(402) as exchange,
            collecting(Lake(tmp_path), exchange.settings, venue=toy) as task,
        ):
            await until(task.done)

    with pytest.raises(ExchangeError, match="HTTP 402: pay first"):
        asyncio.run(scenario())


@pytest.mark.parametrize("name", VENUES)
def test_a_room_answers_for_its_exchange(name: str) -> None:
    """What the callers rely on beside the types."""
    venue = VENUES[name]
    page = venue.trades_from(A, 5)
    assert page.weight == venue.latest_trades(A, 1).weight == venue.TRADES_WEIGHT
    assert venue.klines(A, "1m", 7).weight == venue.klines_weight(7)
    assert page.path.startswith("/")
    assert A in page.parameters.values()
    assert all(venue.refuses(status) for status in venue.REMEDIES)
    assert not venue.refuses(503)
    assert venue.requests("SUBSCRIBE", [], venue.REST_KIND) == ()
    assert venue.used_weight({}) is None
    assert venue.seconds_to_wait({}, b"", START_MS) is None


def test_binance_rest_has_one_of_the_kinds_of_its_streams() -> None:
    assert binance.REST_KIND in KINDS


def test_what_the_configuration_allows_is_what_the_exchange_does() -> None:
    """The settings name Binance's kinds, addresses and limits: here they are held to its room."""
    exchange, collector = ExchangeSettings(), CollectorSettings()
    assert get_args(ExchangeSettings.model_fields["trades"].annotation) == KINDS
    assert exchange.trades == binance.REST_KIND
    assert binance.venue_of(exchange.ws_url, exchange.rest_url) == BINANCE
    most = {
        "request_weight": WEIGHT_PER_MINUTE,
        "streams_per_connection": STREAMS_PER_CONNECTION,
    }
    for name, limit in most.items():
        CollectorSettings(**{**collector.model_dump(), name: limit})
        with pytest.raises(ValidationError):
            CollectorSettings(**{**collector.model_dump(), name: limit + 1})
    with pytest.raises(ValidationError):
        CollectorSettings(connection_hours=CONNECTION_SECONDS / 3600)
