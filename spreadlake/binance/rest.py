"""Binance's REST endpoints: requests, what they weigh, and their answers. Pure.

Source: Binance open platform, USDⓈ-M futures, "Market data endpoints".
"""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import astuple

from spreadlake.binance.listings import decode_listing, decode_volumes
from spreadlake.trades import TradeEvent
from spreadlake.venue import Kline, Listed, Request

PREFIX = "/fapi/v1/"
TRADES, KLINES, LISTING, PING, TIME = "aggTrades", "klines", "exchangeInfo", "ping", "time"
TICKERS = "ticker/24hr"
REST_KIND = "aggTrade"
TRADES_PAGE = 1000
MOST_KLINES = 1500
# Not the most there are in an answer: the most that weigh the least each.
KLINES_PAGE = 499
DEFAULT_PAGE = 500
# Names of parameters.
SYMBOL, LIMIT, FROM_ID, INTERVAL = "symbol", "limit", "fromId", "interval"
START, END = "startTime", "endTime"

TRADES_WEIGHT = 20
OTHER_WEIGHT = 1
# Of all symbols; of one it is as of any other request.
TICKERS_WEIGHT = 40
_KLINES_WEIGHTS = ((99, 1), (499, 2), (1000, 5))

_Price = Annotated[float, Meta(gt=0, lt=1e15)]
_Part = Annotated[float, Meta(ge=0, lt=1e15)]
_Volume = Annotated[float, Meta(ge=0, lt=1e18)]
_TradeId = Annotated[int, Meta(ge=0, lt=2**53)]
_TimeMs = Annotated[int, Meta(gt=0, lt=4_102_444_800_000)]
P = TypeVar("P")
V = TypeVar("V")


class _PlainTrade(Struct, gc=False):
    a: _TradeId
    p: _Price
    q: _Price
    T: _TimeMs
    m: bool


class _Trade(_PlainTrade, gc=False):
    f: _TradeId | None = None
    l: _TradeId | None = None  # noqa: E741 the name is the exchange's
    nq: _Part | None = None


class KlineRow(Struct, Generic[P, V], array_like=True, gc=False):
    """A kline in the order of the exchange's array; prices and volumes are decimal text there."""

    open_ms: _TimeMs
    open: P
    high: P
    low: P
    close: P
    volume: V
    close_ms: _TimeMs
    quote_volume: V
    trades: Annotated[int, Meta(ge=0)]
    taker_buy_volume: V
    # Nobody reads these: whatever is in them, the rest is a kline.
    taker_buy_quote_volume: Any = None
    ignore: Any = "0"


_trades = msgspec.json.Decoder(list[_Trade], strict=False)
_one_trade = [msgspec.json.Decoder(kind, strict=False) for kind in (_Trade, _PlainTrade)]
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_klines = msgspec.json.Decoder(list[KlineRow[_Price, _Volume]], strict=False)


def klines_weight(limit: int) -> int:
    """Weight of one request for `limit` klines."""
    return next((weight for most, weight in _KLINES_WEIGHTS if limit <= most), 10)


def trades_from(symbol: str, from_id: int) -> Request[list[TradeEvent]]:
    """At most `TRADES_PAGE` trades in order, the first of them with the least id >= from_id."""
    return _trades_request(symbol, {FROM_ID: from_id, LIMIT: TRADES_PAGE})


def trades_since(symbol: str, start_ms: int, limit: int) -> Request[list[TradeEvent]]:
    """At most `limit` trades in order, the first of them at `start_ms` or next after it."""
    return _trades_request(symbol, {START: start_ms, LIMIT: limit})


def latest_trades(symbol: str, limit: int) -> Request[list[TradeEvent]]:
    """The `limit` newest trades in order."""
    return _trades_request(symbol, {LIMIT: limit})


def klines(
    symbol: str, interval: str, limit: int, end_ms: int | None = None
) -> Request[list[Kline]]:
    """The `limit` newest klines that open up to `end_ms`, in order."""
    parameters: dict[str, str | int] = {SYMBOL: symbol, INTERVAL: interval, LIMIT: limit}
    if end_ms is not None:
        parameters[END] = end_ms
    return Request(PREFIX + KLINES, parameters, klines_weight(limit), decode_klines)


def listing() -> Request[list[Listed]]:
    """All contracts of the exchange."""
    return Request(PREFIX + LISTING, {}, OTHER_WEIGHT, decode_listing)


def volumes() -> Request[dict[str, float]]:
    """The quote volume of the last 24 hours of every contract that trades."""
    return Request(PREFIX + TICKERS, {}, TICKERS_WEIGHT, decode_volumes)


def _trades_request(symbol: str, parameters: dict[str, str | int]) -> Request[list[TradeEvent]]:
    return Request(
        PREFIX + TRADES,
        {SYMBOL: symbol, **parameters},
        TRADES_WEIGHT,
        lambda body: decode_trades(body, symbol),
    )


def decode_trades(body: bytes, symbol: str) -> list[TradeEvent]:
    """The trades of an `aggTrades` answer, as the stream would have sent them.

    One that cannot be one (a price of 0, no time) is left out, and costs only itself; of `f`, `l`
    and `nq` that cannot be true nothing is known.
    """
    try:
        trades = _trades.decode(body)
    except msgspec.ValidationError:
        trades = [trade for raw in _raw.decode(body) if (trade := _trade_in(raw)) is not None]
    return [TradeEvent(symbol, t.a, t.T, t.p, t.q, t.m, t.f, t.l, t.nq) for t in trades]


def _trade_in(raw: msgspec.Raw) -> _Trade | None:
    for decoder in _one_trade:
        try:
            trade = decoder.decode(raw)
        except msgspec.ValidationError:
            continue
        return trade if isinstance(trade, _Trade) else _Trade(*astuple(trade))
    return None


def decode_klines(body: bytes) -> list[Kline]:
    """The klines of a `klines` answer."""
    return [
        Kline(
            row.open_ms,
            row.open,
            row.high,
            row.low,
            row.close,
            row.volume,
            row.quote_volume,
            row.taker_buy_volume,
            row.trades,
        )
        for row in _klines.decode(body)
    ]
