"""One function decides what is tried again and what is fatal. Pure."""

import ssl
from enum import Enum

from websockets.exceptions import InvalidProxyStatus, InvalidStatus, InvalidURI, ProxyError

from collector.network.bans import seconds_to_wait
from collector.network.certificates import explain_certificate
from collector.network.words import network_words

# Client errors that pass by themselves: a timeout, too early, too many requests, and the ban
# that follows when those were not heeded.
_PASSING = frozenset({408, 418, 425, 429})

_REMEDIES = {
    401: "public trades need no login, but this address asks for one; check exchange.ws_url",
    403: "the exchange's firewall refuses this address; wait, or run it elsewhere",
    404: "there is no such route; check exchange.ws_url (Binance: wss://fstream.binance.com)",
    451: "the exchange does not serve this location; run it where it does",
}
_PROXY_REMEDIES = {
    403: "it does not let this address through; ask who runs it, or name the address in NO_PROXY",
    407: "it wants a name and a password, as in http://name:password@proxy.example:3128",
}


class ConnectionVerdict(Enum):
    """What to do about a connection that failed."""

    RETRY = "retry"
    FATAL = "fatal"


def verdict(error: BaseException, *, worked: bool) -> ConnectionVerdict:
    """Whether `error`, from opening or reading a connection, is worth another attempt.

    Asked for every failure. FATAL is for what the user has to change: a refused handshake (HTTP
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
        and _is_refusal(error.response.status_code)
    )
    return ConnectionVerdict.FATAL if fatal else ConnectionVerdict.RETRY


def retry_after(error: BaseException, now_ms: int = 0) -> float:
    """Seconds that the exchange asks us to wait, 0 where it does not; `now_ms` is Unix time."""
    if not isinstance(error, InvalidStatus):
        return 0.0
    headers, body = error.response.headers, bytes(error.response.body or b"")
    wait = seconds_to_wait(headers.get("Retry-After"), headers.get("Date"), body, now_ms)
    return wait or 0.0


def explain(
    error: BaseException, setting: str = "exchange.ws_url", trusted: str = "the system's store"
) -> str:
    """One line for people: what happened and, for a refusal, what to do about it.

    `setting` names the address that was spoken to, `trusted` says whose certificates are.
    """
    certificate = _certificate_error(error)
    if certificate is not None:
        return explain_certificate(certificate, setting, trusted)
    if isinstance(error, InvalidProxyStatus):
        status = error.response.status_code
        remedy = _PROXY_REMEDIES.get(status, "")
        return f"the proxy answers HTTP {status}" + (f": {remedy}" if remedy else "")
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        remedy = _REMEDIES.get(status, f"check {setting}" if _is_refusal(status) else "")
        return f"HTTP {status}" + (f": {remedy}" if remedy else "")
    if isinstance(error, ProxyError) and error.__cause__ is not None:
        return f"{_one_line(error)}: {_one_line(error.__cause__)}"
    return network_words(error, setting) or _one_line(error) or type(error).__name__


def _certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """What the libraries put their own error around."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, ssl.SSLCertVerificationError):
        inner = inner.__cause__ or inner.__context__
    return inner


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _is_refusal(status: int) -> bool:
    return 400 <= status < 500 and status not in _PASSING
