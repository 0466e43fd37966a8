"""Binance's USDⓈ-M futures: a `spreadlake.venue.Venue`, which is this module itself. Pure.

Each side of the wire is defined once, for the client and for the simulated exchange: `streams`,
`decode` and `encode` (frames), `rest`, `funding_rates`, `limits`, `errors`, `listings`, `hosts`.
The files of public dumps are in `dumps`, apart because they are frames of polars.
"""

from spreadlake.binance.decode import FrameDecoder
from spreadlake.binance.errors import REMEDIES, refuses
from spreadlake.binance.funding_rates import FUNDING_PAGE, FUNDING_REQUESTS, funding
from spreadlake.binance.hosts import venue_of
from spreadlake.binance.limits import refusal, seconds_to_wait, used_weight
from spreadlake.binance.rest import (
    KLINES_PAGE,
    REST_KIND,
    TRADES_PAGE,
    TRADES_WEIGHT,
    klines,
    klines_weight,
    latest_trades,
    listing,
    trades_from,
    trades_since,
    volumes,
)
from spreadlake.binance.streams import (
    CONNECTION_ATTEMPTS,
    MESSAGES_PER_SECOND,
    requests,
    silence_hint,
    subscription,
)
from spreadlake.venue import FrameDecoder as Decode

__all__ = [
    "CONNECTION_ATTEMPTS",
    "FUNDING_PAGE",
    "FUNDING_REQUESTS",
    "KLINES_PAGE",
    "MESSAGES_PER_SECOND",
    "REMEDIES",
    "REST_KIND",
    "TRADES_PAGE",
    "TRADES_WEIGHT",
    "frame_decoder",
    "funding",
    "klines",
    "klines_weight",
    "latest_trades",
    "listing",
    "refusal",
    "refuses",
    "requests",
    "seconds_to_wait",
    "silence_hint",
    "subscription",
    "trades_from",
    "trades_since",
    "used_weight",
    "venue_of",
    "volumes",
]


def frame_decoder(kind: str) -> Decode:
    """Decodes the frames of one connection for a lake that holds `kind`."""
    return FrameDecoder(kind).decode
