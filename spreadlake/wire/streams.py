"""Names and routes of Binance's USDⓈ-M market streams.

Source: Binance open platform, USDⓈ-M futures, "WebSocket market streams". Since 2026-04-23 only
the routes under `/market` send trades; the old `/stream` and `/ws` stay silent.
"""

from collections.abc import Iterable
from urllib.parse import quote

from spreadlake.trades import TradeKind

__all__ = ["combined_url", "stream_name"]


def stream_name(symbol: str, kind: TradeKind) -> str:
    """`BTCUSDT` → `btcusdt@aggTrade`; the exchange knows stream names in lower case only."""
    return f"{symbol.lower()}@{kind}"


def combined_url(base: str, streams: Iterable[str]) -> str:
    """Address of one connection that carries all of `streams`, each frame with its stream name."""
    return f"{base}/market/stream?streams={quote('/'.join(streams), safe='/@')}"
