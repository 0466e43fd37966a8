"""What an address says about where it leads. Pure."""

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["is_local"]


def is_local(url: str) -> bool:
    """Whether the address is this machine's own: no proxy of the environment leads there."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
