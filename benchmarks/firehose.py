"""A server that is never the bottleneck: WebSocket frames encoded beforehand, in large chunks.

It runs in a process of its own and speaks just enough of the protocol for the clients measured.
"""

import base64
import hashlib
import multiprocessing
import queue
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple
from urllib.parse import unquote

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CHUNK = 2**18
_TICK = 0.02
_START_MS = 1_760_000_000_000
_FIRST_ID = 10**9
SYMBOLS = tuple(f"S{number:03d}USDT" for number in range(500))
# The liveliest of the symbols trades a hundred times as often as the last.
_WEIGHTS = [1 / (1 + number / 5) for number in range(len(SYMBOLS))]
# Symbols of trades are drawn beforehand, and again from the start when they are used up.
_DRAWN = 100_003

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
def trickle(phases: Sequence[tuple[float, float]]) -> Iterator[Firehose]:
    """Sends trades of `SYMBOLS` at the rates of `phases`, (seconds, trades a second), in turn.

    They begin with the first client; after the last of them nothing more comes. Clients get the
    symbols that they name in their address, all of them the same frames. Event and trade time are
    the local time of sending.
    """
    with _serving(_trickling, phases) as firehose:
        yield firehose


@contextmanager
def _serving(make: Callable[[Any], Send], argument: object) -> Iterator[Firehose]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(theirs, make, argument), daemon=True)
    process.start()
    try:
        yield Firehose(f"ws://127.0.0.1:{ours.recv()}", ours)
    finally:
        process.kill()
        process.join()


def _run(begun: Connection, make: Callable[[Any], Send], argument: object) -> None:
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


class _Ticker:
    """Makes each frame once, for all clients, and hands it on to the threads that send."""

    def __init__(self, phases: Sequence[tuple[float, float]]) -> None:
        self._phases = phases
        self._clients: dict[queue.SimpleQueue[bytes], frozenset[str]] = {}
        self._lock = threading.Lock()
        self._started = False

    def send(self, client: Client, symbols: list[str]) -> None:
        """Sends to one client for good."""
        waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        with self._lock:
            self._clients[waiting] = frozenset(symbols)
            if not self._started:
                threading.Thread(target=self._run, daemon=True).start()
                self._started = True
        try:
            while True:
                client.send(waiting.get())
        finally:
            with self._lock:
                del self._clients[waiting]

    def _run(self) -> None:
        drawn = random.Random(1).choices(range(len(SYMBOLS)), _WEIGHTS, k=_DRAWN)
        started, sent, ids = time.monotonic(), 0, [_FIRST_ID] * len(SYMBOLS)
        while True:
            due, now_ms = self._due(time.monotonic() - started), time.time_ns() // 1_000_000
            frames = []
            for number in range(sent, due):
                symbol = drawn[number % _DRAWN]
                ids[symbol] += 1
                name = SYMBOLS[symbol]
                frames.append((name, _frame(name, ids[symbol], now_ms)))
            sent = due
            if frames:
                self._hand_on(frames)
            time.sleep(_TICK)

    def _due(self, seconds: float) -> int:
        """How many trades are to have been sent."""
        due = 0.0
        for length, rate in self._phases:
            due += rate * min(length, max(0.0, seconds))
            seconds -= length
        return int(due)

    def _hand_on(self, frames: list[tuple[str, bytes]]) -> None:
        joined: dict[frozenset[str], bytes] = {}
        with self._lock:
            for waiting, symbols in self._clients.items():
                if symbols not in joined:
                    joined[symbols] = b"".join(text for name, text in frames if name in symbols)
                if joined[symbols]:
                    waiting.put(joined[symbols])


def _trickling(phases: Sequence[tuple[float, float]]) -> Send:
    return _Ticker(phases).send


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
