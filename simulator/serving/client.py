"""One connected client: what it subscribed to, and what is written to it."""

import asyncio

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from simulator.serving.subscriptions import Subscriptions
from simulator.source import Frame
from spreadlake.binance.encode import combined_prefix

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
    ) -> None:
        self.number = number
        self.connection = connection
        self.subscriptions = subscriptions
        self._frames: list[Frame] = []
        self.put = self._frames.append

    @property
    def is_open(self) -> bool:
        """Whether it can still be written to."""
        return self.connection.state is State.OPEN

    def flush(self, most_unsent: int) -> None:
        """Writes the frames that were put; one who is `most_unsent` bytes behind is cut off."""
        messages = self.messages(self._frames)
        self._frames.clear()
        if messages and self.is_open:
            self.connection.transport.write(_as_websocket(messages))
            if self.unsent > most_unsent:
                self.connection.transport.abort()

    def messages(self, frames: list[Frame]) -> list[bytes]:
        """The frames as the client's route carries them; one without a stream stays as it is."""
        combined = self.subscriptions.combined
        return [
            frame.payload if frame.combined == combined else _convert(frame) for frame in frames
        ]

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


def _as_websocket(messages: list[bytes]) -> bytes:
    """The messages with their headers; those that are not UTF-8 become binary messages."""
    pieces: list[bytes] = []
    known = len(_HEADERS)
    for message in messages:
        length = len(message)
        if length < known and message.isascii():
            pieces += (_HEADERS[length], message)
        else:
            pieces += (_header(_opcode(message), length), message)
    return b"".join(pieces)


def _opcode(payload: bytes) -> int:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return _BINARY
    return _TEXT


def _convert(frame: Frame) -> bytes:
    """Wraps a bare event with its stream name, or takes it out of its wrapping."""
    if frame.stream is None:
        return frame.payload
    if not frame.combined:
        return combined_prefix(frame.stream) + frame.payload + b"}"
    return bytes(_decode_wrapped(frame.payload).data)
