"""What a failure on the way to the exchange means: whether it is fatal, and words for it. Pure.

The libraries of REST and of the streams call the same failure by different names.
"""

import re
import ssl
from collections.abc import Iterator

from websockets.exceptions import InvalidProxyStatus, InvalidStatus, InvalidURI, ProxyError

from spreadlake.venue import Venue

_PROXY_REMEDIES = {
    403: "it does not let this address through; ask who runs it, or name the address in NO_PROXY",
    407: "it wants a name and a password, as in http://name:password@proxy.example:3128",
}
# Of OpenSSL, x509_vfy.h.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})
_OTHER_NAME = frozenset({62, 64})

_MOST_LAYERS = 10
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_BY_NUMBER = {
    "101": "no network leads there",
    "111": "nothing accepts connections there: check {setting}",
    "113": "no network leads there",
}
# By the names of the kinds of an error, so that no library is loaded for it; the first that fits.
_BY_KIND = {
    "gaierror": "no address is known for its name: there is no network, or check {setting}",
    "ConnectionRefusedError": "nothing accepts connections there: check {setting}",
    "SSLError": "what answers there does not speak TLS as it should: check {setting}",
    "InvalidMessage": "what answers there is no WebSocket server: check {setting}",
    "RemoteProtocolError": "what answers there broke off, or is no web server",
    "TimeoutError": "no answer in time",
    "TimeoutException": "no answer in time",
    "ConnectionResetError": "the connection was broken off",
    "ReadError": "the connection was broken off",
    "WriteError": "the connection was broken off",
    "ConnectError": "no connection can be made: check the network and {setting}",
}


def is_fatal(error: BaseException, venue: Venue, *, worked: bool) -> bool:
    """Whether a stream that could not be connected to because of `error` is not worth another try.

    A connection that was open and is lost is always opened again, and what REST answers is for
    whoever asked to judge. Fatal is what the user has to change: a refused handshake (HTTP 4xx,
    but for those that pass) by the exchange or by a proxy, an address that is none, a certificate
    that is not trusted. Everything else (timeouts, HTTP 5xx, refused and unknown hosts) passes.
    `worked` says that the exchange did send trades, in this process or into this lake before:
    then even a refusal is retried, since it is more likely to pass than to be a wrong address.
    """
    if worked:
        return False
    return isinstance(error, InvalidURI | ssl.SSLCertVerificationError) or (
        isinstance(error, InvalidStatus | InvalidProxyStatus)
        and venue.refuses(error.response.status_code)
    )


def retry_after(error: BaseException, venue: Venue, now_ms: int = 0) -> float:
    """Seconds that the exchange asks us to wait, 0 where it does not; `now_ms` is Unix time."""
    if not isinstance(error, InvalidStatus):
        return 0.0
    answer = error.response
    return venue.seconds_to_wait(answer.headers, bytes(answer.body or b""), now_ms) or 0.0


def explain(
    error: BaseException,
    venue: Venue,
    setting: str = "exchange.ws_url",
    trusted: str = "the system's store",
) -> str:
    """One line for people: what happened and, for a refusal, what to do about it.

    `setting` names the address that was spoken to, `trusted` says whose certificates are.
    """
    certificate = _certificate_error(error)
    if certificate is not None:
        return _certificate_words(certificate, setting, trusted)
    if isinstance(error, InvalidProxyStatus):
        status = error.response.status_code
        remedy = _PROXY_REMEDIES.get(status, "")
        return f"the proxy answers HTTP {status}" + (f": {remedy}" if remedy else "")
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        remedy = venue.REMEDIES.get(status, f"check {setting}" if venue.refuses(status) else "")
        return f"HTTP {status}" + (f": {remedy}" if remedy else "")
    if isinstance(error, ProxyError) and error.__cause__ is not None:
        return f"{_one_line(error)}: {_one_line(error.__cause__)}"
    return _network_words(error, setting) or _one_line(error) or type(error).__name__


def _certificate_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """What the libraries put their own error around."""
    inner: BaseException | None = error
    while inner is not None and not isinstance(inner, ssl.SSLCertVerificationError):
        inner = inner.__cause__ or inner.__context__
    return inner


def _certificate_words(error: ssl.SSLCertVerificationError, setting: str, trusted: str) -> str:
    said = " ".join((getattr(error, "verify_message", "") or str(error)).split())[:200]
    return f"its certificate is not accepted: {said}; {_remedy(error, setting, trusted)}"


def _remedy(error: ssl.SSLCertVerificationError, setting: str, trusted: str) -> str:
    code = getattr(error, "verify_code", None)
    if code in (_NOT_YET_VALID, _EXPIRED):
        return "if this machine's date is right, whoever runs that server has to renew it"
    if code in _OTHER_NAME:
        return (
            f"something else answers there: check {setting}, and what is between (a proxy, a "
            "login page, a name server of your own)"
        )
    if code in _UNKNOWN_ISSUER:
        return (
            f"trusted are {trusted}; where a company's proxy or firewall signs what passes, put "
            "its authority's certificate into the system's store, or into a file that the "
            "variable SSL_CERT_FILE names"
        )
    return f"trusted are {trusted}; SSL_CERT_FILE names a file of more"


def _network_words(error: BaseException, setting: str) -> str | None:
    """None for an error that says itself what it is."""
    layers = list(_layers(error))
    kinds = {kind.__name__ for layer in layers for kind in type(layer).__mro__}
    words = next((said for kind, said in _BY_KIND.items() if kind in kinds), None)
    numbers = [number for layer in layers for number in _ERRNO.findall(str(layer))]
    if words is None or "ConnectError" in kinds:
        by_number = (_BY_NUMBER[number] for number in numbers if number in _BY_NUMBER)
        words = words if kinds & {"gaierror", "SSLError"} else next(by_number, words)
    return None if words is None else words.format(setting=setting)


def _layers(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that libraries put it around."""
    inner: BaseException | None = error
    for _ in range(_MOST_LAYERS):
        if inner is None:
            return
        yield inner
        if isinstance(inner, BaseExceptionGroup):
            yield from inner.exceptions
        inner = inner.__cause__ or inner.__context__


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
