"""One connected client: what it subscribed to, and what is written to it."""

import asyncio

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from spreadlake.simulator.source import Frame
from spreadlake.simulator.subscriptions import Subscriptions
from spreadlake.wire.encode import combined_prefix

__all__ = ["Client"]

_TEXT = 0x81
_BINARY = 0x82
_SHORT = 126


def _header(opcode: int, length: int) -> bytes:
    """Header of a whole, unmasked message (RFC 6455, section 5.2)."""
    if length < _SHORT:
        return bytes((opcode, length))
    if length < 2**16:
        return bytes((opcode, 126)) + length.to_bytes(2, "big")
    return bytes((opcode, 127)) + length.to_bytes(8, "big")


class _Wrapped(msgspec.Struct):
    data: msgspec.Raw


_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode
_HEADERS = [_header(_TEXT, length) for length in range(1024)]


class Client:
    """Collects frames and writes them in one piece, which is many times as fast as one by one."""

    def __init__(
        self,
        number: int,
        connection: ServerConnection,
        subscriptions: Subscriptions,
        retired: bool = False,
    ) -> None:
        self.number = number
        self.retired = retired
        self.connection = connection
        self.subscriptions = subscriptions
        self.frames_sent = 0
        self._pieces: list[bytes] = []

    @property
    def is_open(self) -> bool:
        """Whether it can still be written to."""
        return self.connection.state is State.OPEN

    def put(self, frame: Frame) -> None:
        """Adds a frame."""
        self.put_message(self.form(frame))

    def form(self, frame: Frame) -> bytes:
        """The frame as the client's route carries it; one without a stream stays as it is."""
        if frame.stream is None or frame.combined == self.subscriptions.combined:
            return frame.payload
        return _convert(frame)

    def put_message(self, payload: bytes) -> None:
        """Adds a message as it is; bytes that are not UTF-8 go as a binary message."""
        length = len(payload)
        if length < len(_HEADERS) and payload.isascii():
            self._pieces += (_HEADERS[length], payload)
        else:
            self._pieces += (_header(_opcode(payload), length), payload)
        self.frames_sent += 1

    def flush(self, most_unsent: int) -> None:
        """Writes what was added; a client that is `most_unsent` bytes behind is cut off."""
        if not self._pieces:
            return
        if self.is_open:
            self.connection.transport.write(b"".join(self._pieces))
            if self.unsent > most_unsent:
                self.connection.transport.abort()
        self._pieces.clear()

    @property
    def waiting_bytes(self) -> int:
        """Bytes added and not written yet."""
        return sum(map(len, self._pieces))

    def discard(self) -> None:
        """Forgets what was added and not written."""
        self._pieces.clear()

    @property
    def unsent(self) -> int:
        """Bytes written that the kernel has not taken yet."""
        return self.connection.transport.get_write_buffer_size()

    async def drain(self) -> None:
        """Waits until the client has read enough to be sent more."""
        if self.is_open:
            try:
                await self.connection.drain()
            except OSError:
                await asyncio.sleep(0)


def _opcode(payload: bytes) -> int:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return _BINARY
    return _TEXT


def _convert(frame: Frame) -> bytes:
    """Wraps a bare event with its stream name, or takes it out of its wrapping."""
    if not frame.combined:
        return combined_prefix(frame.stream or "") + frame.payload + b"}"
    return bytes(_decode_wrapped(frame.payload).data)
