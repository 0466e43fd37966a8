"""What is in a frame as it came: its stream, its trade, and the same trade as REST has it. Pure."""

import re
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from spreadlake.binance.decode import KINDS, FrameDecoder
from spreadlake.decoding import UNREADABLE
from spreadlake.trades import CoinMargined, FrameError, Ignored, TradeEvent

_COMBINED = re.compile(rb'\{"stream":"([^"\\]+)","data":')
# The suffixes of streams that are not simply named after their event.
_SUFFIXES = {"depthUpdate": "depth", "24hrTicker": "ticker", "markPriceUpdate": "markPrice"}
_TAGS = {kind: b'"%b"' % kind.encode() for kind in KINDS}
_DECODERS = {kind: FrameDecoder(kind) for kind in KINDS}


class RestTrade(Struct):
    """An aggregate trade as REST gives it, each value written as in the recorded event."""

    a: int
    p: str
    q: str
    T: int
    m: bool
    f: int | UnsetType = UNSET
    l: int | UnsetType = UNSET  # noqa: E741 the name is the exchange's
    nq: str | UnsetType = UNSET


class _Amounts(Struct):
    p: str
    q: str


_decode_any = msgspec.json.Decoder().decode


def trade_in(frame: bytes, kind: str) -> TradeEvent | None:
    """The trade of that kind in the frame, if it holds one that the collector would store."""
    event = _event_in(frame, kind)
    return None if event is None or isinstance(event, Ignored) else event


def coin_margined_in(frame: bytes, kind: str) -> str | None:
    """The symbol of the COIN-M contract whose trade is in the frame; None where there is none."""
    event = _event_in(frame, kind)
    return event.symbol if isinstance(event, CoinMargined) else None


def _event_in(frame: bytes, kind: str) -> TradeEvent | Ignored | None:
    # To decode what is no trade takes long, and most frames of a mixed recording are none.
    if _TAGS[kind] not in frame:
        return None
    try:
        return _DECODERS[kind].decode(frame)
    except FrameError:
        return None


def stream_of(frame: bytes) -> tuple[str | None, bool]:
    """Name of the frame's stream (None: it has none), and whether the frame is combined."""
    match = _COMBINED.match(frame)
    if match is not None:
        return match[1].decode(errors="replace"), True
    value = _json_object(frame)
    if isinstance(value.get("stream"), str) and "data" in value:
        return value["stream"], True
    return _bare_stream(value), False


def _bare_stream(event: dict[str, Any]) -> str | None:
    kind, symbol = event.get("e"), event.get("s")
    if not isinstance(kind, str) or not isinstance(symbol, str):
        return None
    if kind == "kline" and isinstance(event.get("k"), dict):
        kind = f"kline_{event['k'].get('i')}"
    return f"{symbol.lower()}@{_SUFFIXES.get(kind, kind)}"


def _json_object(frame: bytes) -> dict[str, Any]:
    try:
        value = _decode_any(frame)
    except UNREADABLE:
        return {}
    return value if isinstance(value, dict) else {}


def _event(frame: bytes) -> Any:
    value = _json_object(frame)
    return value.get("data", value)


def decimals_in(frame: bytes) -> tuple[int, int]:
    """Digits after the point of the price and of the quantity of a trade."""
    amounts = msgspec.convert(_event(frame), _Amounts, strict=False)
    return _digits(amounts.p), _digits(amounts.q)


def _digits(text: str) -> int:
    return len(text.partition(".")[2])


def rest_trade(frame: bytes) -> RestTrade:
    """The aggregate trade in the frame as REST gives it."""
    return msgspec.convert(_event(frame), RestTrade, strict=False)
