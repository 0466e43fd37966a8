"""WebSocket routes and limits, with a real client."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from simulator import Limits, SimulatedExchange, SyntheticMarket
from spreadlake.binance.decode import FrameDecoder, MarketTrade
from tests.simulator.clients import (
    DEADLINE,
    SYMBOLS,
    combined,
    decoded,
    get,
    opened,
    request,
    silent,
    take,
    until,
)

BTC, ETH = "btcusdt@aggTrade", "ethusdt@aggTrade"


def exchange(limits: Limits | None = None, speed: float = 20.0) -> SimulatedExchange:
    return SimulatedExchange(SyntheticMarket(1, SYMBOLS), speed=speed, limits=limits)


def test_combined_frames_carry_every_trade_of_each_symbol() -> None:
    async def scenario() -> None:
        async with exchange() as served, opened(served, combined(*SYMBOLS)) as client:
            frames = await take(client, 200)
            trades = decoded(frames)
            for frame in frames:
                value = json.loads(frame)
                assert list(value) == ["stream", "data"]
                assert value["stream"] == f"{value['data']['s'].lower()}@aggTrade"
                assert 0 < value["data"]["E"] - value["data"]["T"] < 20
            for symbol in SYMBOLS:
                ids = [trade.trade_id for trade in trades if trade.symbol == symbol]
                assert ids == list(range(ids[0], ids[0] + len(ids)))
                assert len(ids) > 20
            times = [trade.time_ms for trade in trades]
            assert times == sorted(times)

    asyncio.run(scenario())


@pytest.mark.parametrize("route", [f"/market/ws/{BTC}", f"/market/ws/{BTC}/{ETH}"])
def test_bare_routes_carry_the_events_alone(route: str) -> None:
    async def scenario() -> None:
        async with exchange() as served, opened(served, route) as client:
            events = [json.loads(frame) for frame in await take(client, 200)]
            assert {event["e"] for event in events} == {"aggTrade"}
            assert {event["s"] for event in events} == {s for s in SYMBOLS if s.lower() in route}

    asyncio.run(scenario())


@pytest.mark.parametrize("route", ["/market/ws", "/market/stream"])
def test_subscribe_is_acknowledged_before_the_first_frame(route: str) -> None:
    async def scenario() -> None:
        async with exchange() as served, opened(served, route) as client:
            await client.send(json.dumps({"method": "SUBSCRIBE", "params": [ETH], "id": 4}))
            [reply, *frames] = await take(client, 11)
            assert json.loads(reply) == {"result": None, "id": 4}
            assert {trade.symbol for trade in decoded(frames)} == {"ETHUSDT"}
            assert ("stream" in json.loads(frames[0])) == route.endswith("stream")
            await request(client, {"method": "UNSUBSCRIBE", "params": [ETH], "id": 5})
            assert await silent(client)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "route",
    [
        f"/stream?streams={BTC}",
        f"/ws/{BTC}",
        "/market/stream?streams=BTCUSDT@aggTrade",
        "/market/stream?streams=btcusdt@aggtrade",
        "/market/stream?streams=nopeusdt@aggTrade",
        "/market/ws/btcusdt@bookTicker",
        "/market/ws/btcusdt@trade",
        "/market/stream?streams=btcusdt@trade/ethusdt@trade",
        f"/public/stream?streams={BTC}/{ETH}",
        f"/private/ws/{BTC}",
    ],
)
def test_routes_that_stay_silent(route: str) -> None:
    """Streams of another route, and names that no stream has, are accepted and send nothing."""

    async def scenario() -> None:
        async with (
            exchange() as served,
            opened(served, combined("BTCUSDT")) as witness,
            opened(served, route) as client,
        ):
            if not route.startswith("/market"):
                reply = await request(client, {"method": "SUBSCRIBE", "params": [ETH], "id": 1})
                assert reply == {"result": None, "id": 1}
            await take(witness, 100)
            assert await silent(client)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "route",
    ["/public/stream?streams=btcusdt@trade", "/public/ws/btcusdt@trade", "/ws/btcusdt@trade"],
)
def test_single_trades_come_on_the_public_route(route: str) -> None:
    """Which is also the one of an address without a route."""

    async def scenario() -> None:
        async with exchange() as served, opened(served, route) as one:
            decoder = FrameDecoder("trade")
            events = [decoder.decode(frame) for frame in await take(one, 20)]
            assert all(isinstance(event, MarketTrade) for event in events)

    asyncio.run(scenario())


def test_a_subscription_by_message_follows_the_route_too() -> None:
    async def scenario() -> None:
        async with exchange() as served, opened(served, "/public/ws") as client:
            both = {"method": "SUBSCRIBE", "params": [BTC, "ethusdt@trade"], "id": 1}
            assert await request(client, both) == {"result": None, "id": 1}
            events = [json.loads(frame)["e"] for frame in await take(client, 100)]
            assert set(events) == {"trade"}

    asyncio.run(scenario())


@pytest.mark.parametrize("path", ["/", "/market/other", "/nothing?streams=a@b"])
def test_unknown_routes_are_not_found(path: str) -> None:
    async def scenario() -> None:
        async with exchange() as served:
            with pytest.raises(InvalidStatus) as refused:
                await connect(served.ws_url + path)
            assert refused.value.response.status_code == 404
            assert (await get(served, path)).status_code == 404

    asyncio.run(scenario())


def test_two_clients_get_what_each_asked_for_and_the_status_counts_it() -> None:
    async def scenario() -> None:
        async with (
            exchange() as served,
            opened(served, combined("BTCUSDT")) as one,
            opened(served, combined(*SYMBOLS)) as both,
        ):
            assert {t.symbol for t in decoded(await take(one, 50))} == {"BTCUSDT"}
            assert {t.symbol for t in decoded(await take(both, 200))} == set(SYMBOLS)
            status = (await get(served, "/simulator/status")).json()
            assert status["connections"] == 2
            assert status["frames_sent"] > sum(status["trades_sent"].values())
            assert set(status["last"]) == set(SYMBOLS)
            assert status["finished"] is False
            assert status["clock_ms"] <= served.clock_ms()

    asyncio.run(scenario())


def test_market_goes_on_where_it_was_after_a_restart() -> None:
    async def scenario() -> None:
        async with exchange() as served, opened(served, combined("BTCUSDT")) as client:
            last = decoded(await take(client, 30))[-1]
        restarted = SimulatedExchange(
            SyntheticMarket(1, SYMBOLS), speed=20.0, start_ms=last.time_ms + 60_000
        )
        async with restarted as again, opened(again, combined("BTCUSDT")) as client:
            first = decoded(await take(client, 1))[0]
            rows: list[dict[str, Any]] = []
            while not rows or rows[-1]["a"] < first.trade_id:
                next_id = rows[-1]["a"] + 1 if rows else last.trade_id
                path = f"/fapi/v1/aggTrades?symbol=BTCUSDT&fromId={next_id}&limit=1000"
                rows += (await get(again, path)).json()
            rows = [row for row in rows if row["a"] <= first.trade_id]
            assert [row["a"] for row in rows] == list(range(last.trade_id, first.trade_id + 1))
            assert (float(rows[0]["p"]), rows[0]["T"]) == (last.price, last.time_ms)
            assert (float(rows[-1]["p"]), rows[-1]["T"]) == (first.price, first.time_ms)

    asyncio.run(scenario())


def test_too_many_messages_end_the_connection() -> None:
    async def scenario() -> None:
        async with exchange() as served, opened(served, "/market/ws") as client:
            for number in range(11):
                await client.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            await take(client, 10)
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(client.recv(), DEADLINE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008

    asyncio.run(scenario())


def test_too_many_streams_end_the_connection() -> None:
    async def scenario() -> None:
        names = "/".join(f"s{n}usdt@aggTrade" for n in range(4))
        async with (
            exchange(Limits(streams_per_connection=3)) as served,
            opened(served, f"/market/stream?streams={names}") as client,
        ):
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(client.recv(), DEADLINE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008

    asyncio.run(scenario())


def test_a_connection_ends_at_its_age() -> None:
    async def scenario() -> None:
        async with (
            exchange(Limits(connection_seconds=0.1)) as served,
            opened(served, "/market/ws") as client,
        ):
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(client.recv(), DEADLINE)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            await until(lambda: served.status()["connections"] == 0)

    asyncio.run(scenario())


def test_a_client_that_never_answers_pings_is_dropped() -> None:
    async def scenario() -> None:
        limits = Limits(ping_interval=0.05, ping_timeout=0.05)
        async with exchange(limits) as served, opened(served, "/market/ws") as client:
            client.transport.pause_reading()
            await until(lambda: served.status()["connections"] == 0)
        async with exchange(limits) as served, opened(served, combined("BTCUSDT")) as client:
            assert len(await take(client, 100)) == 100

    asyncio.run(scenario())


def test_a_client_that_does_not_read_is_cut_off_and_others_are_not() -> None:
    async def scenario() -> None:
        limits = Limits(write_buffer=100_000)
        async with (
            exchange(limits, speed=2000.0) as served,
            opened(served, combined(*SYMBOLS)) as slow,
        ):
            slow.transport.pause_reading()
            async with opened(served, combined(*SYMBOLS)) as quick:
                while served.status()["connections"] > 1:
                    await take(quick, 100)
                assert len(await take(quick, 100)) == 100

    asyncio.run(scenario())
