"""Which captures are there, by the signs of life that they leave in the log."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from collector.broker import registry
from collector.broker.registry import Captures
from collector.broker.server import Server
from spreadlake.config import load_settings
from tests.collector.broker.servers import RedisServer, redis_server


def test_a_capture_is_there_whose_sign_changes_and_is_forgotten_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was killed says nothing of it; whatever its clock said counts for nothing."""
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(registry, "time", SimpleNamespace(monotonic=lambda: clock.now))

    async def play(redis: RedisServer) -> None:
        server = Server(redis.url, load_settings(None).redis)
        captures, key = Captures(), server.names.captures

        def sign(name: str, beat: int) -> None:
            redis.client.hset(key, name, json.dumps({"connections": 2, "beat": beat}))

        async def after(seconds: float) -> set[str]:
            clock.now += seconds
            return set(await captures.look(server))

        try:
            sign("killed", 1)
            sign("lives", 1)
            assert await after(0) == {"killed", "lives"}
            assert await after(10) == {"killed", "lives"}, "it may be late"
            sign("lives", 2)
            assert await after(10) == {"lives"}
            sign("lives", 3)
            assert await after(500) == {"lives"}
            assert redis.client.hexists(key, "killed")
            sign("lives", 4)
            assert await after(200) == {"lives"}
            assert redis.client.hkeys(key) == [b"lives"]
            sign("killed", 5)
            assert await after(1) == {"killed", "lives"}, "it was started again"
        finally:
            await server.close()

    with redis_server(tmp_path / "redis") as redis:
        asyncio.run(play(redis))
