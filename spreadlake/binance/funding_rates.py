"""Binance's funding rates: the request for them, and its answer. Pure.

Source: Binance open platform, USDⓈ-M futures, "Get Funding Rate History". Without a symbol the
answer is of all of them. The time of a funding is some ms after a full hour, and old ones have no
mark price.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from spreadlake.binance.rest import END, LIMIT, PREFIX, START, SYMBOL
from spreadlake.funding import FundingRate
from spreadlake.venue import FundingPage, Request

FUNDING = "fundingRate"
FUNDING_PAGE = 1000
DEFAULT_FUNDING_PAGE = 100
# What the exchange allows an address, and what we take of it: others may be there as well.
FUNDING_LIMIT, FUNDING_WINDOW = 500, 300.0
FUNDING_REQUESTS = (300, FUNDING_WINDOW)
# No rate is anywhere near; the exchange caps them at a few percent.
MOST_RATE = 1.0

_NAMES = {"time_ms": "fundingTime", "rate": "fundingRate", "mark_price": "markPrice"}
_NO_PRICE = ("", "0")
_SAID = 120


class _Funding(Struct, gc=False, rename=_NAMES):
    symbol: Annotated[str, Meta(min_length=1)]
    time_ms: Annotated[int, Meta(gt=0, lt=4_102_444_800_000)]
    rate: Annotated[float, Meta(ge=-MOST_RATE, le=MOST_RATE)]
    mark_price: str | float | None = None


_raw = msgspec.json.Decoder(list[msgspec.Raw])
_one = msgspec.json.Decoder(_Funding, strict=False)
_price = Annotated[float, Meta(ge=0, lt=1e15)]


def funding(symbol: str | None, start_ms: int, end_ms: int | None = None) -> Request[FundingPage]:
    """The first `FUNDING_PAGE` rates of start_ms <= time <= end_ms; None: of all symbols."""
    parameters: dict[str, str | int] = {START: start_ms, LIMIT: FUNDING_PAGE}
    if symbol is not None:
        parameters[SYMBOL] = symbol
    if end_ms is not None:
        parameters[END] = end_ms
    return Request(PREFIX + FUNDING, parameters, 1, lambda body: decode_funding(body, symbol))


def decode_funding(body: bytes, symbol: str | None) -> FundingPage:
    """The rates of an answer to a question about `symbol`, or about all.

    A record that cannot be one, or is of another symbol, is refused and costs only itself.
    """
    raws = _raw.decode(body)
    rates, refused = [], []
    for raw in raws:
        try:
            rate = _rate(raw)
            if symbol not in (None, rate.symbol):
                raise msgspec.ValidationError(f"it is not of {symbol}")
            rates.append(rate)
        except msgspec.DecodeError as error:
            refused.append(f"{bytes(raw).decode(errors='replace')[:_SAID]}: {error}")
    return FundingPage(sorted(rates, key=lambda rate: rate.time_ms), len(raws), refused)


def _rate(raw: msgspec.Raw) -> FundingRate:
    one = _one.decode(raw)
    price = None if one.mark_price in _NO_PRICE else one.mark_price
    mark = None if price is None else msgspec.convert(price, _price, strict=False)
    return FundingRate(one.symbol, one.time_ms, one.rate, mark or None)
