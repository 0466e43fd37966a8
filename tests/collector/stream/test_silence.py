"""Silence is a fault where the exchange trades on, and none where it does not."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from collector.stream.silence import SilenceDetector
from simulator import Faults, SimulatedExchange, Stall, Tamper, When
from spreadlake.config import Settings
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
    more_ticks,
    settings_for,
    ticks,
    until,
)

LOUD = {"silence_seconds": 0.5}


def of_kind(settings: Settings, kind: str) -> Settings:
    exchange = settings.exchange.model_copy(update={"trades": kind})
    return settings.model_copy(update={"exchange": exchange})


def detector_of(*symbols: str) -> SilenceDetector:
    return SilenceDetector(symbols, least=30.0, now=0.0)


def test_each_symbol_is_judged_by_its_own_rhythm() -> None:
    detector = detector_of("BUSY", "RARE")
    for second in range(1, 3001):
        detector.observe({"BUSY": 5}, second)
        if second % 100 == 0:
            detector.observe({"RARE": 1}, second)
    assert detector.silent(["BUSY", "RARE"], 0.0, 3029.0) == []
    assert detector.silent(["BUSY", "RARE"], 0.0, 3031.0) == ["BUSY"]
    assert detector.silent(["BUSY", "RARE"], 0.0, 5500.0) == ["BUSY", "RARE"]


def test_a_new_connection_gets_its_time() -> None:
    detector = detector_of("BUSY")
    assert detector.silent(["BUSY"], 100.0, 129.0) == []
    assert detector.silent(["BUSY"], 100.0, 131.0) == ["BUSY"]


def test_questions_become_rarer_until_a_trade_comes() -> None:
    detector = detector_of("RARE")
    asked_at = []
    for second in range(1000):
        if detector.silent(["RARE"], 0.0, second):
            detector.questioned("RARE", second)
            asked_at.append(second)
    assert asked_at == [31, 61, 121, 241, 481, 961]
    detector.observe({"RARE": 100}, 1000.0)
    assert detector.silent(["RARE"], 0.0, 1000.0 + 201.0) == ["RARE"]


def test_silence_of_our_own_making_does_not_count() -> None:
    detector = detector_of("BUSY")
    detector.ignore_until(100.0)
    assert detector.silent(["BUSY"], 0.0, 129.0) == []


def test_the_most_active_symbols_speak_for_a_connection() -> None:
    detector = detector_of("NEVER", "RARE", "BUSY")
    detector.observe({"BUSY": 100, "RARE": 1}, 50.0)
    assert detector.most_active(["NEVER", "RARE", "BUSY"], 2) == ["BUSY", "RARE"]
    assert detector.allowed_connection_silence(["NEVER", "RARE", "BUSY"]) == 30.0


@pytest.mark.parametrize(("kind", "route"), [("aggTrade", "/market"), ("trade", "/public")])
def test_a_route_that_accepts_and_stays_silent_is_named_and_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, route: str
) -> None:
    """As the exchange's routes do with a stream that comes on another one."""

    async def acknowledge_only(_: FakeServer, connection: ServerConnection) -> None:
        await connection.send('{"result":null,"id":1}')
        await connection.wait_closed()

    async def scenario() -> None:
        async with fake_server(acknowledge_only) as fake:
            async with collecting(Lake(tmp_path), of_kind(settings_for(fake, **LOUD), kind)):
                await until(lambda: len(fake.paths) >= 3)
            assert all(path.startswith(f"{route}/stream?streams=") for path in fake.paths)

    asyncio.run(scenario())
    assert "no trade of BTCUSDT, ETHUSDT, SOLUSDT" in caplog.text
    assert "check that exchange.ws_url is the exchange's own address" in caplog.text
    assert f"{kind} comes on {route} alone" in caplog.text


@pytest.mark.parametrize("kind", ["aggTrade", "trade"])
def test_each_kind_of_trades_is_captured_by_its_route(tmp_path: Path, kind: str) -> None:
    """From an exchange that acknowledges a stream on the wrong route and stays silent."""

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, of_kind(settings_for(exchange), kind)),
        ):
            await until(lambda: ticks(lake) > 100)

    asyncio.run(scenario())
    assert rows_of(Lake(tmp_path), "SELECT value FROM meta WHERE key = 'trade_kind'") == [(kind,)]


def test_a_stalled_connection_is_replaced_and_its_trades_repaired(tmp_path: Path) -> None:
    faults = Faults([Stall(60.0, when=When(frame=100))])

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange, silence_seconds=0.7)):
                await until(lambda: counter(lake, "reconnects") >= 1)
                await more_ticks(lake, 200)
                await all_caught_up(lake, exchange)
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 200
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_one_silent_symbol_among_others_is_named_and_repaired(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    silent = When(frame=100, symbol="ETHUSDT", connection=1, lasting=3600)
    faults = Faults([Tamper("lost", when=silent)])

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(), faults=faults) as exchange:
            # All of them may be late for a moment on a busy machine, and that is another fault.
            async with collecting(lake, settings_for(exchange, silence_seconds=2.0)):
                await until(lambda: "ETHUSDT trades, but its stream is silent" in caplog.text)
                await until(lambda: counter(lake, "reconnects") >= 1)
                await more_ticks(lake, 200)
                await all_caught_up(lake, exchange)
            assert rows_of(lake, "SELECT DISTINCT symbol FROM gaps WHERE cause = 'silence'")
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 200
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


async def asked(lake: Lake, times: int) -> None:
    requests = counter(lake, "rest_requests")
    await until(lambda: counter(lake, "rest_requests") >= requests + times)


def test_an_exchange_that_trades_nothing_is_no_fault(tmp_path: Path) -> None:
    """As at the end of a recording: REST has nothing newer either, before and after a restart."""

    async def scenario() -> None:
        lake = Lake(tmp_path)
        source = market()
        # All that was sent is stored within this time, whatever else the machine does.
        unhurried = replace(FAST, disorder=2.0)
        async with SimulatedExchange(source, start_ms=10**12, end_ms=10**12 + 1000) as exchange:
            async with collecting(lake, settings_for(exchange, silence_seconds=1.0), unhurried):
                await exchange.finished()
                await asked(lake, 2)
            async with collecting(lake, settings_for(exchange, silence_seconds=0.3)):
                await asked(lake, 4)
            assert counter(lake, "reconnects") == 0
            assert ticks(lake) > 0

    asyncio.run(scenario())


def test_illiquid_symbols_are_left_alone(tmp_path: Path) -> None:
    async def one_trade_each(_: FakeServer, connection: ServerConnection) -> None:
        for trade_id in range(100_000):
            await connection.send(frame(trade_id))
            await asyncio.sleep(0.02)

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with fake_server(one_trade_each) as fake:
            async with collecting(lake, settings_for(fake, silence_seconds=3.0)):
                # At the start all symbols together, and then each of the two that are silent.
                await until(lambda: counter(lake, "rest_requests") >= 3)
            assert len(fake.paths) == 1

    asyncio.run(scenario())
