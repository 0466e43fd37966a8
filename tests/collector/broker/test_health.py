"""The health check of a capture, which has no lake to leave signs of life in."""

import asyncio
from pathlib import Path

import pytest

from collector.capture_health import look
from simulator import SimulatedExchange
from spreadlake.errors import InputError, ServiceError
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from tests.collector.broker.servers import capturing, redis_server
from tests.collector.live import market, settings_for, until
from tests.paths import ROOT


def test_a_capture_is_healthy_while_it_tells_of_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        with redis_server(tmp_path / "redis") as server:
            async with SimulatedExchange(market()) as exchange:
                settings = settings_for(exchange)
                context = ServiceContext(settings, Lake(tmp_path), options={"to": server.url})

                async def told() -> str:
                    try:
                        await asyncio.to_thread(look, context)
                    except ServiceError as error:
                        return str(error)
                    return ""

                assert "no capture on" in await told()
                async with capturing(server, settings):
                    await until(lambda: server.client.hlen("spreadlake:captures"))
                    assert not await told()
                    for name, text in server.client.hgetall("spreadlake:captures").items():
                        server.client.hset("spreadlake:captures", b"elsewhere:1", text)
                        assert name != b"elsewhere:1"
                # It has ended as it was told to; the one of another machine is none of ours.
                assert "no capture on" in await told()
                server.kill()
                assert "cannot be asked" in await told()

    asyncio.run(scenario())


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    context = ServiceContext(settings_for(_Nowhere), Lake(tmp_path), options={"to": "nowhere"})
    with pytest.raises(InputError, match="no address of a Redis server"):
        look(context)


class _Nowhere:
    ws_url = "ws://127.0.0.1:1"
    rest_url = "http://127.0.0.1:1"


def test_it_is_found_by_its_name() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'capture-health = "{look.__module__}:{look.__name__}"' in text
