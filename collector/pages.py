"""What a page of trades from REST means for a gap. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from collector.gaps import IdRange
from spreadlake.wire import AggTrade

__all__ = ["PageReading", "read_page"]


@dataclass(frozen=True)
class PageReading:
    """`trades` belong into the gap; `absent` are ids in it that the exchange seems not to have.

    `begins_ms` is the time of the first of the trades, None where there is none.
    """

    trades: list[AggTrade]
    absent: tuple[IdRange, ...] = ()

    @property
    def begins_ms(self) -> int | None:
        """Trade time of the first of `trades`."""
        return self.trades[0].time_ms if self.trades else None


def read_page(gap: IdRange, page: Sequence[AggTrade], size: int) -> PageReading:
    """Reads the answer to "trades from id `gap.first` on", of which a page holds at most `size`.

    Ids before the first trade of the page are absent, and those after the last one of a page that
    is not full: there the exchange's trades end.
    """
    trades = [trade for trade in page if gap.first <= trade.trade_id <= gap.last]
    ids = [trade.trade_id for trade in page]
    absent = [IdRange(gap.first, min([gap.last, *(i - 1 for i in ids[:1])]))]
    if ids and len(ids) < size:
        absent.append(IdRange(max(gap.first, ids[-1] + 1), gap.last))
    return PageReading(trades, tuple(part for part in absent if part.size > 0))
