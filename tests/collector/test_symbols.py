"""Symbols are checked as soon as the exchange answers, be that at the start or later."""

import asyncio
from pathlib import Path

import pytest

from collector import symbols
from collector.rest import RestClient, RestError, SymbolInfo
from collector.service import serve
from collector.symbols import check_symbols
from spreadlake.config import Settings
from spreadlake.errors import ExchangeError
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from spreadlake.simulator import Faults, RestFailure, SimulatedExchange, When
from tests.collector.live import FAST, SYMBOLS, collecting, counter, market, settings_for, until

LISTING = [SymbolInfo(symbol, "TRADING") for symbol in SYMBOLS]
MISTYPED = "BTCUDST"


class Listings(RestClient):
    """Answers `exchangeInfo` with what is given, one after the other."""

    def __init__(self, *answers: list[SymbolInfo] | RestError) -> None:
        self.answers = list(answers)

    async def exchange_info(self) -> list[SymbolInfo]:
        answer = self.answers.pop(0)
        if isinstance(answer, RestError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "_AGAIN", 0.01)


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
    captured = set[str]()

    class AfterATrade(Listings):
        async def exchange_info(self) -> list[SymbolInfo]:
            listing = await super().exchange_info()
            captured.add(MISTYPED)
            return listing

    rest = AfterATrade(RestError("no answer"), LISTING)
    asyncio.run(check_symbols(rest, [*SYMBOLS, MISTYPED], captured.__contains__))
    assert f"does not know '{MISTYPED}'" in caplog.text


def test_an_exchange_that_does_not_answer_is_told_once_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rest = Listings(*[RestError("no answer")] * 20, LISTING)
    asyncio.run(check_symbols(rest, SYMBOLS, lambda _: False))
    assert rest.answers == []
    assert caplog.text.count("symbols could not be checked") == 1
