"""The statuses of Binance's contracts, the list of them, and their 24 h volumes. Pure.

Source: Binance open platform, USDⓈ-M futures, "Public endpoints info", contract status;
"24hr Ticker Price Change Statistics".
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from spreadlake.venue import Listed, Standing

TRADING = "TRADING"
NEVER_TRADED = "PENDING_TRADING"
# Any other status passes, or is one that the exchange has yet to invent.
OVER = ("DELIVERING", "DELIVERED", "SETTLING", "CLOSE")
STATUSES = (TRADING, NEVER_TRADED, "TRADING_HALT", "PRE_DELIVERING", "PRE_SETTLE", *OVER)
PERPETUAL, TRADIFI = "PERPETUAL", "TRADIFI_PERPETUAL"

NO_DELIVERY_MS = 4_133_404_800_000
"""2100-12-25: what stands as the delivery date of a contract whose end is not announced."""
_NEVER_MS = 4_102_444_800_000  # 2100-01-01: no earlier date is meant as none


class _Contract(Struct, gc=False):
    symbol: str
    status: str
    # Whatever is in these, the symbol and its status are true.
    contractType: Any = ""  # noqa: N815 the exchange's names
    quoteAsset: Any = ""  # noqa: N815
    onboardDate: Any = None  # noqa: N815
    deliveryDate: Any = None  # noqa: N815


class _ExchangeInfo(Struct, gc=False):
    symbols: list[_Contract]


class _Ticker(Struct, gc=False):
    symbol: str
    quoteVolume: Annotated[float, Meta(ge=0, lt=1e18)]  # noqa: N815


_info = msgspec.json.Decoder(_ExchangeInfo)
_tickers = msgspec.json.Decoder(list[_Ticker], strict=False)
_ticker = msgspec.json.Decoder(_Ticker, strict=False)
_raw = msgspec.json.Decoder(list[msgspec.Raw])


def decode_listing(body: bytes) -> list[Listed]:
    """The contracts of an `exchangeInfo` answer."""
    return [
        listed(one.symbol, one.status)._replace(
            contract=_text(one.contractType),
            quote=_text(one.quoteAsset),
            listed_ms=_time_ms(one.onboardDate),
            delivery_ms=_time_ms(one.deliveryDate),
            has_hours=one.contractType == TRADIFI,
        )
        for one in _info.decode(body).symbols
    ]


def listed(symbol: str, status: str) -> Listed:
    """A contract by its status."""
    if status == TRADING:
        return Listed(symbol, status, Standing.TRADES)
    return Listed(symbol, status, Standing.OVER if status in OVER else Standing.WAITS)


def decode_volumes(body: bytes) -> dict[str, float]:
    """Quote volumes of a `ticker/24hr` answer; one that cannot be one costs only itself."""
    try:
        tickers = _tickers.decode(body)
    except msgspec.ValidationError:
        tickers = [one for raw in _raw.decode(body) if (one := _ticker_in(raw)) is not None]
    return {one.symbol: one.quoteVolume for one in tickers}


def _ticker_in(raw: msgspec.Raw) -> _Ticker | None:
    try:
        return _ticker.decode(raw)
    except msgspec.ValidationError:
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _time_ms(value: object) -> int | None:
    if not isinstance(value, int) or not 0 < value < _NEVER_MS:
        return None
    return value
