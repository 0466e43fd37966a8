"""What a page of trades from REST means for a gap. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from collector.gaps import IdRange
from spreadlake.wire import AggTrade

__all__ = ["PageReading", "read_page"]


@dataclass(frozen=True)
class PageReading:
    """`trades` belong into the gap; `absent` are ids at its beginning that the page passes over.

    `too_old` says that the page begins before the time up to which gaps are repaired.
    """

    trades: list[AggTrade]
    absent: IdRange | None = None
    too_old: bool = False


def read_page(gap: IdRange, page: Sequence[AggTrade], oldest_ms: int) -> PageReading:
    """Reads the answer to "trades from id `gap.first` on"; `oldest_ms` in exchange time."""
    trades = [trade for trade in page if gap.first <= trade.trade_id <= gap.last]
    if trades and trades[0].time_ms < oldest_ms:
        return PageReading([], too_old=True)
    begins = min((trade.trade_id for trade in page), default=gap.last + 1)
    absent = IdRange(gap.first, min(gap.last, begins - 1))
    return PageReading(trades, absent if absent.size > 0 else None)
