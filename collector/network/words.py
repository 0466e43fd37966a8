"""What the network did, in words that say what to look at, whatever a library calls it. Pure."""

import re
from collections.abc import Iterator

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


def network_words(error: BaseException, setting: str) -> str | None:
    """One line; None for an error that says itself what it is. `setting` names the address."""
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
