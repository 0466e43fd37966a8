"""The record says when a symbol was away, by the trade time that was reached then."""

import asyncio
from pathlib import Path

import pytest

from simulator import SimulatedExchange
from spreadlake.config import Settings
from spreadlake.lake import Lake
from tests.collector.lakes import rows_of
from tests.collector.live import collecting, more_ticks, settings_for, until
from tests.collector.symbols.test_universe import NAMES, OFTEN, captured, chosen, market

CHANGES = "SELECT symbol, captured FROM universe_changes ORDER BY seq"
LEFT, BACK = ("SOLUSDT", 0), ("SOLUSDT", 1)


def changes(lake: Lake) -> list[tuple[object, ...]]:
    return rows_of(lake, CHANGES)


def test_of_those_that_rules_choose(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with SimulatedExchange(market(NAMES[:3])) as exchange:
            async with collecting(lake, chosen(exchange), OFTEN):
                await until(lambda: rows_of(lake, "SELECT 1 FROM symbols WHERE symbol = 'SOLUSDT'"))
                await more_ticks(lake, 50)
                exchange.set_facts("SOLUSDT", listed=False)
                await until(lambda: changes(lake) == [LEFT])
                assert captured(lake) == ["BTCUSDT", "ETHUSDT"]
                await more_ticks(lake, 50)
            async with collecting(lake, chosen(exchange), OFTEN):
                await more_ticks(lake, 50)
                assert changes(lake) == [LEFT]
                exchange.set_facts("SOLUSDT", listed=True)
                await until(lambda: changes(lake) == [LEFT, BACK])
                await more_ticks(lake, 50)

    asyncio.run(scenario())
    ((left,), (back,)) = rows_of(lake, "SELECT time_ms FROM universe_changes ORDER BY seq")
    last = "SELECT max(last_time_ms) FROM symbols"
    assert 0 < int(str(left)) < int(str(back)) < int(str(rows_of(lake, last)[0][0]))
    # What was stored after it left is later than that: a bar so late cannot have been final.
    seq = "SELECT min(seq) FROM ticks WHERE time_ms > {} AND symbol != 'SOLUSDT'"
    assert rows_of(lake, seq.format(left)) != [(None,)]


@pytest.mark.parametrize("status", ["DELIVERED", "TRADING_HALT"])
def test_of_those_that_are_named_an_end_and_no_halt(tmp_path: Path, status: str) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with SimulatedExchange(market(NAMES[:3])) as exchange:
            settings = settings_for(exchange)
            async with collecting(lake, settings, OFTEN):
                await until(lambda: rows_of(lake, "SELECT 1 FROM symbols WHERE symbol = 'SOLUSDT'"))
                exchange.set_status("SOLUSDT", status)
                told = f"SELECT 1 FROM universe WHERE symbol = 'SOLUSDT' AND status = '{status}'"
                await until(lambda: rows_of(lake, told))
            assert changes(lake) == ([LEFT] if status == "DELIVERED" else [])
            async with collecting(lake, without_it(settings), OFTEN):
                await until(lambda: changes(lake) == [LEFT])
            async with collecting(lake, settings, OFTEN):
                exchange.set_status("SOLUSDT", "TRADING")
                await until(lambda: changes(lake) == [LEFT, BACK])

    asyncio.run(scenario())


def without_it(settings: Settings) -> Settings:
    return settings.model_copy(update={"symbols": ["BTCUSDT", "ETHUSDT"]})
