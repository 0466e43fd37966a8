"""The weight that REST may use: ours, that of others at our address, and bans."""

import asyncio
import time
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from collector.network.failures import retry_after
from collector.rest import RestClient, RestError, WeightBudget
from simulator import Faults, Limits, RestFailure, SimulatedExchange
from spreadlake import binance
from spreadlake.binance.limits import seconds_to_wait
from tests.collector.live import market, way

NOW_MS = 1_700_000_000_000
DATE = format_datetime(datetime.fromtimestamp(NOW_MS / 1000, UTC), usegmt=True)


def banned(until_ms: int) -> bytes:
    said = f"Way too many requests; IP banned until {until_ms}. Please use the websocket."
    return b'{"code":-1003,"msg":"%b"}' % said.encode()


def test_no_minute_has_more_than_the_budget() -> None:
    budget = WeightBudget(100)
    sent, now = [], 0.0
    for _ in range(50):
        now += budget.delay(20, now)
        assert budget.delay(20, now) == 0.0
        budget.spend(20, now)
        sent.append(now)
        now += 0.5
    assert all(later - earlier >= 60 for earlier, later in zip(sent, sent[5:], strict=False))
    assert sent[:5] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert sent[5] == 60.0


def test_a_shorter_ban_does_not_shorten_a_longer_one() -> None:
    budget = WeightBudget(100)
    budget.block(120.0, 0.0)
    budget.block(1.0, 10.0)
    assert budget.delay(1, 11.0) == 109.0
    budget.block(300.0, 20.0)
    assert budget.delay(1, 21.0) == 299.0


def test_what_others_at_the_address_use_is_used_up() -> None:
    budget = WeightBudget(100)
    budget.spend(20, 0.0)
    budget.report(70, sent=0.0, now=0.5)  # 50 of it are not ours
    assert budget.others(1.0) == 50
    assert budget.delay(20, 1.0) == 0.0
    budget.spend(20, 1.0)
    assert budget.others(1.0) == 50
    assert budget.delay(20, 2.0) == 58.5  # a minute after it was heard
    assert budget.delay(20, 60.5) == 0.0
    assert budget.others(60.5) == 0


def test_answers_that_overtake_each_other_are_put_in_order() -> None:
    budget = WeightBudget(100)
    budget.spend(20, 0.0)
    budget.spend(20, 1.0)
    budget.report(90, sent=1.0, now=1.5)
    budget.report(20, sent=0.0, now=1.6)
    assert budget.delay(20, 2.0) == 59.5
    # The exchange's next minute: what it counts has begun anew.
    budget.report(20, sent=1.0, now=3.0)
    assert budget.delay(20, 3.0) == 0.0


def test_what_we_used_is_not_taken_for_that_of_others() -> None:
    """The exchange's minute begins when ours does; its last answer comes when ours is over."""
    budget = WeightBudget(100)
    for number in range(5):
        budget.spend(20, number / 10)
        if number < 4:
            budget.report(20 * (number + 1), sent=number / 10, now=number / 10 + 0.05)
    budget.report(100, sent=0.4, now=60.1)
    assert budget.others(60.1) == 0
    assert budget.delay(20, 60.1) == 0.0


def test_what_is_under_way_is_ours_too() -> None:
    budget = WeightBudget(100)
    budget.spend(20, 0.0)
    budget.spend(20, 0.1)
    budget.report(40, sent=0.0, now=0.2)  # the later one was there first
    assert budget.others(0.2) == 0


def test_a_request_above_the_budget_goes_alone() -> None:
    budget = WeightBudget(20)
    assert budget.delay(40, 0.0) == 0.0
    budget.spend(40, 0.0)
    assert budget.delay(1, 1.0) == 59.0


def test_requests_wait_while_others_use_the_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    limits = Limits(weight_window=3600.0, others_weight=1_190)

    async def scenario() -> None:
        async with (
            SimulatedExchange(market(), limits=limits) as exchange,
            RestClient(way(exchange.rest_url), WeightBudget(1_200)) as rest,
        ):
            await rest.latest_trades("BTCUSDT", 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await rest.listing()
            assert rest.counts["rest_requests"] == 1

    asyncio.run(scenario())
    assert "others at this address use the exchange's REST weight as well, 1190 of" in caplog.text


@pytest.mark.parametrize("status", [418, 429])
def test_a_ban_that_only_the_body_tells_is_obeyed(status: int) -> None:
    async def scenario() -> None:
        until_ms = time.time_ns() // 1_000_000 + 900_000
        failure = RestFailure("status", status=status, body=banned(until_ms))
        budget = WeightBudget(1_200)
        async with (
            SimulatedExchange(market(), faults=Faults([failure])) as exchange,
            RestClient(way(exchange.rest_url), budget) as rest,
        ):
            with pytest.raises(RestError, match=rf"HTTP {status}: over the exchange's limit"):
                await rest.listing()
            # The default of a minute would be over long before.
            assert 600 < budget.delay(1, time.monotonic()) <= 900

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("retry_after", "body", "seconds"),
    [
        (None, b"", None),
        ("17", b"", 17.0),
        ("0", b"", 0.0),
        ("soon", b"", None),
        ("٣", b"", None),
        ("-5", b"", None),
        (None, banned(NOW_MS + 90_000), 90.0),
        ("17", banned(NOW_MS + 90_000), 90.0),
        ("170", banned(NOW_MS + 90_000), 170.0),
        (None, banned(NOW_MS - 90_000), None),
        ("17", banned(NOW_MS - 90_000), 17.0),
        (None, b"<html>banned until tomorrow", None),
        (None, banned(NOW_MS * 10), None),  # no time in ms
        (None, banned(9_999_999_999_999), 259_200.0),
        ("99999999999", b"", 259_200.0),
        ("9" * 400, b"", 259_200.0),
    ],
)
@pytest.mark.parametrize("clock_off_ms", [0, 3_600_000, -3_600_000])
def test_how_long_to_wait(
    retry_after: str | None, body: bytes, seconds: float | None, clock_off_ms: int
) -> None:
    """The exchange's own clock counts where it is told; ours otherwise."""
    asked = {} if retry_after is None else {"Retry-After": retry_after}
    assert seconds_to_wait(asked | {"Date": DATE}, body, NOW_MS + clock_off_ms) == seconds
    if not clock_off_ms:
        for unreadable in ({}, {"Date": ""}, {"Date": "yesterday"}):
            assert seconds_to_wait(asked | unreadable, body, NOW_MS) == seconds


def test_the_streams_heed_the_body_as_well() -> None:
    refused = InvalidStatus(Response(418, "", Headers({"Date": DATE}), banned(NOW_MS + 45_000)))
    assert retry_after(refused, binance, NOW_MS) == 45.0
