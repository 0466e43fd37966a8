"""Symbols are checked as soon as the exchange answers; what may trade later is waited for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from collector.rest import RestClient, RestError
from collector.service import serve
from collector.symbols.listing import ListingCheck
from collector.symbols.roster import Roster
from collector.timing import Timing
from simulator import Faults, RestFailure, SimulatedExchange, When
from spreadlake.binance.listings import listed
from spreadlake.config import Settings
from spreadlake.errors import ExchangeError
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from spreadlake.venue import Listed, Standing
from tests.collector.lakes import rows_of
from tests.collector.live import (
    FAST,
    SYMBOLS,
    collecting,
    counter,
    differences,
    market,
    more_ticks,
    open_gaps,
    settings_for,
    until,
)

LISTING = [listed(symbol, "TRADING") for symbol in SYMBOLS]
MISTYPED = "BTCUDST"
PASSING = ("PENDING_TRADING", "TRADING_HALT", "PRE_DELIVERING", "PRE_SETTLE", "SOMETHING_NEW")
ENDING = ("DELIVERING", "DELIVERED", "SETTLING", "CLOSE")


def listing_of(**statuses: str) -> list[Listed]:
    return [listed(symbol, statuses.get(symbol, "TRADING")) for symbol in SYMBOLS]


class Listings(RestClient):
    """Answers with what is given, one after the other."""

    def __init__(self, *answers: list[Listed] | RestError) -> None:
        self.answers = list(answers)

    async def listing(self) -> list[Listed]:
        answer = self.answers.pop(0)
        if isinstance(answer, RestError):
            raise answer
        return answer


class Check(ListingCheck):
    """With a roster, and a note of what joined; the lake holds trades of `captured`."""

    def __init__(
        self, rest: RestClient, symbols: Sequence[str] = SYMBOLS, captured: Sequence[str] = ()
    ) -> None:
        self.roster = Roster(symbols)
        self.joined: list[str] = []
        super().__init__(rest, self.roster, FAST, captured.__contains__, self.take)

    async def take(self, symbols: Sequence[str]) -> None:
        self.joined += symbols


def checked(*answers: list[Listed] | RestError, symbols: Sequence[str] = SYMBOLS) -> Check:
    """After as many answers as are given."""

    async def scenario() -> Check:
        check = Check(Listings(*answers), symbols)
        await check.check(first=True)
        while check._rest.answers:  # type: ignore[attr-defined]
            await check.check()
        return check

    return asyncio.run(scenario())


def with_the_mistake(settings: Settings) -> Settings:
    return settings.model_copy(update={"symbols": [*SYMBOLS, MISTYPED]})


def test_a_mistyped_symbol_is_refused_when_the_exchange_answers_later(tmp_path: Path) -> None:
    faults = Faults([RestFailure("status", status=503, when=When(times=5))])

    async def scenario() -> None:
        async with SimulatedExchange(market(), faults=faults) as exchange:
            settings = with_the_mistake(settings_for(exchange))
            context = ServiceContext(settings, Lake(tmp_path), options={"timing": FAST})
            async with asyncio.timeout(60):
                await serve(context, asyncio.Event())

    with pytest.raises(ExchangeError, match=f"does not know '{MISTYPED}'; did you mean BTCUSDT"):
        asyncio.run(scenario())


def test_symbols_that_are_right_are_asked_about_until_there_is_one_answer(tmp_path: Path) -> None:
    faults = Faults([RestFailure("status", status=503, when=When(times=3))])

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with (
            SimulatedExchange(market(), faults=faults) as exchange,
            collecting(lake, settings_for(exchange)) as running,
        ):
            await until(lambda: counter(lake, "rest_requests") == 4)
            stored = counter(lake, "batches")
            await until(lambda: counter(lake, "batches") >= stored + 3)
            assert counter(lake, "rest_requests") == 4
            assert not running.done()

    asyncio.run(scenario())


def test_what_is_captured_when_the_answer_comes_is_only_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rest = Listings(RestError("no answer"), LISTING)

    async def scenario() -> None:
        await Check(rest, [*SYMBOLS, MISTYPED], captured=[MISTYPED]).check(first=True)

    asyncio.run(scenario())
    assert f"does not know '{MISTYPED}'" in caplog.text


def test_an_exchange_that_does_not_answer_is_told_once_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    check = checked(*[RestError("no answer")] * 20, LISTING)
    assert check.joined == []
    assert caplog.text.count("symbols could not be checked") == 1


@pytest.mark.parametrize("status", PASSING)
def test_a_status_that_passes_is_told_once_and_waited_for(
    caplog: pytest.LogCaptureFixture, status: str
) -> None:
    halted = listing_of(ETHUSDT=status)
    check = checked(halted, halted, halted)
    assert check.roster.standing("ETHUSDT") is Standing.WAITS
    assert check.roster.not_trading == {"ETHUSDT": status}
    assert caplog.text.count(f"'ETHUSDT' does not trade now (status {status})") == 1
    assert "joins as soon as it trades" in caplog.text
    assert check.joined == []
    check = checked(halted, LISTING, LISTING, halted, LISTING)
    assert check.joined == ["ETHUSDT"] * 2


@pytest.mark.parametrize("status", ENDING)
def test_a_status_that_does_not_come_back_is_told(
    caplog: pytest.LogCaptureFixture, status: str
) -> None:
    check = checked(*[listing_of(ETHUSDT=status)] * 2)
    assert check.roster.standing("ETHUSDT") is Standing.OVER
    assert caplog.text.count(f"'ETHUSDT' never trades again (status {status})") == 1
    assert "no symbol trades now" not in caplog.text


def test_where_nothing_can_ever_trade_there_is_nothing_to_capture() -> None:
    over = listing_of(BTCUSDT="SETTLING", ETHUSDT="CLOSE", SOLUSDT="DELIVERED")
    with pytest.raises(ExchangeError, match="none of BTCUSDT, ETHUSDT, SOLUSDT trades any more"):
        checked(over)
    # While it is captured nothing is given up for what one answer says.
    assert checked(LISTING, over, LISTING).roster.not_trading == {}


def test_where_nothing_trades_yet_it_is_said_and_waited(caplog: pytest.LogCaptureFixture) -> None:
    nothing = listing_of(BTCUSDT="TRADING_HALT", ETHUSDT="CLOSE", SOLUSDT="PRE_SETTLE")
    check = checked(nothing, nothing, listing_of(ETHUSDT="CLOSE", SOLUSDT="PRE_SETTLE"))
    assert caplog.text.count("no symbol trades now; waiting until one of them does") == 1
    assert check.joined == ["BTCUSDT"]


def test_of_a_symbol_that_is_added_a_mistake_is_only_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        check = Check(Listings(LISTING, LISTING))
        await check.check(first=True)
        assert check.roster.add([MISTYPED, "BTCUSDT", MISTYPED]) == [MISTYPED]
        await check.check()

    asyncio.run(scenario())
    assert f"does not know '{MISTYPED}'; did you mean BTCUSDT" in caplog.text


def test_symbols_that_do_not_trade_are_waited_for_and_join(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    statuses = {"ETHUSDT": "PENDING_TRADING", "SOLUSDT": "SETTLING"}

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market(), statuses=statuses) as exchange:
            settings = settings_for(exchange, silence_seconds=2.0)
            async with collecting(lake, settings):
                await until(lambda: "joins as soon as it trades" in caplog.text)
                await more_ticks(lake, 300)
                assert rows_of(lake, "SELECT DISTINCT symbol FROM ticks") == [("BTCUSDT",)]
                exchange.set_status("ETHUSDT", "TRADING")
                held = "SELECT ticks FROM symbols WHERE symbol = 'ETHUSDT' AND ticks > 100"
                await until(lambda: rows_of(lake, held) and "ETHUSDT trades now" in caplog.text)
                await until(lambda: not open_gaps(lake))
            assert counter(lake, "reconnects") == 0
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert "never trades again (status SETTLING)" in caplog.text
    assert found.pop("right") > 300
    assert found == {"missing": 0, "twice": 0, "wrong": 0}


def test_a_halt_is_found_soon_where_the_list_is_read_once_an_hour(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The symbol falls silent, and then the exchange is asked: nobody is to be alarmed for it."""
    timing = replace(FAST, listing_quiet=0.1)
    trading = "SELECT trading FROM universe WHERE symbol = 'ETHUSDT' AND trading = "

    async def scenario() -> None:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, silence_seconds=0.3)
            async with collecting(lake, settings, timing):
                await until(lambda: rows_of(lake, trading + "1"))
                await more_ticks(lake, 300)
                exchange.set_status("ETHUSDT", "TRADING_HALT")
                await until(lambda: rows_of(lake, trading + "0"))
                exchange.set_status("ETHUSDT", "TRADING")
                await until(lambda: rows_of(lake, trading + "1"))

    asyncio.run(scenario())
    assert "(status TRADING_HALT)" in caplog.text


def test_a_halt_that_lasts_is_asked_about_ever_less_often() -> None:
    halted = listing_of(ETHUSDT="TRADING_HALT")
    waits = []

    async def scenario() -> None:
        check = Check(Listings(*[halted] * 4, LISTING, halted))
        check._timing = Timing()
        for _ in range(6):
            await check.check()
            waits.append(check._wait_seconds())

    asyncio.run(scenario())
    assert waits == [30.0, 60.0, 120.0, 120.0, 30.0, 30.0]


def test_a_halt_while_trades_are_captured_passes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    often = replace(FAST, listing_again=0.1)

    async def scenario() -> dict[str, int]:
        lake = Lake(tmp_path)
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, silence_seconds=0.5)
            async with collecting(lake, settings, often):
                await more_ticks(lake, 100)
                exchange.set_status("ETHUSDT", "TRADING_HALT")
                await until(lambda: "(status TRADING_HALT)" in caplog.text)
                await more_ticks(lake, 200)
                exchange.set_status("ETHUSDT", "TRADING")
                await until(lambda: "ETHUSDT trades now" in caplog.text)
                await more_ticks(lake, 200)
                await until(lambda: not open_gaps(lake))
            return differences(lake, exchange)

    found = asyncio.run(scenario())
    assert found.pop("right") > 400
    assert found == {"missing": 0, "twice": 0, "wrong": 0}
