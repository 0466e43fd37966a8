"""Which funding rates are still to be asked for, and when new ones are due. Pure.

Times are Unix ms by the exchange's clock. One question about all symbols brings what is new of
hundreds; a symbol that lacks more than a day of its rates is asked about alone.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from spreadlake.funding import SAME_MS, FundingRate
from spreadlake.lake.ticks.funding import FundingSpan

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
# Intervals are of whole hours, this many at most; a rate that is published later than its hour is
# found in the questions of as many hours after it.
LOOK_BACK_MS = 8 * _HOUR_MS
# A rate is asked for so long after its full hour, and again after these while it is not there.
DUE_AFTER_MS = 10_000
AGAIN_MS = (15_000, 30_000, 60_000, 120_000, 300_000)


class Question(NamedTuple):
    """The rates of one symbol from `start_ms` to `end_ms`, both included; None: up to now."""

    symbol: str
    start_ms: int
    end_ms: int | None


def questions(
    first_trades_ms: Mapping[str, int], spans: Mapping[str, FundingSpan], now_ms: int
) -> list[Question]:
    """What symbols, each with the time of its first trade, lack of their own."""
    found = (_question(s, first, spans.get(s), now_ms) for s, first in first_trades_ms.items())
    return [question for question in found if question is not None]


def _question(
    symbol: str, first_trade_ms: int, span: FundingSpan | None, now_ms: int
) -> Question | None:
    begin_ms = first_trade_ms // _DAY_MS * _DAY_MS
    if span is None:
        # A day more: recent history soon moves the first trade back.
        return Question(symbol, max(0, begin_ms - _DAY_MS), None)
    if begin_ms < span.first_ms:
        return Question(symbol, begin_ms, span.first_ms - 1)
    if not is_recent(span, now_ms):
        return Question(symbol, span.until_ms, None)
    return None


def is_recent(span: FundingSpan, now_ms: int) -> bool:
    """Whether a question about all symbols brings what is new of this one."""
    return span.until_ms >= now_ms - _DAY_MS


def complete_until(now_ms: int) -> int:
    """Up to when rates are complete that were asked for at `now_ms`."""
    return now_ms - LOOK_BACK_MS


def next_hour(now_ms: int) -> int:
    """When rates are due after `now_ms`."""
    return now_ms // _HOUR_MS * _HOUR_MS + _HOUR_MS + DUE_AFTER_MS


def overdue(latest: Iterable[FundingRate], now_ms: int) -> list[str]:
    """Symbols whose rate of this hour should be there: as long after the last as that was before.

    `latest` are the two newest of each symbol, newest first.
    """
    found, before = [], None
    for rate in latest:
        if before is not None and before.symbol == rate.symbol:
            due_ms = _hour(before.time_ms) + _hour(before.time_ms) - _hour(rate.time_ms)
            if due_ms <= now_ms < due_ms + _HOUR_MS:
                found.append(rate.symbol)
        before = rate
    return found


def _hour(time_ms: int) -> int:
    """The full hour that a funding is of."""
    return (time_ms + SAME_MS) // _HOUR_MS * _HOUR_MS
