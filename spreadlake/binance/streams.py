"""Names and routes of Binance's USDⓈ-M market streams. Pure.

Source: Binance open platform, USDⓈ-M futures, "WebSocket market streams". Since 2026-04-23 a stream
comes on one route only; on another one it is acknowledged and stays silent.
"""

import re
from collections.abc import Iterable
from typing import Literal
from urllib.parse import quote

from spreadlake.trades import TradeKind

Route = Literal["public", "market", "private"]

# Best prices, order books and single trades; all other market data comes on /market.
_PUBLIC = re.compile(r"(?:[^@]*@|!)(?:trade|bookTicker|rpiDepth|depth)\d*(?:@.*)?")


def stream_name(symbol: str, kind: TradeKind) -> str:
    """`BTCUSDT` → `btcusdt@aggTrade`; the exchange knows stream names in lower case only."""
    return f"{symbol.lower()}@{kind}"


def route_of(stream: str) -> Route:
    """The route that a stream comes on: `btcusdt@aggTrade` → market, `btcusdt@trade` → public."""
    return "public" if _PUBLIC.fullmatch(stream) else "market"


def combined_url(base: str, kind: TradeKind, streams: Iterable[str]) -> str:
    """Address of one connection that carries all of `streams`, each frame with its stream name.

    They are the streams of one kind of trades, which decides the route.
    """
    route = route_of(f"@{kind}")
    return f"{base}/{route}/stream?streams={quote('/'.join(streams), safe='/@')}"
