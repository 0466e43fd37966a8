"""Funding rates of the captured symbols: their history, and each new one when it is due."""

import asyncio
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from collector.rest import RestClient, RestError, WeightBudget
from simulator import Faults, Limits, RestFailure, SimulatedExchange, SyntheticMarket, When
from spreadlake import binance
from spreadlake.config import Settings, load_settings
from spreadlake.funding import FundingRate
from spreadlake.lake import Lake, atomic, open_ticks_writer
from spreadlake.lake.ticks.funding import FundingSpan, save_funding, save_spans
from tests.collector.lakes import rows_of
from tests.collector.live import collecting, counter, more_ticks, ticks, until, way

# Of 8, 4 and 1 hours.
SYMBOLS = ["BTCUSDT", "ETHUSDT", "AAUSDT", "ABUSDT", "ADUSDT", "AIUSDT"]
HOUR = 3_600_000
DAY = 24 * HOUR
EIGHT = 1_764_144_000_000  # 2025-11-26 08:00 UTC
MIDNIGHT = EIGHT - 8 * HOUR


def market() -> SyntheticMarket:
    return SyntheticMarket(seed=5, symbols=[*SYMBOLS, "LINKUSDT"], rate=2)


def settings_for(exchange: SimulatedExchange, **overrides: Any) -> Settings:
    collector = {"warm_start_minutes": 0, "request_weight": 2400, "repair_hours": 0}
    return load_settings(
        None,
        symbols=overrides.pop("symbols", SYMBOLS),
        exchange={"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
        collector=collector | overrides,
    )


@cache
def truth(start_ms: int, end_ms: int) -> list[tuple[object, ...]]:
    """What the exchange has of the symbols that are captured."""
    source = market()
    records = [r for symbol in SYMBOLS for r in source.funding(symbol, start_ms, end_ms)]
    return sorted((r.symbol, r.time_ms, float(r.rate), float(r.mark_price)) for r in records)


def held(lake: Lake, start_ms: int = 0, end_ms: int = 2**62) -> list[tuple[object, ...]]:
    return rows_of(
        lake,
        "SELECT symbol, time_ms, rate, mark_price FROM funding "
        f"WHERE time_ms >= {start_ms} AND time_ms < {end_ms} ORDER BY 1, 2",
    )


def is_whole(lake: Lake, start_ms: int, end_ms: int) -> bool:
    return held(lake, start_ms, end_ms) == truth(start_ms, end_ms)


def playing(start_ms: int, speed: float = 20.0, **options: Any) -> SimulatedExchange:
    return SimulatedExchange(market(), start_ms=start_ms, speed=speed, **options)


def test_history_comes_first_and_then_each_new_rate(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with playing(EIGHT - 60_000) as exchange:
            async with collecting(lake, settings_for(exchange)):
                await until(lambda: is_whole(lake, MIDNIGHT - DAY, EIGHT))
                await until(lambda: is_whole(lake, MIDNIGHT - DAY, EIGHT + 1000))
            requests = counter(lake, "rest_requests")
            assert requests <= len(SYMBOLS) + 6  # the listing, and few questions about all

    asyncio.run(scenario())
    # All three intervals are due, and there is nothing of a symbol that is not captured.
    due = {symbol for symbol, *_ in truth(EIGHT, EIGHT + 1000)}
    assert due == set(SYMBOLS)
    assert {symbol for symbol, *_ in held(lake)} == set(SYMBOLS)
    assert not rows_of(lake, "SELECT * FROM gaps")


@pytest.mark.parametrize("page", [3, 7])
def test_pages_join_though_symbols_share_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(binance, "FUNDING_PAGE", page)
    monkeypatch.setattr("spreadlake.binance.funding_rates.FUNDING_PAGE", page)
    monkeypatch.setattr(binance, "FUNDING_REQUESTS", (100_000, 300.0))
    lake = Lake(tmp_path)

    async def scenario() -> None:
        limits = Limits(funding_requests=100_000)
        async with (
            playing(EIGHT - 60_000, limits=limits) as exchange,
            collecting(lake, settings_for(exchange)),
        ):
            await until(lambda: is_whole(lake, MIDNIGHT - DAY, EIGHT + 1000))

    asyncio.run(scenario())


@pytest.mark.parametrize("hours", [3, 30])
def test_a_restart_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """After less than a day by a question about all, and alone after more."""
    lake, asked = Lake(tmp_path), list[str | None]()
    funding = RestClient.funding

    async def noted(rest: RestClient, symbol: str | None, *span: int) -> Any:
        asked.append(symbol)
        return await funding(rest, symbol, *span)

    async def scenario() -> None:
        async with playing(EIGHT + HOUR) as exchange, collecting(lake, settings_for(exchange)):
            await until(lambda: is_whole(lake, MIDNIGHT - DAY, EIGHT + HOUR))
        monkeypatch.setattr(RestClient, "funding", noted)
        later = EIGHT + HOUR + hours * HOUR
        # A while after the hour: at it, what has not come yet is asked for alone.
        begin = later + HOUR // 4
        async with playing(begin) as exchange, collecting(lake, settings_for(exchange)):
            await until(lambda: is_whole(lake, MIDNIGHT - DAY, later))
            await more_ticks(lake, 50)

    asyncio.run(scenario())
    assert asked[0] is None
    if hours > 24:
        assert any(asked)


def test_days_before_the_first_trade_that_were_imported_later_get_theirs(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with playing(EIGHT + HOUR) as exchange, collecting(lake, settings_for(exchange)):
            await until(lambda: is_whole(lake, MIDNIGHT - DAY, EIGHT + HOUR))
        with closing(open_ticks_writer(lake)) as db:
            early = MIDNIGHT - 9 * DAY
            db.execute(
                "INSERT INTO rolls(symbol, hour_ms, rows, max_seq, rolled_ms) "
                "VALUES ('ETHUSDT', ?, 1, 1, 1)",
                (early,),
            )
        async with playing(EIGHT + HOUR) as exchange, collecting(lake, settings_for(exchange)):
            wanted = [row for row in truth(early, EIGHT + HOUR) if row[0] == "ETHUSDT"]
            await until(lambda: [r for r in held(lake) if r[0] == "ETHUSDT"] == wanted)

    asyncio.run(scenario())


def test_one_that_is_delisted_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = Lake(tmp_path)
    caplog.set_level("INFO")

    async def scenario() -> None:
        async with playing(EIGHT + HOUR) as exchange, collecting(lake, settings_for(exchange)):
            await until(lambda: is_whole(lake, MIDNIGHT - DAY, EIGHT + HOUR))
        later = EIGHT + 40 * HOUR
        over = {"AAUSDT": "CLOSE"}
        async with (
            playing(later, statuses=over) as exchange,
            collecting(lake, settings_for(exchange)),
        ):
            await until(lambda: "no funding rates of AAUSDT" in caplog.text)
            rest = [row for row in truth(MIDNIGHT - DAY, later) if row[0] != "AAUSDT"]
            await until(lambda: [r for r in held(lake, 0, later) if r[0] != "AAUSDT"] == rest)

    asyncio.run(scenario())
    assert caplog.text.count("no funding rates of AAUSDT") == 1
    assert "funding rates could not be fetched" not in caplog.text


def test_failures_are_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lake = Lake(tmp_path)
    faults = Faults([
        RestFailure("status", status=503, when=When(lasting=1.0)),
        RestFailure("malformed", when=When(seconds=1.0, times=3)),
        RestFailure("status", status=429, retry_after=1, when=When(seconds=1.2)),
    ])  # fmt: skip

    async def scenario() -> None:
        async with (
            playing(EIGHT - 60_000, faults=faults) as exchange,
            collecting(lake, settings_for(exchange)),
        ):
            await until(lambda: is_whole(lake, MIDNIGHT - DAY, EIGHT + 1000))

    asyncio.run(scenario())
    assert "funding rates could not be fetched, asking again" in caplog.text


def test_nothing_is_asked_where_it_is_turned_off(tmp_path: Path) -> None:
    lake = Lake(tmp_path)

    async def scenario() -> None:
        async with (
            playing(EIGHT - 60_000) as exchange,
            collecting(lake, settings_for(exchange, funding=False)),
        ):
            await until(lambda: ticks(lake) > 400)
            assert counter(lake, "rest_requests") == 1  # exchangeInfo

    asyncio.run(scenario())
    assert held(lake) == []


def test_a_rate_that_contradicts_is_told_once_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    right = next(iter(market().funding("BTCUSDT", EIGHT, EIGHT + 1000)))
    other = FundingRate("BTCUSDT", right.time_ms, 0.5, float(right.mark_price))
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_funding(db, [other])
        save_spans(db, [FundingSpan("BTCUSDT", MIDNIGHT - 3 * DAY, EIGHT - 5 * HOUR)])

    async def scenario() -> None:
        async with (
            playing(EIGHT + HOUR - 60_000, speed=60.0) as exchange,
            collecting(lake, settings_for(exchange)),
        ):
            # The second question about all is of this hour again.
            await until(lambda: is_whole(lake, EIGHT + HOUR, EIGHT + HOUR + 1000))

    asyncio.run(scenario())
    assert tuple(other) in held(lake)
    assert caplog.text.count("a funding rate contradicts the lake") == 1
    assert f"BTCUSDT 2025-11-26T08:00:00Z: rate {float(right.rate)}" in caplog.text
    assert "held is BTCUSDT 2025-11-26T08:00:00Z: rate 0.5" in caplog.text


def test_its_budget_is_its_own_and_a_ban_is_everybodys() -> None:
    async def scenario() -> None:
        limits = Limits(funding_requests=1, funding_window=3600.0)
        async with (
            SimulatedExchange(market(), limits=limits, start_ms=EIGHT) as exchange,
            RestClient(way(exchange.rest_url), WeightBudget(2)) as rest,
        ):
            assert (await rest.funding("BTCUSDT", MIDNIGHT)).rates
            await rest.listing()
            await rest.listing()  # which uses up the weight
            with pytest.raises(RestError, match="HTTP 429: over the exchange's limit"):
                await rest.funding(None, MIDNIGHT)
            for asked in (rest.funding(None, MIDNIGHT), rest.latest_trades("BTCUSDT", 1)):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asked, 0.3)

    asyncio.run(scenario())


def test_no_five_minutes_have_more_requests_than_the_budget() -> None:
    most, window = binance.FUNDING_REQUESTS
    budget, now, sent = WeightBudget(most, window), 0.0, []
    for _ in range(2 * most):
        now += budget.delay(1, now)
        budget.spend(1, now)
        sent.append(now)
    assert (most, window) == (300, 300.0)
    assert all(later - earlier >= 300 for earlier, later in zip(sent, sent[300:], strict=False))
