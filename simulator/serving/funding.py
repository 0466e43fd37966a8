"""Funding rates as REST gives them. Pure.

Source: Binance open platform, USDⓈ-M futures, "Get Funding Rate History".
"""

from collections.abc import Mapping
from heapq import merge
from itertools import islice
from typing import Any

from simulator.source import FundingRecord, Source

_BACK_MS = 3 * 86_400_000


def funding_rows(
    source: Source,
    until_ms: Mapping[str, int],
    limit: int,
    start_ms: int | None,
    end_ms: int | None,
) -> list[dict[str, Any]]:
    """At most `limit` in order of time: the first from `start_ms` on, without one the latest.

    Of each symbol there are those before `until_ms`. Times are inclusive.
    """
    first_ms = start_ms if start_ms is not None else _begin(until_ms, limit, end_ms)
    last_ms = 2**62 if end_ms is None else end_ms + 1
    every = merge(
        *(
            source.funding(symbol, first_ms, min(until, last_ms))
            for symbol, until in until_ms.items()
        ),
        key=lambda record: (record.time_ms, record.symbol),
    )
    found = islice(every, limit) if start_ms is not None else list(every)[-limit:]
    return [_row(record) for record in found]


def _begin(until_ms: Mapping[str, int], limit: int, end_ms: int | None) -> int:
    """A time from which there are at least `limit` records: the longest interval is 8 hours."""
    newest = max(until_ms.values(), default=0)
    days = -(-limit // max(1, 3 * len(until_ms)))
    return (newest if end_ms is None else min(newest, end_ms)) - _BACK_MS - days * 86_400_000


def _row(record: FundingRecord) -> dict[str, Any]:
    return {
        "symbol": record.symbol,
        "fundingTime": record.time_ms,
        "fundingRate": record.rate,
        "markPrice": record.mark_price,
    }
