"""What stands between a collector and its exchange: proxies of every kind, and TLS, on loopback.

Whatever name a proxy is asked for, it connects to this machine: the names need not exist.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

LOOPBACK = "127.0.0.1"
LOGIN = ("user", "p@ss:word/")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Middleman:
    """`asked` is what it was asked for, in order: `CONNECT host:port`, or `GET address`."""

    port: int = 0
    asked: list[str] = field(default_factory=list)


def login_of(url: str) -> str:
    """The address of a proxy, with the login that it wants."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://user:p%40ss%3Aword%2F@{rest}"


@asynccontextmanager
async def http_proxy(
    login: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Middleman]:
    """Tunnels (CONNECT), and forwards requests for whole addresses."""
    token = b"proxy-authorization: basic " + b64encode(":".join(LOGIN).encode()).lower()

    async def serve(
        man: Middleman, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        man.asked.append(f"{method} {target}")
        if login and token not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        place = target.removeprefix("http://").split("/", 1)[0]
        there = await asyncio.open_connection(LOOPBACK, int(place.rpartition(":")[2]))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            there[1].write(head.replace(f"http://{place}".encode(), b"", 1))
        await relay((reader, writer), there)

    async with _listening(serve, tls) as man:
        yield man


@asynccontextmanager
async def socks_proxy(login: bool = False) -> AsyncIterator[Middleman]:
    """SOCKS5 (RFC 1928), with or without a login (RFC 1929)."""
    method = b"\x02" if login else b"\x00"

    async def serve(
        man: Middleman, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        version, count = await reader.readexactly(2)
        assert version == 5
        offered = await reader.readexactly(count)
        if method not in offered:
            writer.write(b"\x05\xff")
            return
        writer.write(b"\x05" + method)
        if login:
            await reader.readexactly(1)
            given = [await reader.readexactly((await reader.readexactly(1))[0]) for _ in "up"]
            right = [part.decode() for part in given] == list(LOGIN)
            writer.write(b"\x01" + (b"\x00" if right else b"\x01"))
            if not right:
                return
        *_, kind = await reader.readexactly(4)
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        raw = await reader.readexactly(length)
        host = raw.decode() if kind == 3 else str(ip_address(raw))
        port = int.from_bytes(await reader.readexactly(2), "big")
        man.asked.append(f"CONNECT {host}:{port}")
        there = await asyncio.open_connection(LOOPBACK, port)
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await relay((reader, writer), there)

    async with _listening(serve, None) as man:
        yield man


@asynccontextmanager
async def tls_front(port: int, context: ssl.SSLContext) -> AsyncIterator[Middleman]:
    """Speaks TLS to whoever comes, and plainly to `port`."""

    async def serve(
        _: Middleman, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await relay((reader, writer), await asyncio.open_connection(LOOPBACK, port))

    async with _listening(serve, context) as man:
        yield man


@asynccontextmanager
async def hanging_up() -> AsyncIterator[Middleman]:
    """Takes connections and closes them."""

    async def serve(
        _: Middleman, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Says nothing."""

    async with _listening(serve, None) as man:
        yield man


Serve = Callable[[Middleman, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _listening(serve: Serve, tls: ssl.SSLContext | None) -> AsyncIterator[Middleman]:
    man = Middleman()
    running: list[asyncio.Task[None]] = []
    writers: list[asyncio.StreamWriter] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await serve(man, reader, writer)
                await writer.drain()
        finally:
            await _end(writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Known before its task runs: one that is accepted at the very end is closed as well.
        writers.append(writer)
        running.append(asyncio.create_task(run(reader, writer)))

    server = await asyncio.start_server(accept, LOOPBACK, 0, ssl=tls)
    man.port = server.sockets[0].getsockname()[1]
    try:
        yield man
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for writer in writers:
            _abort(writer)
        await asyncio.sleep(0)


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                await writer.wait_closed()
    finally:
        _abort(writer)


def _abort(writer: asyncio.StreamWriter) -> None:
    # Early versions of Python 3.11 fail at one that speaks TLS and has ended.
    with suppress(AttributeError):
        writer.transport.abort()


async def relay(one: Streams, other: Streams) -> None:
    """Carries bytes both ways until one side has ended."""
    ways = [
        asyncio.create_task(_carry(one[0], other[1])),
        asyncio.create_task(_carry(other[0], one[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        await _end(other[1])


async def _carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        to.write(data)
        await to.drain()
