"""Which lake a log is for: it says so, and another lake takes nothing out of it."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from collector.broker.consumer import LogConsumer
from collector.broker.entry import encoded
from collector.broker.lease import Lease
from collector.broker.registry import forget_capture, tell_capture
from collector.broker.server import Server
from collector.storage.batch import Batch
from simulator import SimulatedExchange
from spreadlake.config import load_settings
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.trades import TradeEvent
from tests.collector.broker.servers import (
    STREAM,
    RedisServer,
    capturing,
    redis_server,
    storing,
)
from tests.collector.broker.test_log import CLEAN, all_stored, through, with_log
from tests.collector.lakes import rows_of
from tests.collector.live import SYMBOLS, differences, has_ticks, market, settings_for, until

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
    assert f"redis-cli -u {server.url} DEL {OWNER}" in str(said.value)


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

    async def mixed(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
        await until(lambda: copied(server))
        await until(lambda: "it holds trades of the testnet, and this is" in caplog.text)
        await all_stored(lake, exchange)
        assert server.client.xlen("spreadlake:refused") == 1

    through(tmp_path, mixed)


def test_an_entry_that_does_not_say_what_it_holds_never_comes_into_the_lake(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By its ids all of the exchange's history would seem to be missing."""

    async def unsaid(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
        first = TradeEvent(SYMBOLS[0], 1, exchange.clock_ms(), 1.0, 1.0, True)
        for data, number, _ in encoded(Batch([first])):
            server.client.xadd(STREAM, {"n": number, "b": data})
        await until(lambda: "it does not say what it holds" in caplog.text)
        await all_stored(lake, exchange)
        assert rows_of(lake, "SELECT 1 FROM ticks WHERE trade_id = 1") == []

    through(tmp_path, unsaid)


def copied(server: RedisServer) -> bool:
    """Publishes the newest entry once more, with other trades' name and a price of theirs."""
    newest = server.client.xrevrange(STREAM, count=1)
    if not newest:
        return False
    server.client.xadd(STREAM, {**newest[0][1], "of": "trades of the testnet"})
    return True


OTHERS = "trade trades of Binance USD-M"
HOLDS = "spreadlake:holds"


def test_a_log_with_other_trades_in_it_is_refused_with_the_way_out(tmp_path: Path) -> None:
    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            server.client.set(HOLDS, OTHERS)
            server.client.xadd(STREAM, {"n": 1, "b": b"", "of": OTHERS})
            with pytest.raises(InputError, match=f"holds {OTHERS}, and this") as said:
                async with capturing(server, settings) as capture:
                    await capture
            remedy = f"DEL {STREAM} {HOLDS}"
            assert str(said.value).endswith(f"redis-cli -u {server.url} {remedy}")
            server.client.execute_command(*remedy.split())
            async with capturing(server, settings):
                await until(lambda: server.entries() > 0)

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))


def test_an_empty_log_that_nobody_uses_may_hold_other_trades(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            server.client.set(HOLDS, OTHERS)
            async with storing(server, lake, settings), capturing(server, settings):
                await all_stored(lake, exchange)
                assert server.client.get(HOLDS) not in (None, OTHERS.encode())
            assert server.entries() == 0
        log = Server(server.url, settings.redis)
        await log.look(OTHERS)  # all have ended: nobody has to wait
        await log.close()

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))


def test_who_uses_an_empty_log_keeps_it(tmp_path: Path) -> None:
    async def scenario(server: RedisServer) -> None:
        settings = load_settings(None).redis
        mine, other = Server(server.url, settings), Server(server.url, settings)

        async def is_refused() -> None:
            with pytest.raises(InputError, match="holds mine, and this is for others"):
                await other.look("others")
            await tell_capture(other, "b", {})  # whoever is refused lives for nobody

        await mine.look("mine", publishes=True)
        await is_refused()  # it is about to publish
        server.client.delete("spreadlake:captures:publish")
        await tell_capture(mine, "a", {})
        await is_refused()
        await forget_capture(mine, "a")
        lease = Lease(mine, 10.0)
        assert await lease.acquire(0, "")
        await is_refused()
        await lease.release()
        await LogConsumer(mine, 1).read()  # makes the group
        number = server.client.xadd(STREAM, {"n": 1})
        await is_refused()
        server.client.xreadgroup("store", "store-1", {STREAM: ">"})
        server.client.xdel(STREAM, number)
        assert server.entries() == 0
        await is_refused()  # what was read is not acknowledged
        server.client.xack(STREAM, "store", number)
        server.client.set("spreadlake:symbols", "[]")
        await other.look("others")
        assert server.client.get("spreadlake:symbols") is None
        await mine.close()
        await other.close()

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
