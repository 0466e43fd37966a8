"""Which connection carries which symbols, and how it asks for them. Pure."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spreadlake.binance import combined_url, stream_name
from spreadlake.trades import TradeKind

# A request line longer than 8 KiB is refused by many servers, so the streams that do not fit are
# asked for by messages, of which the exchange allows 10 a second.
_URL_LENGTH = 4_000
_STREAMS_PER_MESSAGE = 200

Method = Literal["SUBSCRIBE", "UNSUBSCRIBE"]


@dataclass(frozen=True)
class Subscription:
    """How one connection asks for its symbols."""

    url: str
    messages: tuple[str, ...]


def symbols_per_connection(symbols: Sequence[str], streams: int) -> list[tuple[str, ...]]:
    """Spreads symbols evenly over as few connections of at most `streams` as are needed."""
    connections = -(-len(symbols) // streams)
    return [tuple(symbols[start::connections]) for start in range(connections)]


def subscribe(base: str, symbols: Sequence[str], kind: TradeKind) -> Subscription:
    """Address and messages that subscribe one connection to the trades of `symbols`."""
    streams = [stream_name(symbol, kind) for symbol in symbols]
    fit = len(streams)
    while fit > 1 and len(combined_url(base, kind, streams[:fit])) > _URL_LENGTH:
        fit = max(1, fit * 9 // 10)
    url = combined_url(base, kind, streams[:fit])
    return Subscription(url, _messages("SUBSCRIBE", streams[fit:]))


def requests(method: Method, symbols: Sequence[str], kind: TradeKind) -> tuple[str, ...]:
    """Messages that subscribe an open connection to the trades of `symbols`, or the opposite."""
    return _messages(method, [stream_name(symbol, kind) for symbol in symbols])


def _messages(method: Method, streams: Sequence[str]) -> tuple[str, ...]:
    starts = range(0, len(streams), _STREAMS_PER_MESSAGE)
    return tuple(
        json.dumps(
            {"method": method, "params": streams[i : i + _STREAMS_PER_MESSAGE], "id": number}
        )
        for number, i in enumerate(starts, 1)
    )
