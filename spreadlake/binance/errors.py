"""Which answers of Binance refuse what was asked, and which pass. Pure.

Source: Binance open platform, USDⓈ-M futures, "Error codes" and "General info", HTTP return codes.
"""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from spreadlake.decoding import UNREADABLE

TOO_MANY_REQUESTS = 429
BANNED = 418

# Client errors that pass by themselves: a timeout, too early, too many requests, and the ban
# that follows when those were not heeded.
_PASSING = frozenset({408, BANNED, 425, TOO_MANY_REQUESTS})

REMEDIES: Mapping[int, str] = {
    401: "public trades need no login, but this address asks for one; check exchange.ws_url",
    403: "the exchange's firewall refuses this address; wait, or run it elsewhere",
    404: "there is no such route; check exchange.ws_url (Binance: wss://fstream.binance.com)",
    451: "the exchange does not serve this location; run it where it does",
}
"""What to do about a handshake that is refused."""


class Code(IntEnum):
    """The exchange's own codes in the body of a refusal."""

    UNKNOWN = -1000
    TOO_MANY_REQUESTS = -1003
    START_AFTER_END = -1023
    ILLEGAL_CHARACTERS = -1100
    MANDATORY_PARAMETER = -1102
    INVALID_INTERVAL = -1120
    BAD_SYMBOL = -1121
    INVALID_SYMBOL_STATUS = -1122  # it may pass as the status does
    TOO_LONG_AN_INTERVAL = -1127
    INVALID_COMBINATION = -1128
    INVALID_PARAMETER = -1130
    NO_SUCH_PATH = -5000


class ErrorBody(msgspec.Struct, gc=False):
    """The body of a refusal."""

    code: int
    msg: str


def refuses(status: int) -> bool:
    """Whether a handshake's HTTP status is a no that does not pass by itself."""
    return 400 <= status < 500 and status not in _PASSING


class _Coded(msgspec.Struct, gc=False):
    code: int


_error = msgspec.json.Decoder(_Coded)


def error_code(body: bytes) -> int | None:
    """The exchange's own code in the answer to a refused request; None where there is none."""
    try:
        return _error.decode(body).code
    except UNREADABLE:
        return None
