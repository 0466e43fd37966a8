"""Redis is away, or takes nothing, for a whole minute; or somebody spoils the log.

Nothing is missing in the end, nothing is there twice, and it is told while it lasts.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import redis

from simulator import SimulatedExchange
from spreadlake.lake import Lake
from tests.collector.broker.servers import STREAM, RedisServer
from tests.collector.broker.test_log import through
from tests.collector.broker.test_observer import told
from tests.collector.lakes import rows_of
from tests.collector.live import until

MINUTE = 61.0
Trouble = Callable[[RedisServer, Lake, SimulatedExchange], Awaitable[None]]


async def dead(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    server.kill()
    await asyncio.sleep(MINUTE)
    assert told(lake)["reachable"] is False
    server.start()


async def silent(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """It takes connections and says nothing, as behind a firewall that drops."""
    with server.frozen():
        await asyncio.sleep(MINUTE)
        assert told(lake)["reachable"] is False


async def full(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    server.client.config_set("maxmemory", "1")
    await asyncio.sleep(MINUTE)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        server.client.set("x", "y")
    # Captures can tell of themselves all the same.
    assert told(lake)["captures"]
    assert told(lake)["uncarried"] == 0
    server.client.config_set("maxmemory", "0")


@pytest.mark.soak
@pytest.mark.parametrize("trouble", [dead, silent, full])
def test_redis_is_away_for_a_minute(
    tmp_path: Path, trouble: Trouble, caplog: pytest.LogCaptureFixture
) -> None:
    lake, _ = through(tmp_path, trouble, "--maxmemory-policy", "noeviction")
    assert "trades cannot be published" in caplog.text
    # What a capture holds for a minute needs nobody to fetch it.
    assert rows_of(lake, "SELECT * FROM gaps WHERE state != 'repaired'") == []


async def group_deleted(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    for _ in range(5):
        server.client.xgroup_destroy(STREAM, "store")
        await asyncio.sleep(0.2)


async def moved_to_the_end(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """What is not read yet is passed over, and fetched."""
    for _ in range(20):
        server.client.xgroup_setid(STREAM, "store", "$")
        await asyncio.sleep(0.05)


async def trimmed(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    for _ in range(20):
        server.client.xtrim(STREAM, maxlen=0, approximate=False)
        await asyncio.sleep(0.05)


async def deleted(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    for _ in range(5):
        server.client.delete(STREAM)
        await asyncio.sleep(0.2)


async def of_the_wrong_type(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """Of the keys beside the trades: what they said comes back, or is not missed."""
    for key in ("spreadlake:symbols", "spreadlake:captures", "spreadlake:dropped"):
        server.client.delete(key)
        server.client.lpush(key, "x")
    await until(lambda: "lag" not in told(lake))
    server.client.delete("spreadlake:captures")
    await until(lambda: told(lake).get("captures"))


async def no_numbers(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """Where counts are kept there is something else."""
    server.client.hset("spreadlake:dropped", mapping={"trades": "many", "told": "\xff"})
    server.client.set("spreadlake:lease:tokens", "one")
    server.client.hset("spreadlake:captures", "deep", "[" * 20_000)
    server.client.hset("spreadlake:captures", "no text", b'{"pid": 1, "a": "\xff\xd0"}')
    server.client.set("spreadlake:symbols", b'["\xff\xd0"]')
    server.client.delete("spreadlake:lease")
    await until(lambda: server.client.get("spreadlake:lease:tokens") != b"one")
    await until(lambda: told(lake).get("captures"))


async def beside(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """Somebody else's group, that never acknowledges."""
    server.client.xgroup_create(STREAM, "other", "0")
    for _ in range(5):
        server.client.xreadgroup("other", "one", {STREAM: ">"}, count=100)
        await asyncio.sleep(0.1)
    server.client.xgroup_destroy(STREAM, "other")


async def stolen(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """A store that was thought dead reads on, and never acknowledges: it holds nothing up."""

    def steal() -> bool:
        return bool(server.client.xreadgroup("store", "store-0", {STREAM: ">"}, count=10))

    await until(steal)
    await until(lambda: server.client.xpending(STREAM, "store")["pending"] == 0)


async def clock_jumped(server: RedisServer, lake: Lake, exchange: SimulatedExchange) -> None:
    """Ids go on from where a clock once was: an entry of tomorrow."""
    last = server.client.xinfo_stream(STREAM)["last-generated-id"]
    of = server.client.get("spreadlake:holds")
    ahead = int(last.partition(b"-")[0]) + 86_400_000
    server.client.xadd(
        STREAM, {"n": 0, "of": of, "b": b"\x97\x01\xa4live\x90\x90\x90\x80\x80"}, id=f"{ahead}-0"
    )


@pytest.mark.parametrize(
    "trouble",
    [
        group_deleted,
        moved_to_the_end,
        trimmed,
        deleted,
        of_the_wrong_type,
        no_numbers,
        beside,
        stolen,
        clock_jumped,
    ],
)
def test_whatever_others_do_to_the_log(tmp_path: Path, trouble: Trouble) -> None:
    through(tmp_path, trouble)
