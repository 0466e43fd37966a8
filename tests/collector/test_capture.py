"""The collector as a service: what it stores, what it tells, what it refuses, how it ends."""

import asyncio
import json
import os
import signal
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.service import run
from simulator import Recording, SimulatedExchange, exchange_in_thread
from spreadlake.config import Settings
from spreadlake.errors import ExchangeError, LakeError
from spreadlake.lake import HOUR_MS, Lake, claim, open_ticks_writer, read_status, writer_lock
from spreadlake.service import ServiceContext
from tests.collector.lakes import fill, rows_of, trade, trades, wait_until
from tests.collector.live import (
    SYMBOLS,
    all_caught_up,
    collecting,
    counter,
    differences,
    has_ticks,
    market,
    more_ticks,
    settings_for,
    ticks,
    until,
)
from tests.paths import MIXED, TRADES, needed


def of_kind(settings: Settings, kind: str, symbols: list[str]) -> Settings:
    exchange = settings.exchange.model_copy(update={"trades": kind})
    return settings.model_copy(update={"symbols": symbols, "exchange": exchange})


def test_runs_for_its_duration(tmp_path: Path) -> None:
    with exchange_in_thread(market(rate=100)) as exchange:
        run(ServiceContext(settings_for(exchange), Lake(tmp_path), duration=0.5))
    assert status_of(Lake(tmp_path))["state"] == "stopped"


def test_runs_until_it_is_told_to_stop_and_stores_every_trade(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    def stop_when_some_are_stored() -> None:
        try:
            wait_until(lambda: has_ticks(lake) and ticks(lake) > 150)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with exchange_in_thread(market(rate=100)) as exchange:
        stopper = threading.Thread(target=stop_when_some_are_stored)
        stopper.start()
        run(ServiceContext(settings_for(exchange), lake))
        stopper.join()
        found = differences(lake, exchange)
    assert found.pop("right") > 150
    assert found == {"missing": 0, "twice": 0, "wrong": 0}
    total, greatest = rows_of(lake, "SELECT count(*), max(seq) FROM ticks")[0]
    assert total == greatest == counter(lake, "ticks") == counter(lake, "frames")


@pytest.mark.parametrize("speed", ["max", 200.0])
def test_a_recorded_capture(tmp_path: Path, speed: Any) -> None:
    path = needed(TRADES)

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(Recording([path]), speed=speed) as exchange:
            settings = of_kind(settings_for(exchange), "trade", ["BTCUSDT", "ETHUSDT"])
            async with collecting(lake, settings):
                await until(lambda: counter(lake, "frames") == 35_389)
        query = "SELECT symbol, count(*), max(trade_id) - min(trade_id) + 1 FROM ticks GROUP BY 1"
        assert rows_of(lake, query) == [("BTCUSDT", 21_313, 21_313), ("ETHUSDT", 14_076, 14_076)]
        assert rows_of(lake, "SELECT * FROM gaps") == []

    asyncio.run(scenario())


def test_a_capture_of_many_kinds_of_events(tmp_path: Path) -> None:
    path = needed(MIXED)

    async def scenario() -> None:
        lake, recording = Lake(tmp_path), Recording([path])
        async with SimulatedExchange(recording, speed="max") as exchange:
            settings = settings_for(exchange).model_copy(update={"symbols": recording.symbols})
            async with collecting(lake, settings):
                await until(lambda: ticks(lake) == 91)
                await exchange.finished()
        assert ticks(lake) == 91
        assert counter(lake, "malformed") == 0

    asyncio.run(scenario())


def test_events_of_the_insurance_fund_are_no_gaps(tmp_path: Path) -> None:
    """As @trade streams carry them, with and without a price."""

    def line(trade_id: int, **other: object) -> str:
        event = {"e": "trade", "E": trade_id, "T": 10**12 + trade_id, "s": "BTCUSDT"}
        event |= {"t": trade_id, "p": "9.5", "q": "1", "X": "MARKET", "m": True, **other}
        del event["E"]
        return f"{trade_id} " + json.dumps({"stream": "btcusdt@trade", "data": event})

    path = tmp_path / "recording.jsonl"
    off_market = [line(3, X="INSURANCE_FUND"), line(4, X="NA", p="0", q="0")]
    path.write_text("\n".join([line(1), line(2), *off_market, line(5)]))

    async def scenario() -> None:
        lake = Lake(tmp_path / "lake")
        async with SimulatedExchange(Recording([path]), speed="max") as exchange:
            settings = of_kind(settings_for(exchange), "trade", ["BTCUSDT"])
            async with collecting(lake, settings):
                await until(lambda: counter(lake, "frames") == 5)
        assert rows_of(lake, "SELECT trade_id FROM ticks") == [(1,), (2,), (5,)]
        assert rows_of(lake, "SELECT * FROM gaps") == []
        assert counter(lake, "ignored") == 2

    asyncio.run(scenario())


async def trades_pass(exchange: SimulatedExchange) -> None:
    """Waits until the exchange has traded on for a while."""
    later = exchange.clock_ms() + 300
    await until(lambda: exchange.clock_ms() > later)


def test_a_restart_goes_on_where_the_last_run_ended(tmp_path: Path) -> None:
    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            for _ in range(3):
                async with collecting(lake, settings_for(exchange)):
                    await more_ticks(lake, 100)
                    await all_caught_up(lake, exchange)
                await trades_pass(exchange)
            causes = rows_of(lake, "SELECT DISTINCT cause, state FROM gaps")
            assert causes == [("restart", "repaired")]
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 300
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def status_of(lake: Lake) -> dict[str, Any]:
    with closing(open_ticks_writer(lake)) as db:
        return dict(read_status(db)["collector"][0])


def test_tells_how_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, streams_per_connection=2)
            async with collecting(lake, settings):
                await more_ticks(lake, 100)
                await until(lambda: status_of(lake)["connections"] == 2)
                await until(lambda: status_of(lake)["lag_seconds"] is not None)
                status = status_of(lake)
                assert status["state"] == "running"
                assert [connection["streams"] for connection in status["sessions"]] == [2, 1]
                assert status["open_gaps"] == 0
                assert status["trouble"] is None
                first_ms = int(str(rows_of(lake, "SELECT min(time_ms) FROM ticks")[0][0]))
                assert -1 < status["lag_seconds"] <= time.time() - first_ms / 1000
                assert first_ms < status["next_roll_ms"] <= exchange.clock_ms() + 3 * HOUR_MS
                assert status["db_bytes"] > 0
        assert status_of(lake)["state"] == "stopped"
        assert counter(lake, "commit_seconds") > 0

    asyncio.run(scenario())


async def failing(lake: Lake, settings: Settings) -> None:
    async with collecting(lake, settings) as task:
        await task


def test_a_symbol_that_the_exchange_does_not_know_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            symbols = [*SYMBOLS, "BTCUSD"]
            await failing(Lake(tmp_path), settings.model_copy(update={"symbols": symbols}))

    with pytest.raises(ExchangeError, match="'BTCUSD'; did you mean BTCUSDT"):
        asyncio.run(scenario())


def test_a_symbol_that_the_lake_holds_is_only_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A contract that was delisted must not keep the others from being captured."""

    async def scenario() -> None:
        lake = Lake(tmp_path)
        with closing(open_ticks_writer(lake)) as db:
            db.execute("INSERT INTO symbols VALUES ('GONEUSDT', 1, 9, 1, 1.0, 9)")
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            symbols = [*SYMBOLS, "GONEUSDT"]
            settings = settings.model_copy(update={"symbols": symbols})
            async with collecting(lake, settings):
                await more_ticks(lake, 50)

    asyncio.run(scenario())
    assert "does not know 'GONEUSDT'" in caplog.text


def test_a_lake_of_another_kind_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as db:
        claim(db, lake, "trade", "exchange")

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            await failing(lake, settings_for(exchange))

    with pytest.raises(LakeError, match="holds trade ids and cannot take aggTrade"):
        asyncio.run(scenario())


def test_a_second_collector_is_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            await failing(lake, settings_for(exchange))

    with writer_lock(lake, "collector"), pytest.raises(LakeError, match="already has a collector"):
        asyncio.run(scenario())


def test_finished_hours_roll_while_trades_come(tmp_path: Path) -> None:
    """Hours from long ago, as they are after a time without a collector."""
    lake = Lake(tmp_path)
    fill(lake, trades(range(300)))

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, repair_hours=0)
            async with collecting(lake, settings):
                await until(lambda: counter(lake, "rolled_hours") == 2)
                await more_ticks(lake, 100)

    asyncio.run(scenario())
    assert len(list(lake.ticks_dir.rglob("*.parquet"))) == 2
    assert rows_of(lake, f"SELECT 1 FROM ticks WHERE time_ms <= {trade(299).time_ms}") == []


def test_the_origin_is_on_record(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(Lake(tmp_path), settings_for(exchange), origin="demo"),
        ):
            await more_ticks(Lake(tmp_path), 10)

    asyncio.run(scenario())
    query = "SELECT key, value FROM meta WHERE key IN ('origin', 'trade_kind', 'venue') ORDER BY 1"
    meta = rows_of(Lake(tmp_path), query)
    assert meta == [("origin", "demo"), ("trade_kind", "aggTrade")]
