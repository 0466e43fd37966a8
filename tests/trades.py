"""A trade as rows of the lake hold it, for those who compare."""

from typing import NamedTuple

from spreadlake.trades import COLUMNS, TradeEvent

TICKS = f"ticks(seq, {', '.join(COLUMNS)})"
"""The table and the columns for rows of `Trade`; what else it has stays NULL."""


class Trade(NamedTuple):
    """One (aggregate) trade, in the order of the columns of `ticks`.

    `time_ms` is the exchange's trade time; `trade_id` rises by 1 per symbol.
    """

    symbol: str
    trade_id: int
    time_ms: int
    price: float
    qty: float
    buyer_is_maker: bool


def as_trade(event: TradeEvent) -> Trade:
    """The event as the lake keeps it."""
    return Trade(
        event.symbol, event.trade_id, event.time_ms, event.price, event.qty, event.buyer_is_maker
    )
