"""A server that is never the bottleneck: WebSocket frames encoded beforehand, in large chunks.

It runs in a process of its own and speaks just enough of the protocol for the clients measured.
"""

import base64
import hashlib
import multiprocessing
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple
from urllib.parse import unquote

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK = 2**18
_TICK = 0.02
_START_MS = 1_760_000_000_000
_FIRST_ID = 10**9

_PING, _PONG = 0x89, 0x8A


class Client:
    """A connection that two threads may write to: whole chunks, one after the other."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def send(self, data: bytes) -> None:
        with self._lock:
            self.connection.sendall(data)


Send = Callable[[Client, list[str]], None]


class Firehose(NamedTuple):
    """Where it listens; `begun` tells when it began to send to each client (time.monotonic)."""

    url: str
    begun: Connection


@contextmanager
def flood(frames: int) -> Iterator[Firehose]:
    """Sends each client `frames` trades of BTCUSDT and ETHUSDT as fast as it reads."""
    with _serving(_flooding, frames) as firehose:
        yield firehose


@contextmanager
def trickle(rate: float) -> Iterator[Firehose]:
    """Sends `rate` trades a second of each symbol that a client names in its address.

    Event and trade time are the local time of sending.
    """
    with _serving(_trickling, rate) as firehose:
        yield firehose


@contextmanager
def _serving(make: Callable[[Any], Send], argument: float) -> Iterator[Firehose]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, make, argument), daemon=True)
    process.start()
    try:
        yield Firehose(f"ws://127.0.0.1:{ours.recv()}", ours)
    finally:
        process.kill()
        process.join()


def _run(begun: Connection, make: Callable[[Any], Send], argument: float) -> None:
    send = make(argument)
    server = socket.create_server(("127.0.0.1", 0))
    begun.send(server.getsockname()[1])
    while True:
        client, _ = server.accept()
        threading.Thread(target=_serve, args=(client, begun, send), daemon=True).start()


def _serve(client: socket.socket, begun: Connection, send: Send) -> None:
    with client:
        path, key = _handshake(client)
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        client.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        begun.send(time.monotonic())
        streams = unquote(path).partition("streams=")[2].split("/")
        symbols = [stream.partition("@")[0].upper() for stream in streams]
        shared = Client(client)
        threading.Thread(target=_send, args=(send, shared, symbols), daemon=True).start()
        _answer_pings(shared)


def _send(send: Send, client: Client, symbols: list[str]) -> None:
    with suppress(OSError):
        send(client, symbols)


def _answer_pings(client: Client) -> None:
    """Until the client is gone; a ping comes alone and is short."""
    with suppress(OSError):
        while data := client.connection.recv(2**12):
            if data[0] == _PING:
                size, mask, body = data[1] & 0x7F, data[2:6], data[6:]
                payload = bytes(body[i] ^ mask[i % 4] for i in range(size))
                client.send(bytes((_PONG, size)) + payload)


def _handshake(client: socket.socket) -> tuple[str, bytes]:
    """Path and key of the request."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += client.recv(2**16)
    first, *rest = request.split(b"\r\n")
    headers = {line.partition(b": ")[0].lower(): line.partition(b": ")[2] for line in rest}
    return first.split(b" ")[1].decode(), headers[b"sec-websocket-key"]


def _flooding(frames: int) -> Send:
    chunks, chunk = [], bytearray()
    for number in range(frames):
        trade_id, symbol = divmod(number, 2)
        chunk += _frame(("BTCUSDT", "ETHUSDT")[symbol], trade_id, _START_MS + number // 10)
        if len(chunk) > _CHUNK:
            chunks.append(bytes(chunk))
            chunk.clear()
    chunks.append(bytes(chunk))

    def send(client: Client, _: list[str]) -> None:
        for part in chunks:
            client.send(part)

    return send


def _trickling(rate: float) -> Send:
    def send(client: Client, symbols: list[str]) -> None:
        started, sent = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - started) * rate * len(symbols))
            now_ms = time.time_ns() // 1_000_000
            numbers = range(sent, due)
            client.send(
                b"".join(
                    _frame(symbols[n % len(symbols)], _FIRST_ID + n // len(symbols), now_ms)
                    for n in numbers
                )
            )
            sent = due
            time.sleep(_TICK)

    return send


def _frame(symbol: str, trade_id: int, time_ms: int) -> bytes:
    """An aggTrade of a combined stream, as Binance sends it, in a WebSocket frame."""
    text = (
        f'{{"stream":"{symbol.lower()}@aggTrade","data":{{"e":"aggTrade","E":{time_ms},'
        f'"s":"{symbol}","a":{trade_id},"p":"{60_000 + trade_id % 1000 / 10:.2f}",'
        f'"q":"0.{trade_id % 999 + 1:03d}","f":{trade_id * 2},"l":{trade_id * 2 + 1},'
        f'"T":{time_ms},"m":{"true" if trade_id % 2 else "false"},"nq":"0.1"}}}}'
    ).encode()
    size = len(text)
    head = bytes((0x81, size)) if size < 126 else struct.pack("!BBH", 0x81, 126, size)
    return head + text
