"""Which lake a log is for: it says so, and another lake takes nothing out of it."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from simulator import SimulatedExchange
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from tests.collector.broker.servers import (
    STREAM,
    RedisServer,
    capturing,
    redis_server,
    storing,
)
from tests.collector.broker.test_log import CLEAN, all_stored, with_log
from tests.collector.lakes import rows_of
from tests.collector.live import differences, has_ticks, market, settings_for, until

OWNER = "spreadlake:lake"


def owner(server: RedisServer) -> str:
    return str((server.client.get(OWNER) or b"").decode())


def test_another_lake_is_refused_in_words_and_the_first_goes_on(tmp_path: Path) -> None:
    lake, other = Lake(tmp_path / "lake"), Lake(tmp_path / "other")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with capturing(server, settings):
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
                    assert str(lake.root) in owner(server)
                    await refused(server, other, settings)
                # Nobody reads it now, and what is in it is the first one's.
                await until(lambda: server.entries() > 0)
                await refused(server, other, settings)
                moved = Lake(lake.root.rename(tmp_path / "moved"))
                async with storing(server, moved, settings):
                    await all_stored(moved, exchange)
                    assert str(moved.root) in owner(server)
            return Counter(differences(moved, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 200
    assert found == CLEAN
    assert not has_ticks(other)


async def refused(server: RedisServer, lake: Lake, settings: object) -> None:
    with pytest.raises(InputError, match="is of another lake") as said:
        async with storing(server, lake, settings) as store:  # type: ignore[arg-type]
            await store
    assert "lake on " in str(said.value)
    assert f"redis-cli DEL {OWNER}" in str(said.value)


def test_a_log_with_nothing_left_in_it_may_be_taken_by_another_lake(tmp_path: Path) -> None:
    lake, other = Lake(tmp_path / "lake"), Lake(tmp_path / "other")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with storing(server, lake, settings), capturing(server, settings):
                await all_stored(lake, exchange)
            assert server.entries() == 0
            async with storing(server, other, settings), capturing(server, settings):
                await all_stored(other, exchange)
            assert str(other.root) in owner(server)

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))


def test_stores_that_begin_a_lake_together_are_of_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with (
                capturing(server, settings),
                storing(server, lake, settings) as one,
                storing(server, lake, settings) as two,
                storing(server, lake, settings) as three,
            ):
                await all_stored(lake, exchange)
                assert not any(store.done() for store in (one, two, three))

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
    assert rows_of(lake, "SELECT count(*) FROM meta WHERE key = 'lake_id'") == [(1,)]


def test_a_redis_that_forgot_it_is_told_again(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = with_log(settings_for(exchange), lease_seconds=1.0)
            async with storing(server, lake, settings), capturing(server, settings):
                await all_stored(lake, exchange)
                server.client.flushall()
                await until(lambda: str(lake.root) in owner(server))

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))


def test_entries_of_another_exchange_never_come_into_the_lake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis has forgotten what the log holds, and a capture of the testnet was there first."""
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with storing(server, lake, settings), capturing(server, settings):
                await all_stored(lake, exchange)
                await until(lambda: copied(server))
                await until(lambda: "it holds trades of the testnet, and this is" in caplog.text)
                await all_stored(lake, exchange)
                assert server.client.xlen("spreadlake:refused") == 1
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 100
    assert found == CLEAN


def copied(server: RedisServer) -> bool:
    """Publishes the newest entry once more, with other trades' name and a price of theirs."""
    newest = server.client.xrevrange(STREAM, count=1)
    if not newest:
        return False
    server.client.xadd(STREAM, {**newest[0][1], "of": "trades of the testnet"})
    return True


def test_a_capture_of_another_kind_of_trades_is_refused(tmp_path: Path) -> None:
    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            server.client.set("spreadlake:holds", "trade trades of Binance USD-M")
            with pytest.raises(InputError, match="holds trade trades of Binance USD-M, and this"):
                async with capturing(server, settings) as capture:
                    await capture

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
