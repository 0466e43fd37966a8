"""Frames of Binance's market streams → trades. Pure: no socket, no clock.

A trade is decoded in one typed pass. Whatever is not a trade takes the slower `_classify`, which
tells what is normal (another event, an acknowledgement, a trade that did not happen on the
market) from what is malformed.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from spreadlake.pairs import is_coin_margined
from spreadlake.trades import CoinMargined, FrameError, Ignored, OffMarket, TradeEvent

# Bounds that no real trade passes: they keep a nonsense value out of the lake, where a time in
# the year 50000 would carry every bar up to it. NaN and infinity fail the comparison.
_ID_LIMIT = 2**53
_COIN = 2  # `st`; 1 is USD-M
_TradeId = Annotated[int, Meta(ge=0, lt=_ID_LIMIT)]
_TimeMs = Annotated[int, Meta(gt=0, lt=4_102_444_800_000)]  # up to the year 2100
_Amount = Annotated[float, Meta(gt=0, lt=1e15)]
_Part = Annotated[float, Meta(ge=0, lt=1e15)]
# What a trade is one without: where it cannot be true, it is not known, and the trade stays.
_ADDITIONS = ("f", "l", "nq")
# A trade happens before the event that tells it; the two clocks of the exchange differ by less.
_MOST_AHEAD_MS = 5_000
# The other way round it can only be late, and a late trade changes no bar but its own.
_MOST_BEHIND_MS = 86_400_000


class AggTrade(TradeEvent, tag_field="e", tag="aggTrade", gc=False):
    """An `aggTrade` event; fields that are yet to come are passed over."""

    symbol: str = msgspec.field(name="s")
    trade_id: _TradeId = msgspec.field(name="a")
    time_ms: _TimeMs = msgspec.field(name="T")
    price: _Amount = msgspec.field(name="p")
    qty: _Amount = msgspec.field(name="q")
    buyer_is_maker: bool = msgspec.field(name="m")
    first_trade_id: _TradeId | None = msgspec.field(name="f", default=None)
    last_trade_id: _TradeId | None = msgspec.field(name="l", default=None)
    qty_ex_rpi: _Part | None = msgspec.field(name="nq", default=None)
    event_ms: int | None = msgspec.field(name="E", default=None)
    margined: int | None = msgspec.field(name="st", default=None)


class MarketTrade(TradeEvent, tag_field="e", tag="trade", gc=False):
    """A `trade` event; `market` other than MARKET is the insurance fund or deleveraging.

    It is one single trade, and has neither a first and a last one nor a quantity without RPI.
    """

    symbol: str = msgspec.field(name="s")
    trade_id: _TradeId = msgspec.field(name="t")
    time_ms: _TimeMs = msgspec.field(name="T")
    price: _Amount = msgspec.field(name="p")
    qty: _Amount = msgspec.field(name="q")
    buyer_is_maker: bool = msgspec.field(name="m")
    event_ms: int | None = msgspec.field(name="E", default=None)
    market: str = msgspec.field(name="X", default="MARKET")
    margined: int | None = msgspec.field(name="st", default=None)


_Event = AggTrade | MarketTrade
EVENTS: dict[str, type[_Event]] = {"aggTrade": AggTrade, "trade": MarketTrade}
"""The events that are trades, by the kind of trades (and of streams) that they are."""
KINDS = tuple(EVENTS)


class _Combined(Struct, gc=False):
    data: _Event


# Prices come as decimal text; strict=False reads them to the nearest double in the same pass.
_decode_combined = msgspec.json.Decoder(_Combined, strict=False).decode
_decode_bare = msgspec.json.Decoder(_Event, strict=False).decode
_decode_any = msgspec.json.Decoder().decode
# What decoding can raise; nesting without end is one of the ways to be malformed.
_NOT_UNDERSTOOD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class FrameDecoder:
    """Decodes the frames of one connection for a lake that holds `kind`."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._wanted = EVENTS[kind]

    def decode(self, frame: bytes | str) -> _Event | Ignored:
        """The trade that `frame` holds, or what else it is.

        `frame` is `{"stream":…,"data":{…}}` or the bare event. Raises FrameError for a frame
        that is not JSON, or a trade with a missing, mistyped or impossible value.
        """
        try:
            event = _decode_combined(frame).data
        except _NOT_UNDERSTOOD as error:
            return self._classify(frame, error)
        return self._check(event)

    def _check(self, event: _Event) -> _Event | Ignored:
        if type(event) is not self._wanted:
            return Ignored(f"a trade event that is not {self._kind}")
        # Before the field came, only the symbol told; the first look at it costs next to nothing.
        if event.margined == _COIN or ("USD_" in event.symbol and is_coin_margined(event.symbol)):
            return CoinMargined("a trade of a COIN-M contract", event.symbol)
        if type(event) is MarketTrade and event.market != "MARKET":
            return _off_market(event.market, event.symbol, event.trade_id)
        event_ms = event.event_ms
        if event_ms is None or -_MOST_AHEAD_MS <= event_ms - event.time_ms <= _MOST_BEHIND_MS:
            return event
        apart = "5 s after" if event.time_ms > event_ms else "a day before"
        raise FrameError(
            f"trade time {event.time_ms} is more than {apart} its event time {event_ms}"
        )

    def _classify(self, frame: bytes | str, error: Exception) -> _Event | Ignored:
        event = _event_of(frame)
        if event is None:
            raise FrameError("the frame is not a JSON object") from error
        kind = event.get("e")
        if not isinstance(kind, str):
            return _not_an_event(event)
        if kind not in EVENTS:
            return Ignored(f"a {kind} event")
        if kind == "trade" and event.get("X", "MARKET") != "MARKET":
            if self._kind != "trade":
                return Ignored(f"a trade event that is not {self._kind}")
            return _off_market(event["X"], event.get("s"), event.get("t"))
        try:
            return self._check(_decode_bare(msgspec.json.encode(event)))
        except _NOT_UNDERSTOOD:
            plain = {name: value for name, value in event.items() if name not in _ADDITIONS}
            return self._classify_plain(plain, error)

    def _classify_plain(self, event: dict[str, Any], error: Exception) -> _Event | Ignored:
        try:
            return self._check(_decode_bare(msgspec.json.encode(event)))
        except _NOT_UNDERSTOOD as bad:
            empty = self._without_quantity(event)
            if empty is None:
                raise FrameError(str(bad)) from error
            return empty

    def _without_quantity(self, event: dict[str, Any]) -> Ignored | None:
        """What an event is that is a trade but for its quantity, which is 0; None for others.

        Its id is taken, as in the exchange's public files: nothing is missing there.
        """
        if not _is_nothing(event.get("q")):
            return None
        try:
            trade = self._check(_decode_bare(msgspec.json.encode(event | {"q": "1"})))
        except (*_NOT_UNDERSTOOD, FrameError):
            return None
        if isinstance(trade, Ignored):
            return trade
        return OffMarket("a trade without a quantity", trade.symbol, trade.trade_id)


def _event_of(frame: bytes | str) -> dict[str, Any] | None:
    """The event in a combined or bare frame; None where there is no JSON object."""
    try:
        value = _decode_any(frame)
    except _NOT_UNDERSTOOD:
        return None
    if isinstance(value, dict) and isinstance(value.get("data"), dict):
        value = value["data"]
    return value if isinstance(value, dict) else None


def _is_nothing(quantity: object) -> bool:
    try:
        return isinstance(quantity, str | int | float) and float(quantity) == 0
    except ValueError:
        return False


def _off_market(market: object, symbol: object, trade_id: object) -> Ignored:
    what = f"a trade with X={market}"
    if isinstance(symbol, str) and type(trade_id) is int and 0 <= trade_id < _ID_LIMIT:
        return OffMarket(what, symbol, trade_id)
    return Ignored(what)


def _not_an_event(value: dict[str, Any]) -> Ignored:
    if "result" in value and "id" in value:
        return Ignored("an acknowledgement")
    if "error" in value or "code" in value:
        return Ignored(f"an error from the exchange: {value}")
    raise FrameError("the frame has no event type (field e)")
