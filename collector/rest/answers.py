"""Types of the REST answers that the collector reads. Pure.

Source: Binance open platform, USDⓈ-M futures, "Market data endpoints".
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from spreadlake.binance import AggTrade

_Amount = Annotated[float, Meta(gt=0, lt=1e15)]
_Volume = Annotated[float, Meta(ge=0, lt=1e18)]
_TimeMs = Annotated[int, Meta(gt=0, lt=4_102_444_800_000)]


class _Trade(Struct, gc=False):
    a: Annotated[int, Meta(ge=0, lt=2**53)]
    p: _Amount
    q: _Amount
    T: _TimeMs
    m: bool


class Kline(Struct, array_like=True, gc=False):
    """A kline, in the order of the exchange's array; volumes in base units but for `quote_`."""

    open_ms: _TimeMs
    open: _Amount
    high: _Amount
    low: _Amount
    close: _Amount
    volume: _Volume
    close_ms: _TimeMs
    quote_volume: _Volume
    trades: Annotated[int, Meta(ge=0)]
    taker_buy_volume: _Volume


class SymbolInfo(Struct, gc=False):
    """A contract as `exchangeInfo` lists it; only those with status TRADING trade."""

    symbol: str
    status: str


class _Error(Struct, gc=False):
    code: int


class _ExchangeInfo(Struct, gc=False):
    symbols: list[SymbolInfo]


_trades = msgspec.json.Decoder(list[_Trade], strict=False)
_trade = msgspec.json.Decoder(_Trade, strict=False)
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_klines = msgspec.json.Decoder(list[Kline], strict=False)
_error = msgspec.json.Decoder(_Error)
_info = msgspec.json.Decoder(_ExchangeInfo)


def decode_agg_trades(body: bytes, symbol: str) -> list[AggTrade]:
    """The trades of an `aggTrades` answer, as the stream would have sent them.

    One that cannot be one (a price of 0, no time) is left out, and costs only itself.
    """
    try:
        trades = _trades.decode(body)
    except msgspec.ValidationError:
        trades = [trade for raw in _raw.decode(body) if (trade := _trade_in(raw)) is not None]
    return [AggTrade(symbol, t.a, t.T, t.p, t.q, t.m) for t in trades]


def _trade_in(raw: msgspec.Raw) -> _Trade | None:
    try:
        return _trade.decode(raw)
    except msgspec.ValidationError:
        return None


def decode_klines(body: bytes) -> list[Kline]:
    """The klines of a `klines` answer."""
    return _klines.decode(body)


def decode_exchange_info(body: bytes) -> list[SymbolInfo]:
    """The contracts of an `exchangeInfo` answer."""
    return _info.decode(body).symbols


def error_code(body: bytes) -> int | None:
    """The exchange's own code in the answer to a refused request; None where there is none."""
    try:
        return _error.decode(body).code
    except msgspec.DecodeError:
        return None


def kline_row(symbol: str, timeframe: str, kline: Kline) -> tuple[object, ...]:
    """The kline in the order of the columns of `klines`; its time in Unix seconds."""
    prices = (kline.open, kline.high, kline.low, kline.close)
    volumes = (kline.volume, kline.quote_volume, kline.taker_buy_volume)
    return (symbol, timeframe, kline.open_ms // 1000, *prices, *volumes, kline.trades)
