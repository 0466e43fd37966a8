"""What an address says about where it leads. Pure."""

from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit


def is_local(url: str) -> bool:
    """Whether the address is this machine's own: no proxy of the environment leads there."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
