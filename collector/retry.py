"""One function decides what is tried again and what is fatal. Pure."""

import ssl
from enum import Enum

from websockets.exceptions import InvalidStatus, InvalidURI

__all__ = ["ConnectionVerdict", "explain", "retry_after", "seconds_in", "verdict"]

# Client errors that pass by themselves: a timeout, too early, too many requests, and the ban
# that follows when those were not heeded.
_PASSING = frozenset({408, 418, 425, 429})

_REMEDIES = {
    401: "public trades need no login, but this address asks for one; check exchange.ws_url",
    403: "the exchange's firewall refuses this address; wait, or run it elsewhere",
    404: "there is no such route; check exchange.ws_url (Binance: wss://fstream.binance.com)",
    451: "the exchange does not serve this location; run it where it does",
}


class ConnectionVerdict(Enum):
    """What to do about a connection that failed."""

    RETRY = "retry"
    FATAL = "fatal"


def verdict(error: BaseException, *, worked: bool) -> ConnectionVerdict:
    """Whether `error`, from opening or reading a connection, is worth another attempt.

    Asked for every failure. FATAL is for what the user has to change: a refused handshake (HTTP
    4xx, but for those that pass), an address that is none, a certificate that is not trusted.
    `worked` says that the exchange did send trades, in this process or into this lake before:
    then even a refusal is retried, since it is more likely to pass than to be a wrong address.
    Everything else (drops, timeouts, HTTP 5xx, refused and unknown hosts, frames beyond the
    protocol) is RETRY.
    """
    if worked:
        return ConnectionVerdict.RETRY
    fatal = isinstance(error, InvalidURI | ssl.SSLCertVerificationError) or (
        isinstance(error, InvalidStatus) and _is_refusal(error.response.status_code)
    )
    return ConnectionVerdict.FATAL if fatal else ConnectionVerdict.RETRY


def retry_after(error: BaseException) -> float:
    """Seconds that the exchange asks us to wait (Retry-After), 0 where it does not."""
    if not isinstance(error, InvalidStatus):
        return 0.0
    return seconds_in(error.response.headers.get("Retry-After"), 0.0)


def seconds_in(header: str | None, otherwise: float) -> float:
    """A Retry-After in seconds, `otherwise` without one: the exchange never sends a date."""
    return float(header) if header is not None and header.isdecimal() else otherwise


def explain(error: BaseException) -> str:
    """One line for people: what happened and, for a refusal, what to do about it."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        remedy = _REMEDIES.get(status, "check exchange.ws_url" if _is_refusal(status) else "")
        return f"HTTP {status}" + (f": {remedy}" if remedy else "")
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({_one_line(error)}); check exchange.ws_url"
    return _one_line(error) or type(error).__name__


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in _PASSING
