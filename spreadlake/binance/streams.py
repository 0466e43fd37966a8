"""Names and routes of Binance's USDⓈ-M market streams, and how a client asks for them. Pure.

Source: Binance open platform, USDⓈ-M futures, "WebSocket market streams" and "Live
subscribing/unsubscribing to streams". Since 2026-04-23 a stream comes on one route only; on another
one it is acknowledged and stays silent.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args
from urllib.parse import parse_qs, quote, unquote, urlsplit

from spreadlake.venue import Method, Subscription

Route = Literal["public", "market", "private"]

MESSAGES_PER_SECOND = 10
STREAMS_PER_CONNECTION = 1024
CONNECTION_ATTEMPTS = (300, 300.0)
CONNECTION_SECONDS = 86_400.0
PING_SECONDS = 180.0
PONG_SECONDS = 600.0

# Best prices, order books and single trades; all other market data comes on /market.
_PUBLIC = re.compile(r"(?:[^@]*@|!)(?:trade|bookTicker|rpiDepth|depth)\d*(?:@.*)?")
# A request line longer than 8 KiB is refused by many servers, so the streams that do not fit are
# asked for by messages.
_URL_LENGTH = 4_000
_STREAMS_PER_MESSAGE = 200


class Endpoint(NamedTuple):
    """Where a client connected: each route accepts every stream, and sends those that are its."""

    combined: bool
    route: Route
    streams: tuple[str, ...]


def stream_name(symbol: str, kind: str) -> str:
    """`BTCUSDT` → `btcusdt@aggTrade`; the exchange knows stream names in lower case only."""
    return f"{symbol.lower()}@{kind}"


def route_of(stream: str) -> Route:
    """The route that a stream comes on: `btcusdt@aggTrade` → market, `btcusdt@trade` → public."""
    return "public" if _PUBLIC.fullmatch(stream) else "market"


def combined_url(base: str, kind: str, streams: Iterable[str]) -> str:
    """Address of one connection that carries all of `streams`, each frame with its stream name.

    They are the streams of one kind of trades, which decides the route.
    """
    route = route_of(f"@{kind}")
    return f"{base}/{route}/stream?streams={quote('/'.join(streams), safe='/@')}"


def parse_target(target: str) -> Endpoint | None:
    """What a request target such as `/market/stream?streams=a/b` leads to; None: nothing.

    Without a route it is as `/public`.
    """
    parts = urlsplit(target)
    path = unquote(parts.path)
    routes: tuple[Route, ...] = get_args(Route)
    route: Route = next((name for name in routes if path.startswith(f"/{name}/")), "public")
    path = path.removeprefix(f"/{route}")
    if path == "/stream":
        names = parse_qs(parts.query).get("streams", [""])[0]
        return Endpoint(True, route, _names(names))
    if path == "/ws" or path.startswith("/ws/"):
        return Endpoint(False, route, _names(path.removeprefix("/ws")))
    return None


def subscription(base: str, symbols: Sequence[str], kind: str) -> Subscription:
    """Address and messages that subscribe one connection to the trades of `symbols`."""
    streams = [stream_name(symbol, kind) for symbol in symbols]
    fit = len(streams)
    while fit > 1 and len(combined_url(base, kind, streams[:fit])) > _URL_LENGTH:
        fit = max(1, fit * 9 // 10)
    url = combined_url(base, kind, streams[:fit])
    return Subscription(url, _messages("SUBSCRIBE", streams[fit:]))


def requests(method: Method, symbols: Sequence[str], kind: str) -> tuple[str, ...]:
    """Messages that subscribe an open connection to the trades of `symbols`, or the opposite."""
    return _messages(method, [stream_name(symbol, kind) for symbol in symbols])


def silence_hint(kind: str) -> str:
    """What to check where a connection stays silent though there are trades."""
    return (
        "check that exchange.ws_url is the exchange's own address without a route: "
        f"{kind} comes on /{route_of(f'@{kind}')} alone, and other routes acknowledge it and stay "
        "silent"
    )


def _messages(method: Method, streams: Sequence[str]) -> tuple[str, ...]:
    starts = range(0, len(streams), _STREAMS_PER_MESSAGE)
    return tuple(
        json.dumps(
            {"method": method, "params": streams[i : i + _STREAMS_PER_MESSAGE], "id": number}
        )
        for number, i in enumerate(starts, 1)
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in text.split("/") if name))
