"""The symbols that rules choose are captured, while symbols come and go at the exchange."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from collector.service import serve
from simulator import Facts, Faults, RestFailure, SimulatedExchange, SyntheticMarket, When
from spreadlake.config import Settings, load_settings
from spreadlake.errors import ExchangeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.universe import UniverseLook, captured_symbols, read_universe
from spreadlake.service import ServiceContext
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    caught_up,
    collecting,
    counter,
    differences,
    open_gaps,
    ticks,
    until,
)

OFTEN = replace(FAST, listing_again=0.1)
NAMES = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDC", "GOLDUSDT"]
FACTS = {
    "BTCUSDT": Facts(quote_volume=9e6),
    "ETHUSDT": Facts(quote_volume=8e6),
    "SOLUSDT": Facts(quote_volume=7e6),
    "XRPUSDT": Facts(quote_volume=6e6),
    "ADAUSDC": Facts(quote_volume=5e6),
    "GOLDUSDT": Facts("TRADIFI_PERPETUAL", underlying="COMMODITY", quote_volume=4e6),
}


def market(names: Sequence[str] = NAMES) -> SyntheticMarket:
    return SyntheticMarket(seed=1, symbols=names, rate=20.0)


def chosen(exchange: Any, connections: int = 1, **rules: Any) -> Settings:
    return load_settings(
        None,
        symbols="all",
        universe=rules,
        exchange={"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
        collector={
            "warm_start_minutes": 1,
            "request_weight": 2400,
            "connections_per_symbol": connections,
        },
    )


def look(lake: Lake) -> UniverseLook:
    with closing(open_reader(lake.ticks_db)) as db:
        return read_universe(db)


def captured(lake: Lake) -> list[str] | None:
    with closing(open_reader(lake.ticks_db)) as db:
        return captured_symbols(db)


def why(lake: Lake, symbol: str) -> str:
    return {row.symbol: row.reason for row in look(lake).rows}[symbol]


def held(lake: Lake, symbol: str) -> int:
    rows = rows_of(lake, f"SELECT ticks FROM symbols WHERE symbol = '{symbol}'")
    return int(str(rows[0][0])) if rows else 0


def run(
    lake: Lake,
    during: Callable[[SimulatedExchange], Any],
    names: Sequence[str] = NAMES,
    faults: Faults | None = None,
    statuses: dict[str, str] | None = None,
    facts: dict[str, Facts] | None = None,
    connections: int = 1,
    **rules: Any,
) -> dict[str, int]:
    """A collector with these rules while `during` (a coroutine function) runs; the differences."""

    async def scenario() -> dict[str, int]:
        given = FACTS | (facts or {})
        async with SimulatedExchange(
            market(names), faults=faults, statuses=statuses, facts=given
        ) as exchange:
            async with collecting(lake, chosen(exchange, connections, **rules), OFTEN):
                await during(exchange)
                await until(lambda: ticks(lake) > 0 and not open_gaps(lake))
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 0
    assert found == {"missing": 0, "twice": 0, "wrong": 0}
    return found


def test_all_are_the_crypto_perpetuals_of_every_quote_unless_rules_say_otherwise(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path)

    async def during(exchange: SimulatedExchange) -> None:
        await until(lambda: captured(lake) == sorted(set(NAMES) - {"GOLDUSDT"}))
        await until(lambda: all(held(lake, symbol) for symbol in captured(lake) or ()))
        assert "asks for PERPETUAL" in why(lake, "GOLDUSDT")
        assert held(lake, "GOLDUSDT") == 0
        assert counter(lake, "reconnects") == 0
        assert exchange.status()["connections"] == 1

    run(lake, during)


def test_tradfi_only_where_it_is_asked_for(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def during(_: SimulatedExchange) -> None:
        await until(lambda: captured(lake) == ["GOLDUSDT"])
        await until(lambda: held(lake, "GOLDUSDT"))
        # It has market hours: nobody is to be told that it is silent.
        expected = {row.symbol: row.trading for row in look(lake).rows}
        assert (expected["GOLDUSDT"], expected["BTCUSDT"]) == (0, 1)

    run(lake, during, contract="TRADIFI_PERPETUAL")


def test_quote_volume_top_include_and_exclude(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def during(_: SimulatedExchange) -> None:
        await until(lambda: captured(lake) == ["BTCUSDT", "GOLDUSDT", "SOLUSDT"])
        assert why(lake, "ETHUSDT") == "universe.exclude names it"
        assert why(lake, "GOLDUSDT") == "universe.include names it"
        assert "quoted in USDC" in why(lake, "ADAUSDC")
        assert "number 3 by 24 h volume, and universe.top is 2" in why(lake, "XRPUSDT")
        row = {row.symbol: row for row in look(lake).rows}["SOLUSDT"]
        assert (row.rank, row.quote_volume, row.quote) == (2, 7e6, "USDT")

    run(lake, during, quote="USDT", top=2, include=["GOLDUSDT"], exclude=["ETHUSDT"])


@pytest.mark.parametrize("connections", [1, 2])
def test_a_new_listing_joins_with_its_history_and_nothing_restarts(
    tmp_path: Path, connections: int
) -> None:
    lake = Lake(tmp_path)

    async def during(exchange: SimulatedExchange) -> None:
        await until(lambda: captured(lake) == ["BTCUSDT", "ETHUSDT"])
        await until(lambda: min(held(lake, "BTCUSDT"), held(lake, "ETHUSDT")) > 100)
        exchange.set_facts("SOLUSDT", listed=True)
        await until(lambda: captured(lake) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
        await until(lambda: held(lake, "SOLUSDT") > 1000)  # more than came since
        klines = "SELECT count(*) FROM klines WHERE symbol = 'SOLUSDT'"
        await until(lambda: int(str(rows_of(lake, klines)[0][0])) > 100)
        assert counter(lake, "reconnects") == 0
        await until(lambda: exchange.status()["connections"] == connections)
        assert rows_of(lake, "SELECT * FROM gaps") == []

    facts = {"SOLUSDT": Facts(listed=False)}
    run(lake, during, names=NAMES[:3], facts=facts, connections=connections)


def test_one_that_is_announced_is_waited_for_and_captured_from_its_first_trade(
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path)

    async def during(exchange: SimulatedExchange) -> None:
        await until(lambda: captured(lake) == ["BTCUSDT", "ETHUSDT"])
        await until(lambda: "does not trade now (PENDING_TRADING)" in why(lake, "ETHUSDT"))
        exchange.set_status("ETHUSDT", "TRADING")
        await until(lambda: held(lake, "ETHUSDT") > 50)
        await until(lambda: "does not trade" not in why(lake, "ETHUSDT"))

    run(lake, during, names=NAMES[:2], statuses={"ETHUSDT": "PENDING_TRADING"})


def test_a_delisting_is_known_before_and_leaves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    delivery_ms = (int(time.time()) + 3600) * 1000

    async def during(exchange: SimulatedExchange) -> None:
        await until(lambda: held(lake, "ETHUSDT") > 100)
        exchange.set_facts("ETHUSDT", delivery_ms=delivery_ms)
        exchange.set_facts("SOLUSDT", listed=True)  # seen in one look with it
        rows = f"SELECT symbol, place FROM universe WHERE delivery_ms = {delivery_ms}"
        await until(lambda: rows_of(lake, rows) == [("ETHUSDT", 1)])
        await until(lambda: "ETHUSDT ends at " in caplog.text)
        await until(lambda: captured(lake) == NAMES[:3])
        exchange.set_status("ETHUSDT", "SETTLING")
        await until(lambda: captured(lake) == ["BTCUSDT", "SOLUSDT"])
        assert why(lake, "ETHUSDT") == "it never trades again (status SETTLING)"
        assert "ETHUSDT is captured no longer: it never trades again" in caplog.text
        exchange.set_facts("ETHUSDT", listed=False)
        await until(lambda: "ETHUSDT" not in {row.symbol for row in look(lake).rows})

    run(lake, during, names=NAMES[:3], facts={"SOLUSDT": Facts(listed=False)})


def test_a_renamed_one_is_told_and_its_new_name_joins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    born = 1_700_000_000_000
    facts = {
        "SOLUSDT": Facts(quote_volume=7e6, onboard_ms=born),
        "XRPUSDT": Facts(quote_volume=6e6, onboard_ms=born, listed=False),
    }

    async def during(exchange: SimulatedExchange) -> None:
        await until(lambda: held(lake, "SOLUSDT") > 50)
        exchange.set_facts("XRPUSDT", listed=True)
        exchange.set_facts("SOLUSDT", listed=False)
        await until(lambda: captured(lake) == ["BTCUSDT", "ETHUSDT", "XRPUSDT"])
        assert "SOLUSDT is captured no longer: the exchange lists it no more" in caplog.text
        assert "it seems to be renamed to XRPUSDT" in caplog.text

    run(lake, during, names=NAMES[:4], facts=facts)


def test_a_halted_one_stays_and_is_told(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def during(exchange: SimulatedExchange) -> None:
        await until(lambda: held(lake, "ETHUSDT") > 50)
        exchange.set_status("ETHUSDT", "TRADING_HALT")
        await until(lambda: "does not trade now (TRADING_HALT)" in why(lake, "ETHUSDT"))
        assert captured(lake) == ["BTCUSDT", "ETHUSDT"]
        exchange.set_status("ETHUSDT", "TRADING")
        await until(lambda: "does not trade" not in why(lake, "ETHUSDT"))
        before = held(lake, "ETHUSDT")
        await until(lambda: held(lake, "ETHUSDT") > before + 50)

    run(lake, during, names=NAMES[:2])


def test_an_exchange_that_cannot_be_reached_leaves_those_of_last_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)

    async def first(_: SimulatedExchange) -> None:
        await until(lambda: captured(lake) == ["BTCUSDT", "ETHUSDT"] and held(lake, "BTCUSDT"))

    async def again(_: SimulatedExchange) -> None:
        before = held(lake, "BTCUSDT")
        await until(lambda: held(lake, "BTCUSDT") > before + 50)
        await until(lambda: "cannot be read" in look(lake).trouble)
        assert captured(lake) == ["BTCUSDT", "ETHUSDT"]
        assert "the 2 symbols captured go on" in caplog.text

    run(lake, first, top=2)
    failing = RestFailure("status", status=503, when=When(lasting=1e6))

    async def scenario() -> None:
        async with (
            SimulatedExchange(market(), faults=Faults([failing]), facts=FACTS) as exchange,
            collecting(lake, chosen(exchange, top=2), OFTEN),
        ):
            await again(exchange)

    asyncio.run(scenario())


def test_an_empty_lake_waits_for_the_exchange_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    faults = Faults([RestFailure("status", status=503, when=When(times=6))])

    async def during(_: SimulatedExchange) -> None:
        await until(lambda: held(lake, "BTCUSDT"))
        assert "the exchange's list cannot be read" in caplog.text
        assert "nothing is captured yet, and it is asked for again" in caplog.text
        await until(lambda: look(lake).trouble == "")

    run(lake, during, names=NAMES[:2], faults=faults)


def test_a_list_that_is_cut_off_throws_nobody_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)

    async def during(exchange: SimulatedExchange) -> None:
        everybody = sorted(set(NAMES) - {"GOLDUSDT"})
        await until(lambda: captured(lake) == everybody)
        for symbol in NAMES[2:]:
            exchange.set_facts(symbol, listed=False)
        await until(lambda: "3 of the 5 captured symbols are gone" in look(lake).trouble)
        for symbol in NAMES[:2]:
            exchange.set_facts(symbol, listed=False)
        await until(lambda: "it is empty" in look(lake).trouble)
        assert captured(lake) == everybody
        assert "not believed" in caplog.text
        for symbol in NAMES:
            exchange.set_facts(symbol, listed=True)
        back_ms = exchange.clock_ms()
        await until(lambda: look(lake).trouble == "")
        assert captured(lake) == everybody
        # What traded meanwhile is on record as missing with the first trade behind it.
        await until(lambda: caught_up(lake, back_ms))

    run(lake, during)


def test_volumes_that_are_missing_throw_nobody_out(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def during(exchange: SimulatedExchange) -> None:
        await until(lambda: captured(lake) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
        for symbol in NAMES:
            exchange.set_facts(symbol, quote_volume=0.0)
        await until(lambda: "24 h volumes cannot be had" in look(lake).trouble)
        assert captured(lake) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]

    run(lake, during, min_quote_volume=6.5e6)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"include": ["BTCUSTD"]}, "universe.include, .* does not know 'BTCUSTD'; did you mean"),
        ({"quote": "EUR"}, r"none of the 6 contracts .* fits the rules \(.* EUR\); .* USDC, USDT"),
    ],
)
def test_rules_that_can_fit_nothing_are_refused(
    tmp_path: Path, rules: dict[str, Any], said: str
) -> None:
    async def scenario() -> None:
        async with SimulatedExchange(market(), facts=FACTS) as exchange:
            context = ServiceContext(
                chosen(exchange, **rules), Lake(tmp_path), options={"timing": OFTEN}
            )
            async with asyncio.timeout(60):
                await serve(context, asyncio.Event())

    with pytest.raises(ExchangeError, match=said):
        asyncio.run(scenario())
