"""Symbols are added to a running collector, and taken out of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection

from collector.collector import Collector
from collector.resources import Resources
from collector.rest import RestClient, WeightBudget
from collector.storage.store import TickStore
from collector.storage.writer import WriterThread
from collector.stream.connection_group import ConnectionGroup
from collector.symbols.roster import Roster
from simulator import SimulatedExchange
from spreadlake.config import Settings
from spreadlake.lake import Lake, open_reader, open_ticks_writer, read_status
from tests.collector.fake import FakeServer, fake_server, frame
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    SYMBOLS,
    counter,
    differences,
    has_ticks,
    market,
    more_ticks,
    open_gaps,
    settings_for,
    ticks,
    until,
    way,
)

A, B, C = SYMBOLS


@asynccontextmanager
async def capturing(lake: Lake, settings: Settings) -> AsyncIterator[Collector]:
    """A running collector, within reach."""
    with closing(open_ticks_writer(lake)) as db:
        store, writer = TickStore(db, settings.symbols), WriterThread(lake.ticks_db, 0.2)
        budget = WeightBudget(settings.collector.request_weight)
        async with RestClient(way(settings.exchange.rest_url), budget) as rest:
            roster = Roster(settings.symbols)
            resources = Resources(
                settings, lake, store, writer, rest, FAST, roster, way(settings.exchange.ws_url)
            )
            collector = Collector(resources)
            stop = asyncio.Event()
            task = asyncio.create_task(collector.run(stop))
            try:
                yield collector
            finally:
                stop.set()
                try:
                    await task
                finally:
                    writer.close()


def only(settings: Settings, *symbols: str) -> Settings:
    return settings.model_copy(update={"symbols": list(symbols)})


def state(lake: Lake) -> str:
    with closing(open_reader(lake.ticks_db)) as reader:
        return str(read_status(reader)["collector"][0]["state"])


def held(lake: Lake) -> dict[str, int]:
    return {
        str(symbol): int(str(count))
        for symbol, count in rows_of(lake, "SELECT symbol, ticks FROM symbols")
    }


@pytest.mark.parametrize("streams", [200, 1])
def test_a_symbol_that_is_added_is_captured_with_its_history(tmp_path: Path, streams: int) -> None:
    """On a connection with room for it, and on one of its own."""

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=10)) as exchange:
            settings = settings_for(exchange, warm_start_minutes=1, streams_per_connection=streams)
            async with capturing(lake, only(settings, A)) as running:
                await until(lambda: held(lake).get(A, 0) > 600)
                await running.add([B, A, C])
                await until(lambda: min(held(lake).get(s, 0) for s in SYMBOLS) > 600)
                await more_ticks(lake, 100)
                assert exchange.status()["connections"] == (1 if streams == 200 else 3)
                await until(lambda: not open_gaps(lake))
            assert rows_of(lake, "SELECT count(DISTINCT symbol) FROM klines") == [(3,)]
            assert rows_of(lake, "SELECT * FROM gaps") == []
            assert counter(lake, "reconnects") == 0
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 3 * 600
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_a_symbol_that_is_removed_is_captured_no_longer_and_may_come_back(tmp_path: Path) -> None:
    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            async with capturing(lake, settings_for(exchange)) as running:
                await until(lambda: min(held(lake).get(s, 0) for s in SYMBOLS) > 50)
                await running.remove([B, "NEVERTHERE"])
                before = held(lake)[B]
                await more_ticks(lake, 200)
                assert held(lake)[B] == before
                await running.add([B])
                await until(lambda: held(lake)[B] > before + 100 and not open_gaps(lake))
                # All of them away, and one back.
                await running.remove(SYMBOLS)
                await running.add([C])
                stored = held(lake)[C]
                await until(lambda: held(lake)[C] > stored + 100 and not open_gaps(lake))
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 300
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_a_connection_made_later_carries_what_was_added(tmp_path: Path) -> None:
    async def drops(fake: FakeServer, connection: ServerConnection) -> None:
        await connection.send(frame(len(fake.paths)))
        if len(fake.paths) > 2:
            await connection.wait_closed()
        await connection.close()

    async def scenario() -> list[str]:
        lake = Lake(tmp_path)
        async with fake_server(drops) as fake:
            settings = settings_for(fake, silence_seconds=3600.0)
            async with capturing(lake, only(settings, A)) as running:
                await until(lambda: fake.paths)
                await running.add([B])
                await until(lambda: len(fake.paths) > 2 and ticks(lake))
            return fake.paths

    paths = asyncio.run(scenario())
    assert "btcusdt@aggTrade" in paths[0]
    assert "ethusdt@aggTrade" not in paths[0]
    assert "btcusdt@aggTrade/ethusdt@aggTrade" in paths[-1]


def test_what_was_started_later_fails_all_of_it_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what it failed of, and once what was read is stored."""
    lake = Lake(tmp_path)

    async def fail(group: ConnectionGroup) -> None:
        raise ValueError(f"broken for {group.name}")

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, streams_per_connection=1)
            async with capturing(lake, only(settings, A, B)) as running:
                await until(lambda: has_ticks(lake) and ticks(lake) > 10)
                monkeypatch.setattr(ConnectionGroup, "run", fail)
                await running.add([C])
                await until(lambda: state(lake) == "stopped")

    with pytest.raises(ValueError, match=f"broken for {C}"):
        asyncio.run(scenario())
