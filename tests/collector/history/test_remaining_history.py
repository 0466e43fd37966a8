"""History of many symbols: klines of all first, then trades by volume, and how long it takes."""

import asyncio
import time
from pathlib import Path

import pytest

from collector.history.remaining import Traded, remaining_history
from simulator import SimulatedExchange
from simulator.serving.rest import request_weight
from spreadlake import binance
from spreadlake.lake import Lake
from spreadlake.status import report_on
from tests.collector.lakes import rows_of
from tests.collector.live import collecting, counter, market, settings_for, until


@pytest.mark.parametrize("limit", [1, 99, 100, 499, 500, 1000, 1001, 1500])
def test_weights_are_those_of_the_exchange(limit: int) -> None:
    assert binance.klines_weight(limit) == request_weight(f"/fapi/v1/klines?limit={limit}")


def test_what_is_left_is_counted_in_minutes_of_the_budget() -> None:
    symbols = [f"S{n}" for n in range(500)]
    at_first = remaining_history(symbols, symbols, 300, {}, {}, 1200, binance, 500)
    assert at_first is not None
    assert at_first.weight == 500 * 2 + 500 * 20
    assert at_first.text == (
        "klines of 500 symbols and trades of 500 symbols to fetch, at least about 9 min; "
        "minutes are ready in about 1 min"
    )
    later = remaining_history(symbols[20:], symbols, 300, {}, {}, 1200, binance, 500)
    assert later is not None
    assert later.text.startswith("klines of 480 of 500 symbols and trades of 500 symbols to fetch")
    assert later.status == {
        "symbols": 500, "klines_left": 480, "trades_left": 500, "minutes_ready": False,
        "klines_seconds": 48.0, "seconds": 548.0, "at_most": False,
    }  # fmt: skip
    told = {symbol: Traded(1.0, 5) for symbol in symbols}
    fetched = {"S0": 3, "S1": 9}
    then = remaining_history([], symbols, 300, told, fetched, 1200, binance, 501)
    assert then is not None
    assert then.weight == (498 * 5 + 2 + 1) * 20
    assert then.text == (
        "trades of 500 of 501 symbols to fetch, at most about 42 min; minutes are ready"
    )
    assert then.status["minutes_ready"] is True
    long = remaining_history(["S"], [], 1600, {}, {}, 1200, binance)
    assert long is not None
    assert long.weight == 3 * 2 + binance.klines_weight(1601 - 3 * 499)
    assert long.text.startswith("klines of 1 symbol to fetch, ")
    assert remaining_history([], [], 300, told, {}, 1200, binance) is None


def test_klines_of_all_come_before_any_trades_and_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a budget that klines of all use up, and no page of trades."""
    caplog.set_level("INFO")

    async def scenario() -> str:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(rate=10)) as exchange:
            settings = settings_for(exchange, warm_start_minutes=15, request_weight=20)
            async with collecting(lake, settings):
                await until(lambda: counter(lake, "klines") == 3 * 300)
                assert counter(lake, "rest_requests") <= 4  # and the listing
                await until(lambda: "recent history: trades of 3 symbols" in caplog.text)
                # Before they are read again, the heartbeat knows nothing of what klines tell.
                at_most = "history: trades of 3 symbols to fetch, at most"
                await until(lambda: at_most in collector_message(lake))
                message = collector_message(lake)
                left = report_on(lake, time.time(), sizes=False).warm_start
                assert left is not None
                assert (left.symbols, left.klines_left, left.trades_left) == (3, 0, 3)
                assert left.minutes_ready
                assert left.seconds > 60
        return message

    message = asyncio.run(scenario())
    assert "recent history: klines of 3 symbols and trades of 3 symbols to fetch" in caplog.text
    # 15 minutes of 10 trades a second are 9 or 10 pages of each, a page a minute.
    assert "recent history: trades of 3 symbols to fetch, at most about" in message
    assert 27 <= int(message.split("about ")[1].split(" ")[0]) <= 31
    assert rows_of(Lake(tmp_path), "SELECT count(*) FROM klines") == [(900,)]


def collector_message(lake: Lake) -> str:
    services = report_on(lake, time.time(), sizes=False).services
    return next(service.message for service in services if service.name == "collector")
