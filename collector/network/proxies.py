"""Which proxy leads to an address, by the variables that all programs know. Pure.

`HTTPS_PROXY` is for https and wss, `HTTP_PROXY` for http and ws, `ALL_PROXY` for what has none of
its own; `NO_PROXY` names what is reached without one. One reading serves REST and the streams: the
libraries of the two read these variables differently.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, quote, unquote, urlsplit

from spreadlake.errors import ConfigError

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_TARGET_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
# In order; the last ones are for all. WSS_PROXY and WS_PROXY are known to the streams' library.
_VARIABLES = {
    "https": ("https", "socks", "all"),
    "wss": ("wss", "https", "socks", "all"),
    "http": ("http", "socks", "all"),
    "ws": ("ws", "http", "socks", "all"),
}
_KNOWN = "http://, https:// and socks5:// can be used, as in http://proxy.example:3128"

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Proxy:
    """A proxy as both libraries take it: `url` has scheme, port and, where there is one, password.

    `shown` is for people and for the log: the same without name and password.
    """

    url: str = field(repr=False)
    shown: str
    variable: str


def proxy_for(url: str, variables: Mapping[str, str]) -> Proxy | None:
    """The proxy that leads to `url`, None where there is none, or none is to be used.

    `variables` is what `urllib.request.getproxies` found: `https`, `all`, `no`, … without `_PROXY`.
    This machine's own addresses are never led through one. ConfigError for one that cannot be used.
    """
    target = urlsplit(url)
    if is_local(url) or _is_excepted(target, variables.get("no", "")):
        return None
    for name in _VARIABLES[target.scheme]:
        if value := variables.get(name, "").strip():
            return _read(value, f"{name}_proxy".upper())
    return None


def is_local(url: str) -> bool:
    """Whether the address is this machine's own: no proxy of the environment leads there."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    address = _address(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback


def unreadable_exceptions(no_proxy: str) -> list[str]:
    """The entries of `NO_PROXY` that look like a network and are none: they except nothing."""
    return [entry for entry in _entries(no_proxy) if "/" in entry and _network(entry) is None]


def _read(value: str, variable: str) -> Proxy:
    if "://" not in value:
        value = f"http://{value}"
    elif value.lower().startswith("socks://"):
        value = f"socks5h{value[len('socks') :]}"
    # What follows may hold a password, so that a message names the variable and never the value.
    try:
        parts = urlsplit(value)
        host, port, scheme = parts.hostname, parts.port, parts.scheme
        ascii_host = (host or "").encode("idna").decode() if ":" not in (host or "") else host
    except ValueError:  # UnicodeError is one
        raise ConfigError(f"{variable} is no address of a proxy; {_KNOWN}") from None
    if scheme not in _PORTS:
        raise ConfigError(f"{variable}: a {scheme}:// proxy cannot be used; {_KNOWN}")
    if not ascii_host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"{variable} is no address of a proxy; {_KNOWN}")
    login = _login(parts)
    if scheme.startswith("socks") and not unquote(login).isascii():
        raise ConfigError(
            f"{variable}: name and password of a SOCKS proxy can have ASCII letters only"
        )
    # With both, the proxy resolves names: behind one there often is nobody else who can.
    scheme = "socks5h" if scheme == "socks5" else scheme
    place = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    place = f"{place}:{_PORTS[scheme] if port is None else port}"
    return Proxy(f"{scheme}://{login}{place}", f"{scheme}://{place}", variable)


def _login(parts: SplitResult) -> str:
    """`name:password@`, each quoted once; empty where there are none."""
    if parts.username is None:
        return ""
    name, password = (
        quote(unquote(text or ""), safe="") for text in (parts.username, parts.password)
    )
    return f"{name}:{password}@"


def _is_excepted(target: SplitResult, no_proxy: str) -> bool:
    host = (target.hostname or "").rstrip(".")
    port = target.port or _TARGET_PORTS[target.scheme]
    address = _address(host)
    return any(_matches(entry, host, port, address) for entry in _entries(no_proxy))


def _entries(no_proxy: str) -> Iterator[str]:
    # Curl takes spaces between entries as well.
    return (entry for entry in no_proxy.lower().replace(",", " ").split() if entry)


def _matches(entry: str, host: str, port: int, address: Address | None) -> bool:
    if entry == "*":
        return True
    if address is not None and (network := _network(entry)) is not None:
        return address in network
    name, only_port = _split_port(entry)
    if only_port is not None and only_port != port:
        return False
    if address is not None:
        return _address(name) == address
    # `.example.com`, `*.example.com` and `example.com` except the domain and all that is under it.
    name = name.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, int | None]:
    """Host, without the brackets of an IPv6 address, and port (None: any)."""
    _, _, entry = entry.rpartition("://")
    if _address(entry) is not None:  # IPv6 without brackets has no port
        return entry, None
    host, colon, port = entry.rpartition(":")
    if not colon or not port.isdecimal():
        host, port = entry, ""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return host, int(port) if port else None


def _network(entry: str) -> IPv4Network | IPv6Network | None:
    """The network that an entry such as `10.0.0.0/8`, `fd00::/8` or `[fd00::]/8` names."""
    if "/" not in entry:
        return None
    try:
        return ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def _address(host: str) -> Address | None:
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
