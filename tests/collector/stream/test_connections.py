"""Connections: what is retried, what is fatal, how fast, and how they are replaced."""

import asyncio
import ssl
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus, InvalidURI
from websockets.http11 import Response

from collector.network.failures import explain, is_fatal, retry_after
from collector.network.proxies import is_local
from collector.stream.connection_groups import symbols_per_connection
from simulator import (
    Drop,
    DropAfterAccept,
    Faults,
    RefuseHandshake,
    SimulatedExchange,
    Tamper,
    When,
)
from spreadlake import binance
from spreadlake.backoff import Backoff
from spreadlake.errors import ExchangeError
from spreadlake.lake import Lake
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    all_caught_up,
    collecting,
    counter,
    differences,
    market,
    settings_for,
    ticks,
    until,
)

RETRY, FATAL = False, True


def status(code: int) -> InvalidStatus:
    return InvalidStatus(Response(code, "", Headers()))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (status(400), FATAL),
        (status(401), FATAL),
        (status(403), FATAL),
        (status(404), FATAL),
        (status(451), FATAL),
        (status(408), RETRY),
        (status(418), RETRY),
        (status(429), RETRY),
        (status(500), RETRY),
        (status(503), RETRY),
        (InvalidURI("x", "no address"), FATAL),
        (ssl.SSLCertVerificationError("bad"), FATAL),
        (ssl.SSLError("reset"), RETRY),
        (ConnectionRefusedError(), RETRY),
        (TimeoutError(), RETRY),
        (OSError("no such host"), RETRY),
        (ConnectionClosedError(None, None), RETRY),
        (EOFError(), RETRY),
    ],
)
def test_what_is_retried_and_what_is_fatal(error: Exception, expected: bool) -> None:
    assert is_fatal(error, binance, worked=False) is expected
    assert is_fatal(error, binance, worked=True) is RETRY
    assert explain(error, binance)


def test_backoff_doubles_with_jitter_up_to_its_cap() -> None:
    backoff = Backoff(0.5, 30.0, Random(1))
    delays = [backoff.next() for _ in range(40)]
    steps = [min(30.0, 0.5 * 2**i) for i in range(40)]
    assert all(step / 2 <= delay <= step for delay, step in zip(delays, steps, strict=True))
    assert len(set(delays)) == 40
    backoff.reset()
    assert backoff.next() <= 0.5


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("ws://127.0.0.1:9000/market", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
        ("wss://fstream.binance.com", False),
        ("http://10.0.0.1", False),
    ],
)
def test_no_proxy_leads_to_this_machine(url: str, local: bool) -> None:
    assert is_local(url) is local


def test_an_exchange_that_says_how_long_to_wait_is_heeded() -> None:
    asking = InvalidStatus(Response(429, "", Headers({"Retry-After": "17"})))
    assert retry_after(asking, binance) == 17.0
    assert retry_after(status(503), binance) == retry_after(TimeoutError(), binance) == 0.0


def test_symbols_are_spread_evenly() -> None:
    symbols = [f"S{i}" for i in range(450)]
    groups = symbols_per_connection(symbols, 200)
    assert [len(group) for group in groups] == [150, 150, 150]
    assert sorted(s for group in groups for s in group) == sorted(symbols)


def test_streams_that_do_not_fit_into_the_address_are_subscribed_to() -> None:
    symbols = [f"LONGSYMBOL{i}USDT" for i in range(1024)]
    subscription = binance.subscription("wss://x", symbols, "aggTrade")
    assert len(subscription.url) < 8_000
    asked = subscription.url.split("streams=")[1].split("/")
    assert len(asked) + sum(message.count("@aggTrade") for message in subscription.messages) == 1024
    assert len(subscription.messages) <= 8


async def stay(_: FakeServer, connection: ServerConnection) -> None:
    await connection.wait_closed()


def test_a_refused_route_is_fatal_and_says_what_to_do(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            fake_server(stay, status=404) as fake,
            collecting(Lake(tmp_path), settings_for(fake)) as task,
        ):
            await task

    with pytest.raises(ExchangeError, match=r"HTTP 404: .*check exchange\.ws_url"):
        asyncio.run(scenario())


def test_all_symbols_come_though_they_need_subscriptions(tmp_path: Path) -> None:
    async def echo_subscriptions(fake: FakeServer, connection: ServerConnection) -> None:
        async for message in connection:
            fake.messages.append(str(message))
            await connection.send('{"result":null,"id":1}')

    async def scenario() -> None:
        async with fake_server(echo_subscriptions) as fake:
            symbols = [f"LONGSYMBOL{i}USDT" for i in range(400)]
            settings = settings_for(fake, streams_per_connection=400)
            settings = settings.model_copy(update={"symbols": symbols})
            async with collecting(Lake(tmp_path), settings):
                await until(lambda: sum(m.count("@aggTrade") for m in fake.messages) > 200)
            assert len(fake.paths) == 1

    asyncio.run(scenario())


def test_a_server_that_accepts_and_drops_is_not_hammered(tmp_path: Path) -> None:
    connected = []

    async def send_one_and_drop(fake: FakeServer, connection: ServerConnection) -> None:
        connected.append(time.monotonic())
        fake.sent += 1
        await connection.send(frame(fake.sent))

    async def scenario() -> None:
        async with (
            fake_server(send_one_and_drop) as fake,
            collecting(Lake(tmp_path), settings_for(fake)),
        ):
            await until(lambda: len(connected) > 7)

    asyncio.run(scenario())
    # Each is at least half of its step later than the one before it, on any machine.
    steps = [min(FAST.backoff_cap, FAST.backoff_first * 2**i) for i in range(7)]
    waited = [after - before for before, after in pairwise(connected[:8])]
    assert all(wait >= step / 2 for wait, step in zip(waited, steps, strict=True))


def test_connections_are_replaced_in_time_without_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, connection_hours=1 / 3600)
            async with collecting(lake, settings, replace(FAST, overlap=3.0, disorder=10.0)):
                await until(lambda: counter(lake, "duplicates") > 20)
            assert counter(lake, "gaps") == 0
            assert counter(lake, "reconnects") == 0
            assert rows_of(lake, "SELECT * FROM gaps") == []
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 20
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_a_timeout_drops_and_refusals_are_survived(tmp_path: Path) -> None:
    faults = Faults(
        [
            RefuseHandshake(503, when=When(times=2)),
            DropAfterAccept(when=When(connection=1)),
            Drop(when=When(frame=50)),
            RefuseHandshake(429, when=When(frame=45)),
            Drop(reset=False, code=1001, when=When(frame=120)),
            Tamper("huge", when=When(frame=200)),
            # Even a refusal that is fatal at the start passes once trades have come.
            Drop(when=When(frame=260)),
            RefuseHandshake(403, when=When(frame=255)),
        ]
    )

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: not faults.pending)
                await all_caught_up(lake, exchange)
            assert counter(lake, "reconnects") >= 4
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 100
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_a_half_open_connection_is_noticed(tmp_path: Path) -> None:
    """The server's machine is gone: no data and no pongs come, and no end of the connection."""

    async def never_answer(fake: FakeServer, connection: ServerConnection) -> None:
        if len(fake.paths) == 1:
            connection.transport.pause_reading()
            await until(lambda: len(fake.paths) > 1)
            return
        for trade_id in range(1, 50):
            await connection.send(frame(trade_id))
        await connection.wait_closed()

    async def scenario() -> None:
        lake = Lake(tmp_path)
        pinging = replace(FAST, ping_interval=1.0)
        async with (
            fake_server(never_answer) as fake,
            collecting(lake, settings_for(fake, silence_seconds=3600), pinging),
        ):
            await until(lambda: ticks(lake) == 49)

    asyncio.run(scenario())


def test_a_connection_that_brings_trades_and_no_pong_goes_on(tmp_path: Path) -> None:
    """A pong comes after the trades that were sent before it, however many there are."""

    async def no_pong(fake: FakeServer, connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        while True:
            fake.sent += 1
            await connection.send(frame(fake.sent))
            await asyncio.sleep(0.02)

    async def scenario() -> None:
        lake = Lake(tmp_path)
        pinging = replace(FAST, ping_interval=0.5)
        async with fake_server(no_pong) as fake, collecting(lake, settings_for(fake), pinging):
            await until(lambda: ticks(lake) > 150)  # of 3 s and more
            assert len(fake.paths) == 1

    asyncio.run(scenario())
