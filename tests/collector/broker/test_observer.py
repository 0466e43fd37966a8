"""What a store knows of its log and of the captures: what is missing is told, and nothing old."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from collector.broker import observer
from collector.broker.registry import uncarried
from simulator import SimulatedExchange
from spreadlake.lake import Lake
from tests.collector.broker.servers import RedisServer, capturing, redis_server, storing
from tests.collector.lakes import rows_of
from tests.collector.live import has_ticks, market, settings_for, until

CAPTURES = "spreadlake:captures"


def told(lake: Lake) -> dict[str, Any]:
    """What the store of `lake` said last of its log."""
    if not has_ticks(lake):
        return {}
    rows = rows_of(lake, "SELECT value FROM service_status WHERE key = 'collector'")
    said: dict[str, Any] = json.loads(str(rows[0][0]))["log"] if rows else {}
    return said


@pytest.mark.parametrize(
    ("captures", "lacking"),
    [
        ({}, ["A", "B", "C"]),
        ({"1": ["A", "C"]}, ["B"]),
        ({"1": ["A", "B"], "2": ["B", "C"]}, []),
        ({"1": ["A"], "2": ["B", "X"]}, ["C"]),
        ({"1": ["A"], "of before": None}, None),
    ],
)
def test_who_is_carried_by_nobody(
    captures: dict[str, list[str] | None], lacking: list[str] | None
) -> None:
    """Shares may overlap; a symbol is lacking where none of them has it."""
    signs = {name: {} if of is None else {"carries": of} for name, of in captures.items()}
    assert uncarried(["C", "A", "B"], signs) == lacking


def test_a_share_that_nobody_carries_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    monkeypatch.setattr(observer, "_BEGINS_SECONDS", 0.5)

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with storing(server, lake, settings), capturing(server, settings, shard="1/2"):
                await until(lambda: told(lake).get("uncarried") == 1)
                assert told(lake)["uncarried_names"] == "ETHUSDT"
                await until(lambda: "no capture carries ETHUSDT" in caplog.text)
                async with capturing(server, settings, shard="2/2"):
                    await until(lambda: told(lake).get("uncarried") == 0)
                # It said that it ends, so it is known at once.
                await until(lambda: told(lake).get("uncarried") == 1)

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))


def test_signs_that_no_capture_left_are_passed_over(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            for name, sign in {
                b"\xff": "no JSON", "number": "5", "other": '{"connections": "many"}',
                "deep": '{"sessions": [1]}', "later": '{"of": "a version to come", "waiting": 2}',
            }.items():  # fmt: skip
                server.client.hset(CAPTURES, name, sign)
            server.client.set("spreadlake:symbols", "nonsense")
            async with storing(server, lake, settings), capturing(server, settings):
                await until(lambda: len(told(lake).get("captures", {})) == 2)
                assert "later" in told(lake)["captures"]

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))


def test_while_redis_is_away_nothing_is_said_of_the_log(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            async with storing(server, lake, settings), capturing(server, settings):
                await until(lambda: told(lake).get("captures"))
                assert told(lake)["reachable"] is True
                server.kill()
                await until(lambda: told(lake)["reachable"] is False and "lag" not in told(lake))
                assert told(lake).keys() == {"max_bytes", "token", "trouble", "reachable"}
                server.start()
                await until(lambda: told(lake)["reachable"] and told(lake).get("captures"))

    with redis_server(tmp_path / "redis") as server:
        asyncio.run(scenario(server))
