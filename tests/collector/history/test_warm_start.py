"""An empty lake gets its recent history while live trades flow."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from collector.history.warm_start import kline_minutes, whole_bars_from
from simulator import Faults, RestFailure, SimulatedExchange, When
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from tests.collector.lakes import rows_of
from tests.collector.live import (
    SYMBOLS,
    collecting,
    counter,
    differences,
    market,
    more_ticks,
    open_gaps,
    settings_for,
    ticks,
    until,
)

MINUTE_MS = 60_000


@pytest.mark.parametrize(
    ("overrides", "minutes"),
    [
        ({}, 300),
        ({"lookbacks": [100, 500]}, 500),
        ({"windows": [1000]}, 1000),
        ({"timeframes": ["1s", "1h"], "lookbacks": [50], "windows": [30]}, 50 * 60),
        ({"timeframes": ["1s", "90s"]}, 0),
        ({"screen": {"enabled": True, "lookback": 1440}}, 1440),
        ({"screen": {"enabled": True, "lookback": 100, "window": 400}}, 400),
        ({"screen": {"enabled": True, "timeframe": "5m"}}, 1200),
        ({"screen": {"lookback": 1440}}, 300),
        ({"timeframes": ["1s"], "screen": {"enabled": True}}, 240),
    ],
)
def test_klines_cover_the_longest_series(overrides: dict[str, Any], minutes: int) -> None:
    assert kline_minutes(load_settings(None, **overrides)) == minutes


@pytest.mark.parametrize(
    ("timeframes", "start_ms"),
    [
        (["1s"], 1_700_000_099_000),
        (["1s", "1m"], 1_700_000_040_000),
        (["1m", "5m"], 1_699_999_800_000),
        (["1m", "1h"], 1_700_000_040_000),  # an hour is longer than the warm start
    ],
)
def test_trades_begin_where_bars_begin(timeframes: list[str], start_ms: int) -> None:
    settings = load_settings(None, timeframes=timeframes)
    assert whole_bars_from(settings, 1_700_000_099_123) == start_ms


def spans(lake: Lake) -> dict[str, int]:
    """Minutes of trades held of each symbol."""
    rows = rows_of(lake, "SELECT symbol, max(time_ms) - min(time_ms) FROM ticks GROUP BY symbol")
    return {str(symbol): int(str(span)) // MINUTE_MS for symbol, span in rows}


def test_history_joins_on_to_the_live_trades(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=10)) as exchange:
            settings = settings_for(exchange, warm_start_minutes=15)
            async with collecting(lake, settings):
                await until(lambda: "recent history is there" in caplog.text)
                assert list(spans(lake)) == SYMBOLS
                assert min(spans(lake).values()) >= 15
                await more_ticks(lake, 50)
                assert open_gaps(lake) == 0
            assert rows_of(lake, "SELECT * FROM gaps") == []
            assert counter(lake, "repaired_ticks") == 0
            first = rows_of(lake, "SELECT min(time_ms) FROM ticks GROUP BY symbol")
            # The first minute is whole: it begins with the exchange's first trades of it.
            assert all(int(str(row[0])) % MINUTE_MS < 10_000 for row in first)
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 3 * 15 * 60
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_klines_are_those_of_the_exchange_and_whole(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=2)) as exchange:
            began = exchange.clock_ms() // MINUTE_MS * 60
            async with collecting(lake, settings_for(exchange, warm_start_minutes=1)):
                await until(lambda: counter(lake, "klines") == 3 * 300)
            rows = rows_of(lake, "SELECT * FROM klines WHERE symbol = 'BTCUSDT' ORDER BY time")
            times = [int(str(row[2])) for row in rows]
            assert times == list(range(times[0], times[0] + 300 * 60, 60))
            assert began <= times[-1] + 60 <= exchange.clock_ms() // MINUTE_MS * 60
            trades = exchange.truth(times[-1] * 1000, times[-1] * 1000 + MINUTE_MS)["BTCUSDT"]
            prices, qtys = trades.prices, trades.qtys
            assert rows[-1][:2] == ("BTCUSDT", "1m")
            assert rows[-1][3:7] == (prices[0], prices.max(), prices.min(), prices[-1])
            bought = qtys[~trades.buyer_is_maker].sum()
            sums = (qtys.sum(), (qtys * prices).sum(), bought, len(qtys))
            assert rows[-1][7:] == pytest.approx(sums)

    asyncio.run(scenario())


def test_klines_come_in_pages_where_they_are_many(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=0.1)) as exchange:
            settings = settings_for(exchange, warm_start_minutes=1)
            settings = settings.model_copy(update={"lookbacks": [1600], "symbols": ["BTCUSDT"]})
            async with collecting(lake, settings):
                await until(lambda: counter(lake, "klines") >= 1600)
            rows = rows_of(lake, "SELECT count(*), (max(time) - min(time)) / 60 FROM klines")
            assert rows == [(1600, 1599)]

    asyncio.run(scenario())


def test_nothing_is_fetched_where_it_is_turned_off(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            async with collecting(lake, settings_for(exchange, warm_start_minutes=0)):
                await until(lambda: ticks(lake) > 200)
            assert rows_of(lake, "SELECT * FROM klines") == []
            assert counter(lake, "rest_requests") == 1  # exchangeInfo

    asyncio.run(scenario())


def test_a_lake_with_trades_gets_no_history(tmp_path: Path) -> None:
    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            for _ in range(2):
                async with collecting(lake, settings_for(exchange, warm_start_minutes=0)):
                    await more_ticks(lake, 50)
            async with collecting(lake, settings_for(exchange, warm_start_minutes=15)):
                await more_ticks(lake, 50)
            assert rows_of(lake, "SELECT * FROM klines") == []

    asyncio.run(scenario())


def test_without_rest_the_live_trades_come_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults = Faults([RestFailure("status", status=503, when=When(lasting=3600))])

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            SimulatedExchange(market(), faults=faults) as exchange,
            collecting(lake, settings_for(exchange, warm_start_minutes=15)),
        ):
            await until(lambda: caplog.text.count("could not be fetched") >= 6)
            await more_ticks(lake, 100)

    asyncio.run(scenario())
    assert "symbols could not be checked" in caplog.text


def test_no_klines_are_waited_for_where_all_bars_are_shorter(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=2)) as exchange:
            settings = settings_for(exchange, warm_start_minutes=1)
            settings = settings.model_copy(update={"timeframes": ["1s", "5s"], "pairs": []})
            async with collecting(lake, settings):
                await until(lambda: "recent history is there" in caplog.text)
            assert rows_of(lake, "SELECT * FROM klines") == []

    asyncio.run(scenario())
    assert "klines" not in caplog.text
