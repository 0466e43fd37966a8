"""Of several stores one writes the lake: another takes over when it dies; there never are two."""

import asyncio
import json
import os
import signal
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.storing import RollTurn
from simulator import SimulatedExchange
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, atomic, open_ticks_writer
from spreadlake.lake.databases.fence import FencedError, read_token, take_over
from tests.collector.broker.servers import RedisServer, capturing, redis_server, storing
from tests.collector.broker.test_log import CLEAN, all_stored, with_log
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    SYMBOLS,
    collecting,
    differences,
    has_ticks,
    market,
    settings_for,
    ticks,
    until,
)
from tests.collector.processes import started


def token(lake: Lake) -> int:
    return int(str(rows_of(lake, "SELECT value FROM meta WHERE key = 'writer_token'")[0][0]))


def test_only_the_newest_writer_writes(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as first, closing(open_ticks_writer(lake)) as second:
        take_over(first, 3)
        with atomic(first):
            first.execute("INSERT INTO meta VALUES ('by', 'first')")
        take_over(second, 4)
        with pytest.raises(FencedError, match="token 4, ours is 3"), atomic(first):
            first.execute("INSERT INTO meta VALUES ('late', 'first')")
        assert not first.in_transaction
        with pytest.raises(FencedError):
            take_over(first, 3)
        # One that never wrote, and whose lease is of before, neither.
        with closing(open_ticks_writer(lake)) as third, pytest.raises(FencedError):
            take_over(third, 3)
        with atomic(second):
            assert read_token(second) == 4
        # A Redis that forgot what it gave out gives the same token to another store.
        with closing(open_ticks_writer(lake)) as third:
            with pytest.raises(FencedError, match="token 4, ours is 4"):
                take_over(third, 4)
            with atomic(second):
                assert read_token(second) == 4
    assert rows_of(lake, "SELECT key FROM meta WHERE key IN ('by', 'late')") == [("by",)]


# Longer than a busy machine lets a process wait.
LEASE_SECONDS = 4.0


def overrides(exchange: SimulatedExchange, lease: float = LEASE_SECONDS) -> dict[str, Any]:
    return {
        "symbols": SYMBOLS,
        "exchange": {"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
        "collector": {"warm_start_minutes": 0, "request_weight": 2400, "funding": False},
        "redis": {"lease_seconds": lease},
    }


async def watched(tmp_path: Path, server: RedisServer, how: signal.Signals) -> Counter[str]:
    """A store gets a signal while another one waits; what the lake lacks in the end."""
    lake = Lake(tmp_path / "lake")
    async with SimulatedExchange(market()) as exchange:
        settings = with_log(settings_for(exchange), lease_seconds=LEASE_SECONDS)
        async with capturing(server, settings):
            with started(lake, overrides(exchange), **{"from": server.url}) as process:
                await until(lambda: has_ticks(lake) and ticks(lake) > 50)
                first = token(lake)
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
                    assert token(lake) == first
                    os.kill(process.pid, how)
                    await until(lambda: token(lake) > first)
                    await all_stored(lake, exchange)
                    second = token(lake)
                    if how is signal.SIGSTOP:
                        os.kill(process.pid, signal.SIGCONT)
                        await all_stored(lake, exchange, 300)
                        assert process.poll() is None  # it waits for its turn
                    assert token(lake) == second
                await asyncio.to_thread(process.kill)
        return Counter(differences(lake, exchange))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_another_store_takes_over(tmp_path: Path, how: signal.Signals) -> None:
    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(watched(tmp_path, server, how))
    assert found.pop("right") > 200
    assert found == CLEAN


def test_a_store_whose_redis_forgot_the_lease_ends_where_another_has_begun(tmp_path: Path) -> None:
    """Redis forgets it all: the second store begins, and the first is kept out by the lake."""
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings = with_log(settings_for(exchange), lease_seconds=30.0)
            async with capturing(server, settings), storing(server, lake, settings):
                await all_stored(lake, exchange)
                first = token(lake)
                server.client.flushall()
                async with storing(server, lake, settings):
                    await until(lambda: token(lake) > first)
                    await all_stored(lake, exchange)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert found.pop("right") > 100
    assert found == CLEAN


def test_stores_of_two_logs_on_one_lake_are_told_and_take_turns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each holds the lease of its own log: they took over from each other many times a second."""
    lake = Lake(tmp_path / "lake")

    async def scenario(one: RedisServer, other: RedisServer) -> Counter[str]:
        async with SimulatedExchange(market()) as exchange:
            settings = with_log(settings_for(exchange), lease_seconds=3.0)
            async with capturing(one, settings), storing(one, lake, settings):
                await all_stored(lake, exchange)
                async with storing(other, lake, settings):
                    await until(lambda: "a lake has one log" in caplog.text)
                    before = token(lake)
                    await asyncio.sleep(3.0)
                    assert token(lake) - before <= 4
                await all_stored(lake, exchange, 300)
            return Counter(differences(lake, exchange))

    with redis_server(tmp_path / "one") as one, redis_server(tmp_path / "other") as other:
        found = asyncio.run(scenario(one, other))
    assert found.pop("right") > 100
    assert found == CLEAN


def test_a_store_ends_in_time_where_redis_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And says in the lake that it has ended; nothing is called lost that waits in the log."""
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings, short = settings_for(exchange), replace(FAST, last_flush=4.0)
            async with capturing(server, settings):
                async with storing(server, lake, settings, timing=short):
                    await all_stored(lake, exchange)
                    server.process.send_signal(signal.SIGSTOP)
                server.process.send_signal(signal.SIGCONT)

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
    assert "waits for the next store" in caplog.text
    assert "in memory could not be stored" not in caplog.text
    told = rows_of(lake, "SELECT value FROM service_status WHERE key = 'collector'")
    assert json.loads(str(told[0][0]))["state"] == "stopped"


def test_only_one_process_touches_files_until_it_has_ended(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with RollTurn(lake) as first, RollTurn(lake) as second:
        assert first.is_ours()
        assert not second.is_ours()
        assert first.is_ours()
    with RollTurn(lake) as third:
        assert third.is_ours()


def test_a_lake_that_is_locked_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a store leaves it that sleeps in the middle of a transaction."""
    lake = Lake(tmp_path / "lake")
    monkeypatch.setattr("spreadlake.lake.databases.connections.BUSY_MS", 100)

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = with_log(settings_for(exchange), lease_seconds=1.0)
            with closing(open_ticks_writer(lake)) as sleeping:
                sleeping.execute("BEGIN IMMEDIATE")
                async with storing(server, lake, settings), capturing(server, settings):
                    await until(lambda: "cannot be written now" in caplog.text)
                    sleeping.execute("ROLLBACK")
                    await all_stored(lake, exchange)

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))


def test_a_lake_that_a_collector_writes_takes_no_store_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with collecting(lake, settings):
                with pytest.raises(LakeError, match=r"already has a collector running.*beside it"):
                    async with storing(server, lake, settings) as store:
                        await store
            async with storing(server, lake, settings), capturing(server, settings):
                await all_stored(lake, exchange)
                with pytest.raises(LakeError, match="already has a collector running"):
                    async with collecting(lake, settings):
                        pass

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
