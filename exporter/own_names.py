"""By which names an exporter that listens on this machine alone may be asked.

A page of somebody else may let its own name lead to 127.0.0.1, and then ask as if it asked itself
(DNS rebinding): the browser sees one origin. Only the name in `Host` tells. An address in digits
leads nowhere else, so any of them is fine.
"""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

StartResponse = Callable[[str, list[tuple[str, str]]], object]
App = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

_REFUSED = (
    "this exporter listens on its own machine alone, and is not asked by the name {}; ask "
    "127.0.0.1 or localhost, or set exporter.url to the address that a browser opens it by\n"
)


def under_own_names(app: App, listens_on: str, *names: str | None) -> App:
    """The application where `listens_on` is not loopback; else one that refuses other names.

    `names` are hosts, or addresses with one, that it is known by besides.
    """
    if not ipaddress.ip_address(listens_on).is_loopback:
        return app
    known = {"localhost", *(_host_of(name) for name in names if name)}

    def guarded(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        asked = environ.get("HTTP_HOST")
        if asked is None or _is_digits(host := _host_of(asked)) or host in known:
            return app(environ, start_response)
        body = _REFUSED.format(ascii(asked[:80])).encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
        start_response("403 Forbidden", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return guarded


def _host_of(text: str) -> str:
    """The host of `host`, `host:port` or an address, as names are compared; empty if none."""
    try:
        host = urlsplit(text if "//" in text else f"//{text}").hostname
    except ValueError:
        return ""
    return (host or "").removesuffix(".")


def _is_digits(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
