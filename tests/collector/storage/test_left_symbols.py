"""Symbols that the lake holds and the configuration no longer names."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from simulator import SimulatedExchange, TradeColumns
from spreadlake.binance.decode import AggTrade
from spreadlake.config import Settings
from spreadlake.lake import Lake, read_counters
from tests.collector.lakes import A, B, fill, quick_writer, rows_of, trades
from tests.collector.live import (
    collecting,
    counter,
    differences,
    market,
    more_ticks,
    open_gaps,
    settings_for,
    until,
)

LEFT = "SOLUSDT"


def without_it(settings: Settings) -> Settings:
    return settings.model_copy(update={"symbols": [A, B]})


def left_with(lake: Lake, events: Sequence[AggTrade]) -> None:
    """A lake of a collector that ended before it repaired what is between `events`."""
    with closing(quick_writer(lake)) as db:
        store = TickStore(db, [A, B, events[0].symbol])
        store.write(Batch(events))
        store.confirm(store.gaps.gaps())


def trade_of(columns: TradeColumns, row: int) -> AggTrade:
    return AggTrade(
        LEFT,
        int(columns.ids[row]),
        int(columns.times_ms[row]),
        float(columns.prices[row]),
        float(columns.qtys[row]),
        bool(columns.buyer_is_maker[row]),
    )


def test_their_gaps_are_repaired(tmp_path: Path) -> None:
    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            all_of_it = exchange.truth(since_ms=exchange.clock_ms() - 10_000)[LEFT]
            left_with(lake, [trade_of(all_of_it, i) for i in (0, 1, 41, 42)])
            async with collecting(lake, without_it(settings_for(exchange))):
                await until(lambda: not open_gaps(lake))
                await more_ticks(lake, 50)
            query = f"SELECT last_id - first_id, state FROM gaps WHERE symbol = '{LEFT}'"
            assert rows_of(lake, query) == [(38, "repaired")]
            assert counter(lake, "repaired_ticks") >= 39
            query = f"SELECT ticks, last_id FROM symbols WHERE symbol = '{LEFT}'"
            assert rows_of(lake, query) == [(43, int(all_of_it.ids[42]))]
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") >= 43
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_of_one_that_was_delisted_the_record_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        event = trades([1, 5], "GONEUSDT")
        left_with(lake, event)  # type: ignore[arg-type]
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, without_it(settings_for(exchange))),
        ):
            await until(lambda: not open_gaps(lake))
        query = "SELECT first_id, last_id, state, message FROM gaps WHERE symbol = 'GONEUSDT'"
        ((first, last, state, message),) = rows_of(lake, query)
        assert (first, last, state) == (2, 4, "lost")
        assert "the exchange refuses the request: HTTP 400" in str(message)
        assert "Invalid symbol" in str(message)

    asyncio.run(scenario())


def test_what_comes_by_the_stream_unasked_is_not_stored(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, trades([1], B))
    with closing(quick_writer(lake)) as db:
        store = TickStore(db, [A])
        stored = store.write(Batch([*trades([7]), *trades([2, 3], B)]))
        assert stored.ticks == {A: 1}
        assert read_counters(db)["ignored", ""] == 2
        assert store.write(Batch(trades([2], B), source="repair")).ticks == {B: 1}
    assert rows_of(lake, "SELECT symbol, trade_id FROM ticks ORDER BY seq") == [
        (B, 1),
        (A, 7),
        (B, 2),
    ]
