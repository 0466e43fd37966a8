"""Binance's wire format: stream names, routes and frames. Pure: no socket, no clock."""

from spreadlake.binance.decode import (
    AggTrade,
    CoinMargined,
    FrameDecoder,
    FrameError,
    Ignored,
    MarketTrade,
    OffMarket,
    TradeEvent,
    as_trade,
)
from spreadlake.binance.streams import Route, combined_url, route_of, stream_name

__all__ = [
    "AggTrade",
    "CoinMargined",
    "FrameDecoder",
    "FrameError",
    "Ignored",
    "MarketTrade",
    "OffMarket",
    "Route",
    "TradeEvent",
    "as_trade",
    "combined_url",
    "route_of",
    "stream_name",
]
