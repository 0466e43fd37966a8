"""Trades that the log lost, and that no trade of their symbol follows: the exchange is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from collector.broker.entry import encoded
from collector.storage.batch import Batch
from simulator import SimulatedExchange
from spreadlake.config import Settings
from spreadlake.lake import Lake
from tests.collector.broker.servers import STREAM, RedisServer, capturing, redis_server, storing
from tests.collector.broker.test_log import CLEAN, all_stored
from tests.collector.live import SYMBOLS, caught_up, differences, market, settings_for, until

# A store is right to wait for the next trade for so long; here none comes.
SILENCE = 0.3


def settings_of(exchange: SimulatedExchange) -> Settings:
    return settings_for(exchange, silence_seconds=SILENCE)


async def killed(server: RedisServer) -> None:
    server.kill()
    server.start()


async def emptied(server: RedisServer) -> None:
    server.client.flushall()


async def deleted(server: RedisServer) -> None:
    server.client.delete(STREAM)


async def dropped(server: RedisServer) -> None:
    """As a capture tells that it let go of the oldest, which were the last of their symbols."""
    server.client.hincrby("spreadlake:dropped", "trades", 5)
    server.client.xadd(STREAM, {"n": 1, "b": b"what comes after them, whatever it is"})


async def had_no_room(server: RedisServer) -> None:
    """As a capture tells of trades for which its memory had no room."""
    (entry, *_) = encoded(Batch())
    fields = {"n": 0, "b": entry[0], "of": server.client.get("spreadlake:holds")}
    server.client.xadd(STREAM, {**fields, "lost": msgspec.msgpack.encode(SYMBOLS)})


async def let_go(server: RedisServer) -> None:
    """What was read by a store that died before it stored it is gone when the next one asks."""

    def steal() -> bool:
        server.client.xadd(STREAM, {"n": 1, "b": b"to be let go"})
        return bool(server.client.xreadgroup("store", "another", {STREAM: ">"}, count=1))

    await until(steal)
    server.client.xtrim(STREAM, maxlen=0, approximate=False)


@pytest.mark.parametrize("trouble", [killed, emptied, deleted, dropped, had_no_room, let_go])
def test_the_newest_trades_of_symbols_that_fall_silent_are_fetched(
    tmp_path: Path, trouble: Callable[[RedisServer], Awaitable[None]]
) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> dict[str, int]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_of(exchange)
            async with storing(server, lake, settings):
                async with capturing(server, settings):
                    await all_stored(lake, exchange)
                # From here on nobody captures: no trade comes whose id would tell.
                now_ms = exchange.clock_ms()
                await until(lambda: server.entries() == 0)
                await trouble(server)
                await until(lambda: caught_up(lake, now_ms))
            return differences(lake, exchange)

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert {key: found[key] for key in CLEAN} == CLEAN


def test_what_a_log_lost_while_there_was_no_store_is_fetched(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> dict[str, int]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_of(exchange)
            async with capturing(server, settings):
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
                now_ms = exchange.clock_ms()
                await until(lambda: server.entries() > 0)
            server.client.flushall()
            async with storing(server, lake, settings):
                await until(lambda: caught_up(lake, now_ms))
            return differences(lake, exchange)

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert {key: found[key] for key in CLEAN} == CLEAN
