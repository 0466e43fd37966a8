"""What happens by a script: symbols come and go, halt, end, and trade in bursts."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import (
    Burst,
    Event,
    SimulatedExchange,
    SyntheticMarket,
    bursts,
    facts_before,
    market_rates,
    market_symbols,
    play_script,
    read_script,
)
from simulator.source import TradesQuery
from simulator.synthetic.bursts import BlockIds
from spreadlake.errors import InputError
from tests.simulator.clients import get

NAMES = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
MINUTE_MS = 60_000
START_MS = 1_700_000_000_000
SCRIPT = """
[[event]]
at = 2
do = "deliver"
symbol = "ETHUSDT"
[[event]]
at = 0.2
do = "list"
symbol = "SOLUSDT"
[[event]]
at = 1
do = "announce"
symbol = "ETHUSDT"
seconds = 1
[[event]]
at = 1
do = "halt"
symbol = "BTCUSDT"
[[event]]
at = 3
do = "resume"
symbol = "BTCUSDT"
"""


def script(tmp_path: Path, text: str = SCRIPT) -> list[Event]:
    path = tmp_path / "script.toml"
    path.write_text(text, encoding="utf-8")
    return read_script(path, NAMES)


async def listing(exchange: SimulatedExchange) -> dict[str, dict[str, Any]]:
    answer = await get(exchange, "/fapi/v1/exchangeInfo")
    return {one["symbol"]: one for one in answer.json()["symbols"]}


def test_everything_happens_in_the_exchanges_time(tmp_path: Path) -> None:
    events = script(tmp_path)
    assert [event.at for event in events] == [0.2, 1, 1, 2, 3]

    async def scenario() -> None:
        market = SyntheticMarket(symbols=NAMES, rate=1.0)
        async with SimulatedExchange(market, facts=facts_before(events), speed=20) as exchange:
            before = await listing(exchange)
            assert list(before) == ["BTCUSDT", "ETHUSDT"]
            assert before["ETHUSDT"]["deliveryDate"] > exchange.clock_ms() + 10**11
            unknown = await get(exchange, "/fapi/v1/aggTrades?symbol=SOLUSDT")
            assert unknown.json()["code"] == -1121
            await play_script(events, exchange)
            after = await listing(exchange)
            assert {s: one["status"] for s, one in after.items()} == {
                "BTCUSDT": "TRADING",
                "ETHUSDT": "SETTLING",
                "SOLUSDT": "TRADING",
            }
            assert after["ETHUSDT"]["deliveryDate"] < exchange.clock_ms()
            assert (await get(exchange, "/fapi/v1/aggTrades?symbol=SOLUSDT")).json()
            tickers = (await get(exchange, "/fapi/v1/ticker/24hr")).json()
            assert {one["symbol"] for one in tickers} == set(NAMES)
            assert all(float(one["quoteVolume"]) > 0 for one in tickers)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[event]]\nat = 1\ndo = 'halt'\nsymbol = 'XUSDT'", "'XUSDT', which the market"),
        ("[[event]]\nat = 1\ndo = 'dance'", "dance"),
        ("[[event]]\nat = 1\ndo = 'burst'\nfactr = 2", "factr"),
        ("at = ", "is not one"),
    ],
)
def test_a_script_that_is_none_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        script(tmp_path, text)
    with pytest.raises(InputError, match="cannot be read"):
        read_script(tmp_path / "none.toml", NAMES)


def test_a_burst_is_so_many_times_as_busy_and_ids_go_on_by_one(tmp_path: Path) -> None:
    events = script(tmp_path, "[[event]]\nat = 90\ndo = 'burst'\nseconds = 30\nfactor = 10")
    found = bursts(events, START_MS)
    assert found == [Burst(START_MS // 1000 + 90, START_MS // 1000 + 120, 10.0)]
    market = SyntheticMarket(symbols=NAMES, rate=50.0, bursts=found)
    for symbol in NAMES:
        columns = market.columns(symbol, START_MS, START_MS + 10 * MINUTE_MS)
        assert set(np.diff(columns.ids)) == {1}
        assert (np.diff(columns.times_ms) >= 0).all()
        second = (columns.times_ms - START_MS) // 1000
        inside = ((second >= 90) & (second < 120)).sum() / 30
        outside = ((second < 60) | (second >= 150)).sum() / 510
        assert 6 < inside / outside < 14
        asked = market.rest_trades(TradesQuery(symbol, 1000, START_MS + 130_000, None, None))
        assert len(asked) == 1000
        first = int(columns.ids[0])
        page = market.rest_trades(TradesQuery(symbol, 1000, 2**62, first + 4000))
        assert [f'"a":{first + 4000 + n},' in row.decode() for n, row in enumerate(page)] == (
            [True] * 1000
        )


@given(
    st.integers(1, 50),
    st.dictionaries(st.integers(0, 40), st.integers(0, 500), max_size=6),
    st.integers(0, 3000),
)
def test_every_id_is_in_the_block_that_holds_it(
    usual: int, more: dict[int, int], trade_id: int
) -> None:
    ids = BlockIds(usual, more)
    number = ids.number_of(trade_id)
    assert ids.first(number) <= trade_id < ids.first(number) + ids.count(number)
    assert ids.first(number + 1) == ids.first(number) + ids.count(number)


def test_a_whole_market_is_as_busy_as_it_is_told() -> None:
    symbols = market_symbols(500)
    assert len(set(symbols)) == 500
    rates = market_rates(symbols, 500.0)
    assert sum(rates.values()) == pytest.approx(500.0)
    assert list(rates.values()) == sorted(rates.values(), reverse=True)
    assert min(rates.values()) >= 0.2
    assert rates["BTCUSDT"] > 15
