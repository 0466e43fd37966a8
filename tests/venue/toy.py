"""An exchange that does not exist, as a room of its own: nothing of it is as at Binance."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from spreadlake.trades import FrameError, Ignored, OffMarket, TradeEvent
from spreadlake.venue import (
    FundingPage,
    Headers,
    Kline,
    Listed,
    Method,
    Refusal,
    Request,
    Standing,
    Subscription,
)

REST_KIND = "trade"
MESSAGES_PER_SECOND = 1000
CONNECTION_ATTEMPTS = (1000, 1.0)
TRADES_PAGE = 3
TRADES_WEIGHT = 1
KLINES_PAGE = 10
FUNDING_PAGE = 0
FUNDING_REQUESTS = (1, 1.0)
REMEDIES: Mapping[int, str] = {402: "pay first"}


def venue_of(*urls: str) -> str | None:
    return "toy" if urls else None


def frame_decoder(kind: str) -> Callable[[bytes], TradeEvent | Ignored]:
    """Frames are `SYMBOL id time price qty side`; `!` before one is a trade that was none."""
    assert kind == REST_KIND
    return decode


def decode(frame: bytes) -> TradeEvent | Ignored:
    words = frame.decode().split()
    if words == ["welcome"]:
        return Ignored("a greeting")
    try:
        symbol, trade_id, time_ms, price, qty, side = words
        if symbol.startswith("!"):
            return OffMarket("cancelled", symbol[1:], int(trade_id))
        return TradeEvent(
            symbol, int(trade_id), int(time_ms), float(price), float(qty), side == "sell"
        )
    except ValueError as error:
        raise FrameError(str(error)) from None


def subscription(base: str, symbols: Sequence[str], kind: str) -> Subscription:
    return Subscription(f"{base}/feed", requests("SUBSCRIBE", symbols, kind))


def requests(method: Method, symbols: Sequence[str], kind: str) -> tuple[str, ...]:
    sign = "+" if method == "SUBSCRIBE" else "-"
    return tuple(f"{sign}{symbol} {kind}" for symbol in symbols)


def silence_hint(kind: str) -> str:
    return f"ask for {kind} again"


def trades_from(symbol: str, from_id: int) -> Request[list[TradeEvent]]:
    return _fills({"market": symbol, "after": from_id - 1})


def trades_since(symbol: str, start_ms: int, limit: int) -> Request[list[TradeEvent]]:
    return _fills({"market": symbol, "since": start_ms, "count": limit})


def latest_trades(symbol: str, limit: int) -> Request[list[TradeEvent]]:
    return _fills({"market": symbol, "count": limit})


def _fills(parameters: Mapping[str, str | int]) -> Request[list[TradeEvent]]:
    return Request("/v9/fills", parameters, TRADES_WEIGHT, decode_fills)


def decode_fills(body: bytes) -> list[TradeEvent]:
    lines = [decode(line) for line in body.splitlines()]
    return [trade for trade in lines if isinstance(trade, TradeEvent)]


def klines_weight(limit: int) -> int:
    return limit


def klines(
    symbol: str, interval: str, limit: int, end_ms: int | None = None
) -> Request[list[Kline]]:
    parameters: dict[str, str | int] = {"market": symbol, "bars": interval, "count": limit}
    if end_ms is not None:
        parameters["until"] = end_ms
    return Request("/v9/bars", parameters, klines_weight(limit), lambda _: [])


def funding(symbol: str | None, start_ms: int, end_ms: int | None = None) -> Request[FundingPage]:
    raise NotImplementedError


def listing() -> Request[list[Listed]]:
    return Request("/v9/markets", {}, 1, decode_markets)


def decode_markets(body: bytes) -> list[Listed]:
    states = msgspec.json.decode(body, type=dict[str, str])
    known = {"open": Standing.TRADES, "paused": Standing.WAITS, "gone": Standing.OVER}
    return [Listed(symbol, state, known[state]) for symbol, state in states.items()]


def volumes() -> Request[dict[str, float]]:
    return Request("/v9/volumes", {}, 1, msgspec.json.decode)


def refuses(status: int) -> bool:
    return status == 402


def used_weight(headers: Headers) -> int | None:
    used = headers.get("X-Toy-Used")
    return None if used is None else int(used)


def seconds_to_wait(headers: Headers, body: bytes, now_ms: int) -> float | None:
    return 1.0 if body == b"later" else None


def refusal(status: int, headers: Headers, body: bytes, now_ms: int) -> Refusal:
    if status == 503:
        return Refusal(wait=seconds_to_wait(headers, body, now_ms) or 0.0)
    return Refusal(of="symbol" if body == b"unknown market" else None, answered=True)
