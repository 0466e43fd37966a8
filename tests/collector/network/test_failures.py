"""What the network does for real, told without the libraries' own words."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import create_server, socket

import httpx
import pytest
from websockets.asyncio.client import connect

from collector.network.access import Access
from collector.network.failures import explain
from collector.rest import RestClient, RestError
from collector.rest.budget import WeightBudget
from spreadlake import binance
from spreadlake.ports import free_port

LIBRARY = ("Errno", "_ssl", "Error", "attempts", "handshake", "valid HTTP", "without sending")


@contextmanager
def server(answer: Callable[[socket], None]) -> Iterator[str]:
    """Its address; each connection is handed to `answer` and then closed."""
    with create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    answer(client)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def garbage(client: socket) -> None:
    client.recv(100)
    client.sendall(b"SSH-2.0-OpenSSH_9\r\n")


def page(client: socket) -> None:
    client.recv(4096)
    body = b"<!DOCTYPE HTML><html><body>Please log in</body></html>"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    client.sendall(head.encode() + body)


def told(url: str) -> str:
    """What is said of a connection for streams, or of a request, that fails."""

    async def fails() -> str:
        try:
            if url.startswith("ws"):
                async with connect(url, open_timeout=1, proxy=None):
                    pass
            else:
                async with httpx.AsyncClient(timeout=1, trust_env=False) as http:
                    await http.get(url)
        except Exception as error:  # noqa: BLE001 of whichever library
            return explain(error, binance, "exchange.ws_url")
        raise AssertionError("it did not fail")

    return asyncio.run(fails())


def check(said: str, expected: str) -> None:
    assert expected in said
    assert not any(word in said for word in LIBRARY), said


@pytest.mark.parametrize("scheme", ["ws", "http", "wss", "https"])
def test_a_refused_connection(scheme: str) -> None:
    said = told(f"{scheme}://127.0.0.1:{free_port()}/x")
    check(said, "nothing accepts connections there: check exchange.ws_url")


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_name_without_an_address(scheme: str) -> None:
    check(told(f"{scheme}://no.such.host.invalid/x"), "no address is known for its name")


@pytest.mark.parametrize("scheme", ["wss", "https"])
def test_no_tls(scheme: str) -> None:
    with server(garbage) as where:
        check(told(f"{scheme}://{where}/x"), "does not speak TLS as it should")


def test_something_else_than_an_exchange_answers() -> None:
    with server(garbage) as where:
        check(told(f"ws://{where}/x"), "no WebSocket server: check exchange.ws_url")
        assert not any(word in told(f"http://{where}/x") for word in LIBRARY)
    with server(lambda _: None) as where:
        check(told(f"ws://{where}/x"), "no WebSocket server")
        assert not any(word in told(f"http://{where}/x") for word in LIBRARY)


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_silence(scheme: str) -> None:
    with create_server(("127.0.0.1", 0)) as listening:
        where = f"127.0.0.1:{listening.getsockname()[1]}"
        check(told(f"{scheme}://{where}/x"), "no answer in time")


def test_a_web_page_in_place_of_an_answer() -> None:
    async def asked(url: str) -> str:
        way = Access(url, "exchange.rest_url", binance)
        async with RestClient(way, WeightBudget(100)) as rest:
            with pytest.raises(RestError) as caught:
                await rest.klines("BTCUSDT", "1m", 5)
        return str(caught.value)

    with server(page) as where:
        said = asyncio.run(asked(f"http://{where}"))
    check(said, "a web page, and no answer of the exchange's: check exchange.rest_url")
    assert "<" not in said
