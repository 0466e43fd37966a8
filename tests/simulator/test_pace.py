"""Pace: never ahead of time, as fast as the client reads at max, and an end."""

import asyncio
import time
from pathlib import Path

import pytest

from simulator import Recording, SimulatedExchange, SyntheticMarket
from spreadlake.errors import InputError
from tests.simulator.clients import SYMBOLS, combined, decoded, opened, silent, take
from tests.simulator.test_recording import recorded, wrapped

START_MS = 1_795_000_000_000


@pytest.mark.parametrize("speed", [5.0, 50.0])
def test_no_trade_comes_before_its_time(speed: float) -> None:
    async def scenario() -> None:
        market = SyntheticMarket(1, SYMBOLS)
        begun = time.monotonic()
        async with (
            SimulatedExchange(market, speed=speed, start_ms=START_MS) as exchange,
            opened(exchange, combined(*SYMBOLS)) as client,
        ):
            [*_, last] = decoded(await take(client, 40))
            clock_ms = exchange.clock_ms()
            elapsed_ms = (time.monotonic() - begun) * 1000 * speed
            assert START_MS < last.time_ms < START_MS + elapsed_ms
            assert START_MS < clock_ms <= START_MS + elapsed_ms

    asyncio.run(scenario())


def test_no_recorded_frame_comes_before_its_time(tmp_path: Path) -> None:
    recording = Recording([recorded(tmp_path / "r", (wrapped(n) for n in range(101)))])

    async def scenario() -> None:
        begun = time.monotonic()
        async with (
            SimulatedExchange(recording, speed=4.0) as exchange,
            opened(exchange, combined("BTCUSDT")) as client,
        ):
            await take(client, 101)
            # A hundred frames, 10 ms apart.
            assert time.monotonic() - begun > 0.99 * 1.0 / 4.0

    asyncio.run(scenario())


def test_at_max_the_clock_waits_for_the_reader() -> None:
    async def scenario() -> None:
        async with SimulatedExchange(
            SyntheticMarket(1, SYMBOLS), speed="max", start_ms=START_MS
        ) as exchange:
            assert exchange.clock_ms() == START_MS
            async with opened(exchange, combined("BTCUSDT")) as client:
                trades = decoded(await take(client, 5000))
                ids = [trade.trade_id for trade in trades]
                assert ids == list(range(ids[0], ids[0] + 5000))
                client.transport.pause_reading()
                stopped_at = -1
                while stopped_at != exchange.clock_ms():
                    stopped_at = exchange.clock_ms()
                    await asyncio.sleep(0.2)
                assert exchange.status()["finished"] is False

    asyncio.run(scenario())


def test_a_market_with_an_end_finishes_and_its_truth_is_what_was_sent() -> None:
    market = SyntheticMarket(1, SYMBOLS)
    end_ms = START_MS + 99_999
    count = sum(len(market.columns(symbol, START_MS, end_ms)) for symbol in SYMBOLS)

    async def scenario() -> None:
        async with (
            SimulatedExchange(market, speed="max", start_ms=START_MS, end_ms=end_ms) as exchange,
            opened(exchange, combined(*SYMBOLS)) as client,
        ):
            frames = await take(client, count)
            await exchange.finished()
            assert await silent(client)
            assert exchange.clock_ms() == end_ms
            for symbol, trades in exchange.truth().items():
                got = [trade for trade in decoded(frames) if trade.symbol == symbol]
                assert [trade.trade_id for trade in got] == trades.ids.tolist()
                assert [trade.price for trade in got] == trades.prices.tolist()
                assert [trade.qty for trade in got] == trades.qtys.tolist()
                assert [trade.time_ms for trade in got] == trades.times_ms.tolist()
                assert [trade.buyer_is_maker for trade in got] == trades.buyer_is_maker.tolist()
            assert exchange.status()["finished"] is True

    asyncio.run(scenario())


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(InputError, match="not a number above 0"):
        SimulatedExchange(SyntheticMarket(1, SYMBOLS), speed=speed)
