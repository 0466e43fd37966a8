"""Who has the lease, and who has it no more: without any lake."""

import asyncio
from pathlib import Path

import pytest

from collector.broker.lease import Lease, LeaseLostError, Owner
from collector.broker.server import Server
from spreadlake.config import load_settings
from tests.collector.broker.servers import RedisServer, redis_server

LAKE = Owner("a-lake", "somewhere")
LONG = 600.0


def test_a_lease_that_is_gone_is_taken_again_unless_another_had_it_since(tmp_path: Path) -> None:
    async def play(redis: RedisServer) -> None:
        server = Server(redis.url, load_settings(None).redis)
        first, second = Lease(server, LONG), Lease(server, LONG)
        try:
            assert await first.acquire(0, "")
            await first.own(LAKE)
            assert not await second.acquire(0, LAKE.id)
            redis.client.delete(server.names.lease)
            await first.own(LAKE)
            assert not await second.acquire(0, LAKE.id), "it was taken again"
            redis.client.delete(server.names.lease)
            assert await second.acquire(0, LAKE.id)
            assert second.token > first.token
            await first.release()
            assert redis.client.exists(server.names.lease), "it was another's"
            await second.release()
            assert not redis.client.exists(server.names.lease)
            with pytest.raises(LeaseLostError):
                await first.own(LAKE)
            assert not redis.client.exists(server.names.lease)
        finally:
            await server.close()

    with redis_server(tmp_path / "redis") as redis:
        asyncio.run(play(redis))


def test_a_token_is_greater_than_what_the_lake_has_seen(tmp_path: Path) -> None:
    """Also by a Redis that lost its own, or never had any."""

    async def play(redis: RedisServer) -> None:
        server = Server(redis.url, load_settings(None).redis)
        lease = Lease(server, LONG)
        try:
            assert await lease.acquire(41, LAKE.id)
            assert lease.token == 42
        finally:
            await server.close()

    with redis_server(tmp_path / "redis") as redis:
        asyncio.run(play(redis))
