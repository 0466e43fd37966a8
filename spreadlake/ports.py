"""Addresses to listen on: whether one can be had, and why not."""

import errno
import ipaddress
import socket

from spreadlake.errors import ConfigError


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The address family and the numeric address of `host`:`port`."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    return family, (str(address[0]), int(address[1]))


def reachable(host: str) -> str:
    """Where what listens on `host` can be asked: one address of those that stand for all."""
    try:
        wildcard = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not wildcard.is_unspecified:
        return host
    return "127.0.0.1" if wildcard.version == 4 else "::1"


def address(host: str, port: int) -> str:
    """`host:port` as it stands in an address that can be opened, `[::1]:9464` for IPv6."""
    host = reachable(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_listen(host: str, port: int) -> None:
    """Raises ConfigError where the metrics could not be served on `host`:`port` now."""
    try:
        family, address = resolve(host, port)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except (OSError, UnicodeError) as error:
        raise cannot_listen(host, port, error) from None


def cannot_listen(host: str, port: int, error: OSError | UnicodeError) -> ConfigError:
    """The error that tells why the exporter's address cannot be had, and what to do."""
    change = "choose another as port under [exporter] or in SPREADLAKE_EXPORTER__PORT"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return ConfigError(f"port {port} on {host} is in use; stop what listens there, or {change}")
    if isinstance(error, PermissionError):
        return ConfigError(f"port {port} on {host} may not be opened by this user; {change}")
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return ConfigError(f"exporter.host = {host!r}: cannot listen on it: {reason}")


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free now, for a child process that is about to take it."""
    family, address = resolve(host, 0)
    with socket.create_server(address, family=family) as server:
        return int(server.getsockname()[1])


def is_listening(host: str, port: int) -> bool:
    """Whether something accepts connections on `host`:`port`."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
