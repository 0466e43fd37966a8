"""Whether a stream that cannot be connected to is tried again, or the failure is fatal. Pure."""

import ssl
from enum import Enum

from websockets.exceptions import InvalidProxyStatus, InvalidStatus, InvalidURI

from spreadlake.venue import Venue


class ConnectionVerdict(Enum):
    """What to do where no connection could be opened."""

    RETRY = "retry"
    FATAL = "fatal"


def verdict(error: BaseException, venue: Venue, *, worked: bool) -> ConnectionVerdict:
    """Whether `error`, from opening a connection to a stream, is worth another attempt.

    A connection that was open and is lost is always opened again, and what REST answers is for
    whoever asked to judge. FATAL is for what the user has to change: a refused handshake (HTTP
    4xx, but for those that pass) by the exchange or by a proxy, an address that is none, a
    certificate that is not trusted.
    `worked` says that the exchange did send trades, in this process or into this lake before:
    then even a refusal is retried, since it is more likely to pass than to be a wrong address.
    Everything else (drops, timeouts, HTTP 5xx, refused and unknown hosts, frames beyond the
    protocol) is RETRY.
    """
    if worked:
        return ConnectionVerdict.RETRY
    fatal = isinstance(error, InvalidURI | ssl.SSLCertVerificationError) or (
        isinstance(error, InvalidStatus | InvalidProxyStatus)
        and venue.refuses(error.response.status_code)
    )
    return ConnectionVerdict.FATAL if fatal else ConnectionVerdict.RETRY


def retry_after(error: BaseException, venue: Venue, now_ms: int = 0) -> float:
    """Seconds that the exchange asks us to wait, 0 where it does not; `now_ms` is Unix time."""
    if not isinstance(error, InvalidStatus):
        return 0.0
    answer = error.response
    return venue.seconds_to_wait(answer.headers, bytes(answer.body or b""), now_ms) or 0.0
