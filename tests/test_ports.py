"""Addresses as they are printed: each can be opened as it stands."""

import socket

import pytest

from spreadlake.ports import address, check_listen, free_port, reachable


@pytest.mark.parametrize(
    ("host", "printed"),
    [
        ("127.0.0.1", "127.0.0.1:80"),
        ("localhost", "localhost:80"),
        ("exporter", "exporter:80"),
        ("::1", "[::1]:80"),
        ("fd00::17", "[fd00::17]:80"),
        ("0.0.0.0", "127.0.0.1:80"),
        ("::", "[::1]:80"),
        ("0:0::0", "[::1]:80"),
    ],
)
def test_an_address_can_be_opened(host: str, printed: str) -> None:
    assert address(host, 80) == printed


def test_all_addresses_are_asked_on_loopback() -> None:
    assert [reachable(host) for host in ("0.0.0.0", "::", "::1")] == ["127.0.0.1", "::1", "::1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "::1", "::"])
def test_a_free_port_is_found_on_whatever_can_be_listened_on(host: str) -> None:
    if ":" in host:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("needs a machine with IPv6 on its loopback")
    check_listen(host, free_port(host))
