"""What leaves the log, and what comes again: only what was acknowledged goes."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from collector.broker import scripts
from collector.broker.consumer import LogConsumer, Read
from collector.broker.entry import encoded
from collector.broker.server import Server
from collector.storage.batch import Batch
from spreadlake.config import load_settings
from tests.collector.broker.servers import STREAM, RedisServer, redis_server
from tests.collector.lakes import trades

OF = "trades"
Scenario = Callable[[RedisServer, Server], Awaitable[None]]


def published(server: RedisServer, ids: range) -> list[bytes]:
    """An entry of one trade for each id."""
    return [
        server.client.xadd(STREAM, {"n": number, "b": data, "of": OF})
        for i in ids
        for data, number, _ in encoded(Batch(trades([i])))
    ]


def in_log(server: RedisServer) -> list[bytes]:
    return [number for number, _ in server.client.xrange(STREAM)]


def numbers(entry_id: bytes) -> list[int]:
    return [int(part) for part in entry_id.split(b"-")]


def run(tmp_path: Path, scenario: Scenario) -> None:
    async def whole(server: RedisServer) -> None:
        log = Server(server.url, load_settings(None).redis)
        await log.look(OF)
        try:
            await scenario(server, log)
        finally:
            await log.close()

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(whole(server))


async def all_of(consumer: LogConsumer) -> list[bytes]:
    found: list[bytes] = []
    while not (read := await consumer.read()).caught_up or read.ids:
        found += read.ids
        if read.caught_up:
            break
    return found


def test_only_what_is_acknowledged_leaves_the_log(tmp_path: Path) -> None:
    async def scenario(server: RedisServer, log: Server) -> None:
        dice, consumer = random.Random(5), LogConsumer(log, 1)
        await consumer.read()
        there = published(server, range(150))
        read = await all_of(consumer)
        assert read == there
        later = published(server, range(150, 160))
        left = list(read)
        while left:
            some = dice.sample(left, min(len(left), dice.randint(1, 40)))
            left = [one for one in left if one not in some]
            await consumer.acknowledge(some)
            held = in_log(server)
            # Nothing that is not acknowledged is gone; all before the oldest of these is.
            assert set(left) | set(later) <= set(held)
            assert held[0] == (left or later)[0]
        assert in_log(server) == later

    run(tmp_path, scenario)


def test_the_next_store_gets_what_the_one_before_left(tmp_path: Path) -> None:
    async def scenario(server: RedisServer, log: Server) -> None:
        first, second = LogConsumer(log, 1), LogConsumer(log, 2)
        await first.read()
        there = published(server, range(100))
        assert await all_of(first) == there
        await first.acknowledge(there[:30])
        assert sorted(await all_of(second), key=numbers) == there[30:]
        # What the first still reads is found by looking back.
        late = published(server, range(100, 103))
        assert await all_of(first) != []
        assert await all_of(second) == []
        second.look_back()
        assert set(late) <= set(await all_of(second))

    run(tmp_path, scenario)


def test_entries_that_were_let_go_after_they_were_read_are_passed_over(tmp_path: Path) -> None:
    async def scenario(server: RedisServer, log: Server) -> None:
        consumer = LogConsumer(log, 1)
        await consumer.read()
        there = published(server, range(60))
        assert await all_of(consumer) == there
        names = log.names
        await log.run(scripts.DROP_OLDEST, [names.stream, names.dropped], 4_000, 1_000)
        kept = in_log(server)
        assert 0 < len(kept) < 60
        assert await consumer.dropped_since()
        assert not await consumer.dropped_since()
        consumer.look_back()
        read = await consumer.read()
        assert len(read.batches) == len(kept)
        assert (read.malformed, read.lost) == (0, True)
        await consumer.acknowledge(there)
        assert in_log(server) == []
        look = await consumer.look()
        assert (look.pending, look.lag, look.dropped) == (0, 0, 60 - len(kept))
        # The next store was told of these.
        assert not await LogConsumer(log, 2).dropped_since()

    run(tmp_path, scenario)


def test_a_log_far_beyond_its_bound_is_brought_back_in_small_steps(tmp_path: Path) -> None:
    """Redis does nothing else while a script runs: to measure again and again took a minute."""

    async def scenario(server: RedisServer, log: Server) -> None:
        names, there = log.names, published(server, range(5_000))
        whole = server.client.memory_usage(STREAM, samples=0)
        dropped, steps, bytes_ = 0, 0, whole
        while bytes_ > whole // 4:
            keys = [names.stream, names.dropped]
            bytes_, entries, trades = await log.run(scripts.DROP_OLDEST, keys, whole // 4, 500)
            assert entries == trades <= 500
            dropped, steps = dropped + entries, steps + 1
        assert steps < 12
        assert in_log(server) == there[dropped:]
        # What went is what had to, and a little more.
        assert whole // 5 < server.client.memory_usage(STREAM, samples=0) <= whole // 4
        assert server.client.hget(names.dropped, "trades") == str(dropped).encode()
        assert (await log.run(scripts.DROP_OLDEST, keys, 1, 10**6))[1] == len(there) - dropped - 1
        assert in_log(server) == there[-1:]

    run(tmp_path, scenario)


def test_what_redis_has_forgotten_is_acknowledged_in_vain(tmp_path: Path) -> None:
    async def scenario(server: RedisServer, log: Server) -> None:
        consumer = LogConsumer(log, 1)
        await consumer.read()
        published(server, range(3))
        read = await consumer.read()
        server.client.flushall()
        await consumer.acknowledge(read.ids)
        there = published(server, range(3, 5))
        await consumer.acknowledge(read.ids)
        assert await consumer.read() == Read([], [], 0, caught_up=False, lost=True)
        assert (await consumer.read()).ids in ([], there)
        assert in_log(server) == there

    run(tmp_path, scenario)


def test_ids_that_no_clock_gives_hold_nothing_up(tmp_path: Path) -> None:
    """Somebody chose the id: beyond 2^53 a script cannot count on."""

    async def scenario(server: RedisServer, log: Server) -> None:
        consumer = LogConsumer(log, 1)
        await consumer.read()
        (data, _, _), *_ = encoded(Batch(trades([1])))
        time_ms = (
            server.client.xadd(STREAM, {"n": 1, "b": data, "of": OF}).partition(b"-")[0].decode()
        )
        for number in (2**53 - 1, 2**53 + 1, 2**64 - 1):
            server.client.xadd(STREAM, {"n": 1, "b": data, "of": OF}, id=f"{time_ms}-{number}")
            await consumer.acknowledge(await all_of(consumer))
        there = published(server, range(2))
        assert await all_of(consumer) == there
        await consumer.acknowledge(there)
        assert in_log(server) == []

    run(tmp_path, scenario)


def test_the_log_is_looked_at(tmp_path: Path) -> None:
    async def scenario(server: RedisServer, log: Server) -> None:
        consumer = LogConsumer(log, 1)
        assert await consumer.look() == (0, 0, 0, 0.0, 0, 0)
        await consumer.read()
        published(server, range(100))
        read = await consumer.read()
        look = await consumer.look()
        assert (look.entries, look.pending, look.lag) == (100, len(read.ids), 100 - len(read.ids))
        assert look.bytes == server.client.memory_usage(STREAM, samples=0)
        assert 0 <= look.oldest_seconds < 3600

    run(tmp_path, scenario)


@pytest.mark.parametrize(("version", "option"), [((7, 0, 15), ""), ((8, 2, 0), "ACKED")])
def test_a_server_that_trims_what_is_acknowledged_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], option: str
) -> None:
    asked: list[tuple[object, ...]] = []

    async def scenario(server: RedisServer, log: Server) -> None:
        log.version = version

        async def record(script: str, keys: object, *arguments: object) -> int:
            asked.append(arguments)
            return 0

        monkeypatch.setattr(log, "run", record)
        await LogConsumer(log, 1).acknowledge([b"5-1", b"7-0"])

    run(tmp_path, scenario)
    assert asked == [("store", option, "5-1", "7-0")]
