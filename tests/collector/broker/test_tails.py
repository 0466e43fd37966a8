"""Trades that the log lost, and that no trade of their symbol follows: the exchange is asked."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from collector.broker.entry import encoded
from collector.broker.published import AtOnce
from collector.broker.server import Server
from collector.broker.tails import LogTails
from collector.resources import Resources
from collector.rest import RestClient, RestError, RestRefusedError
from collector.storage.batch import Batch
from collector.symbols.roster import Roster
from simulator import SimulatedExchange
from spreadlake import binance
from spreadlake.config import Settings
from spreadlake.lake import Lake
from spreadlake.trades import TradeEvent
from tests.collector.broker.servers import STREAM, RedisServer, capturing, redis_server, storing
from tests.collector.broker.test_log import CLEAN, all_stored
from tests.collector.live import FAST, SYMBOLS, caught_up, differences, market, settings_for, until

# A store is right to wait for the next trade for so long; here none comes.
SILENCE = 0.3


def settings_of(exchange: SimulatedExchange) -> Settings:
    return settings_for(exchange, silence_seconds=SILENCE)


async def killed(server: RedisServer) -> None:
    server.kill()
    server.start()


async def emptied(server: RedisServer) -> None:
    server.client.flushall()


async def deleted(server: RedisServer) -> None:
    server.client.delete(STREAM)


async def dropped(server: RedisServer) -> None:
    """As a capture tells that it let go of the oldest, which were the last of their symbols."""
    server.client.hincrby("spreadlake:dropped", "trades", 5)
    server.client.xadd(STREAM, {"n": 1, "b": b"what comes after them, whatever it is"})


async def had_no_room(server: RedisServer) -> None:
    """As a capture tells of trades for which its memory had no room."""
    (entry, *_) = encoded(Batch())
    fields = {"n": 0, "b": entry[0], "of": server.client.get("spreadlake:holds")}
    server.client.xadd(STREAM, {**fields, "lost": msgspec.msgpack.encode(SYMBOLS)})


async def let_go(server: RedisServer) -> None:
    """What was read by a store that died before it stored it is gone when the next one asks."""

    def steal() -> bool:
        server.client.xadd(STREAM, {"n": 1, "b": b"to be let go"})
        return bool(server.client.xreadgroup("store", "another", {STREAM: ">"}, count=1))

    await until(steal)
    server.client.xtrim(STREAM, maxlen=0, approximate=False)


async def all_traded(exchange: SimulatedExchange) -> int:
    """Waits until every symbol has traded on; the time after which it did.

    A symbol pauses for seconds now and then. Nothing of it is lost meanwhile, and asked about it
    the exchange has nothing newer.
    """
    now_ms = exchange.clock_ms()
    await until(lambda: all(len(exchange.truth(since_ms=now_ms)[one].ids) for one in SYMBOLS))
    return now_ms


@pytest.mark.parametrize("trouble", [killed, emptied, deleted, dropped, had_no_room, let_go])
def test_the_newest_trades_of_symbols_that_fall_silent_are_fetched(
    tmp_path: Path, trouble: Callable[[RedisServer], Awaitable[None]]
) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> dict[str, int]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_of(exchange)
            async with storing(server, lake, settings):
                async with capturing(server, settings):
                    await all_stored(lake, exchange)
                # From here on nobody captures: no trade comes whose id would tell.
                now_ms = await all_traded(exchange)
                await until(lambda: server.entries() == 0)
                await trouble(server)
                await until(lambda: caught_up(lake, now_ms))
            return differences(lake, exchange)

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert {key: found[key] for key in CLEAN} == CLEAN


def test_what_a_log_lost_while_there_was_no_store_is_fetched(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")

    async def scenario(server: RedisServer) -> dict[str, int]:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_of(exchange)
            async with capturing(server, settings):
                async with storing(server, lake, settings):
                    await all_stored(lake, exchange)
                now_ms = await all_traded(exchange)
                await until(lambda: server.entries() > 0)
            server.client.xtrim(STREAM, maxlen=0, approximate=False)
            async with storing(server, lake, settings):
                await until(lambda: caught_up(lake, now_ms))
            return differences(lake, exchange)

    with redis_server(tmp_path / "redis") as server:
        found = asyncio.run(scenario(server))
    assert {key: found[key] for key in CLEAN} == CLEAN


class Exchange:
    """What REST says of each symbol: an id, an error, or nothing; and who was asked about."""

    def __init__(self, **says: int | RestError | None) -> None:
        self.says = says
        self.asked: list[str] = []

    async def latest_trades(self, symbol: str, _limit: int) -> list[TradeEvent]:
        self.asked.append(symbol)
        says = self.says[symbol]
        if isinstance(says, RestError):
            raise says
        return [] if says is None else [trade_of(symbol, says)]


class Held:
    """The greatest ids of a lake, and what was written into it."""

    def __init__(self, **held: int) -> None:
        self.held = held
        self.written: list[tuple[str, int]] = []

    def last_id(self, symbol: str) -> int | None:
        return self.held.get(symbol)

    def is_again(self, trade: TradeEvent) -> bool:
        return trade.symbol == "REUSED"

    def write(self, batch: Batch) -> None:
        assert batch.source == "repair"
        for trade in batch.events:
            self.held[trade.symbol] = trade.trade_id
            self.written.append((trade.symbol, trade.trade_id))


def trade_of(symbol: str, number: int) -> TradeEvent:
    return TradeEvent(symbol, number, 1_700_000_000_000, 1.0, 1.0, False)


def tails_of(exchange: Exchange, held: Held, patience: float = 0.001) -> LogTails:
    async def run_id() -> str:
        return "one"

    nowhere = SimpleNamespace(ws_url="ws://127.0.0.1:1", rest_url="http://127.0.0.1:1")
    settings = settings_for(nowhere, silence_seconds=patience)
    resources = SimpleNamespace(
        store=held, writer=AtOnce(), rest=exchange, roster=Roster(exchange.says),
        timing=replace(FAST, silence_interval=0.01, backoff_cap=0.05), settings=settings,
        venue=binance,
    )  # fmt: skip
    return LogTails(cast(Resources, resources), cast(Server, SimpleNamespace(run_id=run_id)))


def looked_for(tails: LogTails, condition: Callable[[], object]) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(tails.run())
        await until(lambda: task.done() or condition())
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(scenario())


def test_each_is_asked_about_once_and_who_cannot_be_asked_again() -> None:
    exchange = Exchange(
        BEHIND=9, EVEN=5, NOTHING=None, GONE=RestRefusedError("it is not listed"),
        AWAY=RestError("it does not answer"), REUSED=9, NEW=7,
    )  # fmt: skip
    held = Held(BEHIND=5, EVEN=5, NOTHING=5, GONE=5, AWAY=5, REUSED=5)
    tails = tails_of(exchange, held)
    looked_for(tails, lambda: exchange.asked.count("AWAY") > 2)
    exchange.says["AWAY"] = 8
    looked_for(tails, lambda: ("AWAY", 8) in held.written)
    asked = [symbol for symbol in exchange.asked if symbol != "AWAY"]
    assert asked == ["BEHIND", "EVEN", "NOTHING", "GONE", "REUSED"]
    assert held.written == [("BEHIND", 9), ("AWAY", 8)]


def test_who_trades_on_is_not_asked_about() -> None:
    exchange, held = Exchange(A=9, B=9), Held(A=5, B=5)
    tails = tails_of(exchange, held)
    held.held["A"] = 6
    looked_for(tails, lambda: held.written)
    assert exchange.asked == ["B"]
    # Nobody is before the silence has lasted.
    patient = tails_of(exchange, held, patience=1000.0)
    patient.doubt(["A"])
    looks = count()
    looked_for(patient, lambda: next(looks) > 5)
    assert exchange.asked == ["B"]


def test_a_log_that_loses_again_and_again_keeps_nobody_from_being_asked_about() -> None:
    exchange, held = Exchange(A=9), Held(A=5)
    tails = tails_of(exchange, held, patience=0.05)

    def loses_on() -> bool:
        tails.doubt(["A"])
        return bool(held.written)

    async def scenario() -> None:
        task = asyncio.create_task(tails.run())
        await until(loses_on)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(scenario())
    assert held.written == [("A", 9)]


def test_who_is_removed_while_it_is_asked_about_is_not_stored() -> None:
    exchange, held = Exchange(A=9, B=9), Held(A=5, B=5)
    tails = tails_of(exchange, held)

    class Leaving(Exchange):
        async def latest_trades(self, symbol: str, _limit: int) -> list[TradeEvent]:
            tails._roster.remove(["A"])
            return await super().latest_trades(symbol, _limit)

    tails._rest = cast(RestClient, Leaving(A=9, B=9))
    looked_for(tails, lambda: ("B", 9) in held.written)
    assert held.written == [("B", 9)]
