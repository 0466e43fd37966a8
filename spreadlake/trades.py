"""A trade as every layer knows it."""

from typing import Literal, NamedTuple

__all__ = ["COLUMNS", "Trade", "TradeKind"]

TradeKind = Literal["aggTrade", "trade"]

COLUMNS = ("symbol", "trade_id", "time_ms", "price", "qty", "buyer_is_maker")


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
