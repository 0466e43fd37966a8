"""An exchange that answers late, wrongly, in pieces or not at all costs no trade that it has."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from collector.rest import RestClient, RestError, WeightBudget
from simulator import Faults, RestFailure, SimulatedExchange, Stall, Tamper, When
from spreadlake.binance.errors import error_code
from spreadlake.binance.rest import decode_trades
from spreadlake.config import Settings
from spreadlake.lake import Lake
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.lakes import fill, rows_of, trade
from tests.collector.live import (
    FAST,
    collecting,
    counter,
    differences,
    market,
    more_ticks,
    open_gaps,
    settings_for,
    ticks,
    until,
    way,
)


def one_symbol(fake: FakeServer, **collector: object) -> Settings:
    return settings_for(fake, **collector).model_copy(update={"symbols": ["BTCUSDT"]})


def test_a_ban_from_rest_does_not_hide_a_silence(tmp_path: Path) -> None:
    faults = Faults(
        [
            RestFailure("status", status=418, retry_after=3600),
            Stall(3600.0, when=When(frame=100)),
        ]
    )

    async def scenario() -> None:
        lake = Lake(tmp_path)
        impatient = replace(FAST, question=0.2)
        async with (
            SimulatedExchange(market(), faults=faults) as exchange,
            collecting(lake, settings_for(exchange, silence_seconds=0.7), impatient),
        ):
            await until(lambda: counter(lake, "reconnects") >= 1)
            await more_ticks(lake, 100)

    asyncio.run(scenario())


def test_a_refusal_that_is_not_of_the_symbol_loses_nothing(tmp_path: Path) -> None:
    faults = Faults(
        [
            Tamper("lost", when=When(frame=50, symbol="BTCUSDT", times=7)),
            RestFailure("status", status=400, when=When(frame=50, times=3)),
        ]
    )

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: not faults.pending)
                await until(lambda: counter(lake, "repaired_ticks") >= 7 and not open_gaps(lake))
            assert rows_of(lake, "SELECT DISTINCT state FROM gaps") == [("repaired",)]
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 50
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


@pytest.mark.parametrize("behind", [[], [1, 2]])
def test_trades_that_rest_does_not_have_yet_are_waited_for(
    tmp_path: Path, behind: list[int]
) -> None:
    answers = [behind] * 6

    def pages(from_id: int) -> list[int]:
        return answers.pop() if answers else [i for i in range(1, 12) if i >= from_id]

    async def jump(_: FakeServer, connection: ServerConnection) -> None:
        for trade_id in (1, 2, 9):
            await connection.send(frame(trade_id))
        await connection.wait_closed()

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with fake_server(jump) as fake:
            fake.pages = pages
            async with collecting(lake, one_symbol(fake, silence_seconds=3600.0)):
                await until(lambda: ticks(lake) == 9)
        query = "SELECT first_id, last_id, state FROM gaps"
        assert rows_of(lake, query) == [(3, 8, "repaired")]

    asyncio.run(scenario())
    assert answers == []


def test_a_page_fills_every_gap_that_it_reaches(tmp_path: Path) -> None:
    async def every_tenth_is_lost(_: FakeServer, connection: ServerConnection) -> None:
        for trade_id in range(1, 402):
            if trade_id % 10:
                await connection.send(frame(trade_id))
        await connection.wait_closed()

    async def scenario() -> int:
        lake = Lake(tmp_path)
        async with fake_server(every_tenth_is_lost) as fake:
            fake.pages = lambda from_id: list(range(max(from_id, 1), 402))
            # All that was sent is stored before the first of the gaps is repaired.
            unhurried = replace(FAST, disorder=3.0)
            settings = one_symbol(fake, silence_seconds=3600.0)
            async with collecting(lake, settings, unhurried):
                await until(lambda: ticks(lake) == 401)
            assert rows_of(lake, "SELECT count(*), state FROM gaps") == [(40, "repaired")]
            return len(fake.asked)

    assert asyncio.run(scenario()) <= 10


def test_one_trade_that_cannot_be_one_costs_only_itself() -> None:
    good = '{"a":%d,"p":"1.5","q":"2","f":1,"l":1,"T":1700000000000,"m":true}'
    bad = good.replace('"2"', '"0"')
    answer = f"[{good % 1},{bad % 2},{good % 3},7]".encode()
    assert [t.trade_id for t in decode_trades(answer, "BTCUSDT")] == [1, 3]
    assert error_code(b'{"code":-1121,"msg":"Invalid symbol."}') == -1121
    assert error_code(b"<html>400 Bad Request</html>") is None


@asynccontextmanager
async def trickling() -> AsyncIterator[str]:
    """A REST server that sends its answer a byte at a time, and never comes to its end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        try:
            while not writer.is_closing():
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_an_answer_that_trickles_is_given_up() -> None:
    async def scenario() -> None:
        async with (
            trickling() as url,
            RestClient(way(url), WeightBudget(2400), timeout=1.5) as rest,
        ):
            await rest.latest_trades("BTCUSDT", 5)

    with pytest.raises(RestError, match=r"aggTrades: no whole answer within 4\.5 s"):
        asyncio.run(scenario())


def test_a_refusal_passes_where_trades_were_captured_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """After a crash as before it: an exchange that once served this lake is waited for."""

    async def send(_: FakeServer, connection: ServerConnection) -> None:
        await connection.send(frame(2))
        await connection.wait_closed()

    async def scenario() -> None:
        lake = Lake(tmp_path)
        fill(lake, [trade(1)])
        async with fake_server(send, status=403) as fake, collecting(lake, one_symbol(fake)):
            await until(lambda: caplog.text.count("no connection for BTCUSDT (HTTP 403") >= 2)
            fake.status = None
            await until(lambda: ticks(lake) == 2)

    asyncio.run(scenario())


def test_a_connection_that_flows_is_not_given_up_for_a_silent_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def only_the_first_sends(fake: FakeServer, connection: ServerConnection) -> None:
        if len(fake.paths) > 1:
            await connection.wait_closed()
        for trade_id in range(1, 100_000):
            await connection.send(frame(trade_id))
            await asyncio.sleep(0.01)

    async def scenario() -> None:
        lake = Lake(tmp_path)
        eager = replace(FAST, overlap=2.0, renew_again=0.1)
        async with fake_server(only_the_first_sends) as fake:
            settings = one_symbol(fake, connection_hours=1 / 3600, silence_seconds=3600.0)
            async with collecting(lake, settings, eager):
                await until(lambda: caplog.text.count("is silent; the old one stays") >= 2)
                await more_ticks(lake, 20)
        assert counter(lake, "reconnects") == 0
        assert rows_of(lake, "SELECT * FROM gaps") == []

    asyncio.run(scenario())


def test_history_is_asked_for_again_when_rest_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    away = Faults([RestFailure("status", status=503, when=When(times=30))])

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            SimulatedExchange(market(rate=10), faults=away) as exchange,
            collecting(
                lake,
                settings_for(exchange, warm_start_minutes=1),
                replace(FAST, history_again=0.2),
            ),
        ):
            await until(lambda: "recent history is there" in caplog.text)
        assert counter(lake, "klines") == 3 * 300

    asyncio.run(scenario())
    assert "is not complete yet; it is asked for again" in caplog.text
