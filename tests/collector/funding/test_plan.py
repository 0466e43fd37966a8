"""Which funding rates are asked for, and when."""

from itertools import pairwise

import pytest

from collector.funding.plan import (
    AGAIN_MS,
    LOOK_BACK_MS,
    Question,
    complete_until,
    is_recent,
    next_hour,
    overdue,
    questions,
)
from spreadlake.funding import FundingRate
from spreadlake.lake.ticks.funding import FundingSpan

HOUR = 3_600_000
DAY = 24 * HOUR
MIDNIGHT = 20_000 * DAY
NOW = MIDNIGHT + 5 * HOUR
A = "BTCUSDT"


def asked(first_ms: int, span: FundingSpan | None, now_ms: int = NOW) -> list[Question]:
    return questions({A: first_ms}, {} if span is None else {A: span}, now_ms)


def test_a_symbol_without_rates_is_asked_about_from_before_its_first_trade() -> None:
    assert asked(NOW, None) == [Question(A, MIDNIGHT - DAY, None)]


def test_recent_history_that_moves_the_first_trade_back_asks_for_nothing_more() -> None:
    span = FundingSpan(A, MIDNIGHT - DAY, complete_until(NOW))
    assert asked(MIDNIGHT - DAY, span) == []
    # An import of days before does.
    earlier = MIDNIGHT - DAY - 1
    assert asked(earlier, span) == [Question(A, MIDNIGHT - 2 * DAY, MIDNIGHT - DAY - 1)]


def test_what_lacks_more_than_a_day_is_asked_about_alone() -> None:
    recent = FundingSpan(A, 0, NOW - DAY)
    assert asked(0, recent) == []
    assert is_recent(recent, NOW)
    old = FundingSpan(A, 0, NOW - DAY - 1)
    assert asked(0, old) == [Question(A, NOW - DAY - 1, None)]
    assert not is_recent(old, NOW)


def test_rates_are_due_soon_after_each_full_hour() -> None:
    assert MIDNIGHT < next_hour(MIDNIGHT - 1) < MIDNIGHT + 60_000
    assert next_hour(MIDNIGHT) == next_hour(MIDNIGHT - 1) + HOUR


def test_what_is_asked_once_more_is_asked_ever_more_seldom_and_within_the_hour() -> None:
    assert all(earlier < later for earlier, later in pairwise(AGAIN_MS))
    assert sum(AGAIN_MS) < HOUR / 2
    # A rate that comes later still is in the answers of the hours after.
    assert LOOK_BACK_MS >= 8 * HOUR


def newest(*hours: float) -> list[FundingRate]:
    return [FundingRate(A, MIDNIGHT + round(hour * HOUR) + 5, 1e-4) for hour in hours]


@pytest.mark.parametrize(
    ("hours", "now", "late"),
    [
        ((0, -8), 8.01, True),
        ((0, -8), 7.99, False),
        ((0, -4), 4.01, True),
        ((0, -1), 1.5, True),
        ((8, 0), 8.01, False),  # it is there
        ((0, -8), 9.01, False),  # it was not there for an hour: it is told, and looked for later
        ((0,), 8.01, False),  # its interval is not known yet
    ],
)
def test_a_rate_is_expected_as_long_after_the_last_as_that_was_before(
    hours: tuple[float, ...], now: float, late: bool
) -> None:
    expected = [A] if late else []
    assert overdue(newest(*hours), MIDNIGHT + round(now * HOUR)) == expected


def test_rates_of_two_symbols_are_not_compared() -> None:
    other = FundingRate("ETHUSDT", MIDNIGHT - 8 * HOUR, 1e-4)
    assert overdue([*newest(0), other], MIDNIGHT + 8 * HOUR + 9) == []
