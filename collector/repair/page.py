"""What a page of trades from REST means for a gap. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spreadlake.lake.ticks.id_ranges import within
from spreadlake.trades import IdRange, TradeEvent


@dataclass(frozen=True)
class PageReading:
    """`trades` are missing ones, of this gap or another; `absent` are ids of the gap that the
    exchange passes over, None where it passes over none.

    `begins_ms` is the time of the first trade that belongs into the gap itself, None where there
    is none.
    """

    trades: list[TradeEvent]
    absent: IdRange | None = None
    begins_ms: int | None = None


def read_page(gap: IdRange, page: Sequence[TradeEvent], gaps: Sequence[IdRange]) -> PageReading:
    """Reads the answer to "trades from id `gap.first` on"; `gaps` are all that the symbol lacks.

    What the exchange passes over on its way to a later trade, it does not have. An answer that
    ends before the gap does, or has nothing in it, says nothing of the rest: REST is a moment
    behind the stream, and sometimes minutes.
    """
    trades = sorted(
        (trade for trade in page if trade.trade_id >= gap.first), key=lambda t: t.trade_id
    )
    own = next((trade for trade in trades if trade.trade_id <= gap.last), None)
    absent = None
    if trades and trades[0].trade_id > gap.first:
        absent = IdRange(gap.first, min(gap.last, trades[0].trade_id - 1))
    return PageReading(_missing(trades, gaps), absent, own.time_ms if own else None)


def _missing(trades: Sequence[TradeEvent], gaps: Sequence[IdRange]) -> list[TradeEvent]:
    """Those of `trades` that fall into `gaps` (sorted, disjoint)."""
    ids = np.fromiter((trade.trade_id for trade in trades), np.int64, len(trades))
    return [trades[i] for i in np.flatnonzero(within(gaps, ids)).tolist()]
