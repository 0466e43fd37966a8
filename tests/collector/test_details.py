"""What the exchange says beside a trade is stored however the trade came, and when it came."""

import asyncio
import time
from pathlib import Path

from simulator import Faults, SimulatedExchange, Tamper, When
from spreadlake.lake import Lake
from tests.collector.lakes import rows_of
from tests.collector.live import (
    all_caught_up,
    collecting,
    counter,
    market,
    settings_for,
    ticks,
    until,
)

# The simulated exchange: each aggregate takes three trades, and no RPI order.
WRONG = (
    "SELECT count(*) FROM ticks WHERE first_trade_id IS NOT 3 * trade_id "
    "OR last_trade_id IS NOT 3 * trade_id + 2 OR qty_ex_rpi IS NOT qty OR received_ms IS NULL"
)


def test_live_and_repaired_trades_are_whole(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        lake, faults = Lake(tmp_path), Faults([Tamper("lost", when=When(frame=50, times=7))])
        begun = time.time_ns() // 1_000_000
        async with SimulatedExchange(market(), faults=faults) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: not faults.pending)
                await all_caught_up(lake, exchange)
            assert counter(lake, "repaired_ticks") >= 7
        return begun, time.time_ns() // 1_000_000

    begun, ended = asyncio.run(scenario())
    lake = Lake(tmp_path)
    assert rows_of(lake, WRONG) == [(0,)]
    [(first, last)] = rows_of(lake, "SELECT min(received_ms), max(received_ms) FROM ticks")
    assert begun <= int(str(first)) <= int(str(last)) <= ended


def test_single_trades_are_stored_without(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange)
            others = settings.exchange.model_copy(update={"trades": "trade"})
            async with collecting(lake, settings.model_copy(update={"exchange": others})):
                await until(lambda: ticks(lake) > 50)

    asyncio.run(scenario())
    query = (
        "SELECT count(*) FROM ticks WHERE first_trade_id NOT NULL OR last_trade_id NOT NULL "
        "OR qty_ex_rpi NOT NULL OR received_ms IS NULL"
    )
    assert rows_of(Lake(tmp_path), query) == [(0,)]
