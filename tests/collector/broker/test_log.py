"""Captures, a log and a store: every trade is in the lake once, whatever becomes of Redis."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from collector.broker.publisher import Publisher
from simulator import SimulatedExchange
from spreadlake.config import Settings
from spreadlake.errors import ServiceError
from spreadlake.lake import Lake
from tests.collector.broker.servers import (
    STREAM,
    RedisServer,
    capturing,
    redis_server,
    storing,
)
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    SYMBOLS,
    caught_up,
    counter,
    differences,
    drawn_faults,
    has_ticks,
    made,
    market,
    settings_for,
    ticks,
    until,
)

CLEAN = {"missing": 0, "twice": 0, "wrong": 0}


def with_log(settings: Settings, **redis: float) -> Settings:
    return settings.model_copy(update={"redis": settings.redis.model_copy(update=redis)})


async def all_stored(lake: Lake, exchange: SimulatedExchange, more: int = 100) -> None:
    """Waits until trades of now are stored, and nothing before them is missing."""
    await until(lambda: has_ticks(lake))
    now_ms, stored = exchange.clock_ms(), ticks(lake)
    await until(lambda: ticks(lake) > stored + more and caught_up(lake, now_ms))


def test_two_captures_of_all_symbols_store_each_trade_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with (
                storing(server, lake, settings),
                capturing(server, settings),
                capturing(server, settings),
            ):
                await all_stored(lake, exchange, 500)
                await until(lambda: counter(lake, "duplicates") > 300)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
        # All that was acknowledged has left the log, and what was stored was acknowledged.
        assert server.entries() == 0
    assert found.pop("right") > 500
    assert found == CLEAN


def test_each_capture_carries_its_share(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with (
                storing(server, lake, settings),
                capturing(server, settings, shard="1/2"),
            ):
                await all_stored_of(lake, ["BTCUSDT", "SOLUSDT"])
                assert rows_of(lake, "SELECT DISTINCT symbol FROM ticks") != []
                assert not rows_of(lake, "SELECT 1 FROM ticks WHERE symbol = 'ETHUSDT' LIMIT 1")
                # One without a symbol of its own is there for those to come.
                empty = capturing(server, settings, shard="4/4")
                async with empty, capturing(server, settings, shard="2/2"):
                    await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 100
    assert found == CLEAN
    assert counter(lake, "duplicates") == 0


async def all_stored_of(lake: Lake, symbols: list[str]) -> None:
    await until(lambda: has_ticks(lake))
    query = "SELECT count(DISTINCT symbol) FROM ticks"
    await until(lambda: rows_of(lake, query) == [(len(symbols),)])


Trouble = Callable[[RedisServer, Lake, SimulatedExchange], Awaitable[None]]


def through(
    tmp_path: Path, trouble: Trouble, *options: str, settings: dict[str, float] | None = None
) -> tuple[Lake, Counter[str]]:
    """Captures and stores through `trouble`, until nothing is missing any more."""
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market(rate=150)) as exchange:
            given = with_log(settings_for(exchange), **(settings or {}))
            async with storing(server, lake, given), capturing(server, given):
                await all_stored(lake, exchange)
                await trouble(server, lake, exchange)
                await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis", *options) as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 200
    assert found == CLEAN
    return lake, found


async def killed(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    server.kill()
    await asyncio.sleep(0.5)
    server.start()


async def killed_often(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    for _ in range(4):
        await killed(server, lake, exchange)
        await asyncio.sleep(0.3)


async def emptied(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    server.client.flushall()


async def frozen(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """Longer than the client waits for an answer."""
    with server.frozen():
        await asyncio.sleep(6.0)


async def full(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    used = server.client.info("memory")["used_memory"]
    server.client.config_set("maxmemory", str(used - 100_000))
    await asyncio.sleep(0.7)
    server.client.config_set("maxmemory", "0")


async def malformed(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    server.client.xadd(STREAM, {"n": 1, "b": b"nonsense"})
    server.client.xadd(STREAM, {"other": "fields"})
    await until(lambda: counter(lake, "malformed") == 2)


async def unreadable(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """Each of these ended every store that came to it."""
    right = server.client.xrevrange(STREAM, count=1) or [(b"", {b"b": b""})]
    entries: list[dict[Any, Any]] = [
        {"b": b"\x97\x01\xa4live\x91\xa2\xff\xd0\x90\x90\x80\x80"},
        {"b": b"\x93" * 20_000},
        {b"\xff\xd0": b"\xff" * 2_000_000},
        {**right[0][1], "lost": b"\x91\xa2\xff\xd0"},
        {**right[0][1], "lost": b"\x91" * 20_000},
    ]
    for entry in entries:
        server.client.xadd(STREAM, entry)
    await until(lambda: counter(lake, "malformed") == len(entries))
    # What is kept of them for whoever looks is little.
    assert server.client.memory_usage("spreadlake:refused", samples=0) < 100_000


@pytest.mark.parametrize("trouble", [killed_often, emptied, frozen, full, malformed, unreadable])
def test_whatever_becomes_of_redis_nothing_is_missing_and_nothing_twice(
    tmp_path: Path, trouble: Trouble
) -> None:
    through(tmp_path, trouble)


def test_symbols_that_the_store_does_not_name_are_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            fewer = settings.model_copy(update={"symbols": ["BTCUSDT"], "pairs": []})
            async with storing(server, lake, fewer), capturing(server, settings):
                await all_stored(lake, exchange)
                await until(lambda: counter(lake, "ignored") > 20)

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
    # Which of them come in the same batch is chance; each is told once.
    told = re.findall(r"publish trades of (.+?), which symbols here does not name", caplog.text)
    assert sorted(name for names in told for name in names.split(", ")) == ["ETHUSDT", "SOLUSDT"]
    assert rows_of(lake, "SELECT DISTINCT symbol FROM ticks") == [("BTCUSDT",)]


@pytest.mark.parametrize("trades", [False, True], ids=["none", "some"])
def test_a_capture_that_ends_without_redis_tells_of_trades_only_where_it_has_some(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    trades: bool,
) -> None:
    publishers = made(monkeypatch, "collector.capture.Publisher", Publisher)

    async def scenario() -> None:
        away = RedisServer(tmp_path / "redis")  # it is never started
        quick = replace(FAST, last_flush=1.0)
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            if trades:
                async with capturing(away, settings, timing=quick):
                    await until(lambda: "cannot be published" in caplog.text)
                    # What was published first may be a batch without a trade.
                    await until(lambda: publishers[0].waiting)
        if not trades:
            async with capturing(away, settings, timing=quick):
                await until(lambda: "no connection for" in caplog.text)

    asyncio.run(scenario())
    assert ("in memory could not be published" in caplog.text) is trades


def test_a_capture_that_is_let_in_no_longer_tells_of_trades_that_it_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(server: RedisServer) -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            capturing(server, settings_for(exchange)) as task,
        ):
            await until(lambda: server.entries() > 0)
            server.client.config_set("requirepass", "another")
            server.client.execute_command("CLIENT", "KILL", "TYPE", "normal")
            await until(task.done)

    with redis_server(tmp_path / "redis") as server:
        with pytest.raises(ServiceError, match="does not let us in"):
            asyncio.run(scenario(server))
        server.client.config_set("requirepass", "")
    told = re.search(r"(\d+) trades in memory could not be published \((.+?)\)", caplog.text)
    assert told is not None
    assert int(told[1]) > 0
    assert "uthentication" in told[2]


def test_faults_of_the_exchange_between_it_and_a_capture(tmp_path: Path) -> None:
    """Connections that fall silent, break and lie: the capture sees to them without a lake."""
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        faults = drawn_faults(seed=11, count=12, frames=500)
        async with SimulatedExchange(market(rate=150), faults=faults) as exchange:
            often = {"connection_hours": 3 / 3600, "silence_seconds": 3.0}
            settings = settings_for(exchange, connections_per_symbol=2, **often)
            async with storing(server, lake, settings), capturing(server, settings):
                await until(lambda: not faults.pending)
                await all_stored(lake, exchange, 200)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 200
    assert found == CLEAN
    assert rows_of(lake, "SELECT count(*) FROM gaps WHERE state != 'repaired'") == [(0,)]


def test_a_log_without_a_store_keeps_within_its_bytes_and_what_it_lets_go_is_repaired(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake, most = Lake(tmp_path / "lake"), 0.1

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market(rate=300)) as exchange:
            settings = with_log(settings_for(exchange), max_mib=most)
            async with capturing(server, settings):
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
                caplog.clear()  # a slow machine may have been there before
                await until(lambda: "redis.max_mib" in caplog.text)
                used = server.client.memory_usage(STREAM, samples=0)
                assert used < most * 2**20 + 300_000
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 1000
    assert found == CLEAN
    assert counter(lake, "dropped") > 0
    assert ("reading paused",) in rows_of(lake, "SELECT DISTINCT cause FROM gaps")


def test_a_store_begins_though_redis_is_full(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market(rate=300)) as exchange:
            settings = settings_for(exchange)
            async with capturing(server, settings):
                await until(lambda: server.entries() > 20)
                used = server.client.info("memory")["used_memory"]
                server.client.config_set("maxmemory", str(used))
                await until(lambda: is_full(server))
                async with storing(server, lake, settings):
                    await until(lambda: has_ticks(lake) and ticks(lake) > 100)
                    server.client.config_set("maxmemory", "0")
                    await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 200
    assert found == CLEAN


def is_full(server: RedisServer) -> bool:
    try:
        server.client.set("x", "y")
    except redis.exceptions.OutOfMemoryError:
        return True
    return False


def test_a_capture_keeps_what_its_buffer_holds_while_redis_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market(rate=300)) as exchange:
            settings = settings_for(exchange, buffer_trades=1000)
            async with storing(server, lake, settings), capturing(server, settings):
                await all_stored(lake, exchange)
                server.kill()
                caplog.clear()  # a slow start may have let trades go that nothing came before
                await until(lambda: "let go in all" in caplog.text)
                server.start()
                await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 500
    assert found == CLEAN
    assert counter(lake, "dropped") > 0


def test_what_was_stored_and_not_acknowledged_comes_again_and_is_stored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collector.broker.consumer import LogConsumer

    lake = Lake(tmp_path / "lake")
    acknowledge = LogConsumer.acknowledge

    async def never(self: LogConsumer, ids: object) -> None:
        return

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            monkeypatch.setattr(LogConsumer, "acknowledge", never)
            async with capturing(server, settings):
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
                kept = server.client.xpending(STREAM, "store")["pending"]
                assert kept > 0
                monkeypatch.setattr(LogConsumer, "acknowledge", acknowledge)
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
        assert server.client.xpending(STREAM, "store")["pending"] == 0
    assert found.pop("right") > 200
    assert found == CLEAN
    assert counter(lake, "duplicates") > 0


def test_the_store_chooses_for_captures_whose_rules_choose(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            rules = settings_for(exchange).model_copy(update={"symbols": "all", "pairs": []})
            async with (
                capturing(server, rules, shard="1/2"),
                capturing(server, rules, shard="2/2"),
                storing(server, lake, rules),
            ):
                await all_stored_of(lake, SYMBOLS)

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
