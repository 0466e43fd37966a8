"""Keeps the raw frames of a capture, so that what was seen live can be replayed.

One frame a line: the receive time in ns, a space, the frame as it came. A gzip'd recording is
written as one member after another, so that it stays readable whenever the process ends.
"""

import asyncio
import gzip
import logging
import time
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from collector.rate import Bounded
from spreadlake.errors import RecordingError

__all__ = ["Recorder", "whole_members"]

log = logging.getLogger(__name__)
_CHUNK = 2**16
# Frames that wait for the disk; what comes on top is left out, and told.
_MOST_WAITING = 64 * 2**20


class Recorder:
    """Appends frames to the recording at `path`; writes in a thread of its own."""

    def __init__(self, path: Path, interval: float = 1.0) -> None:
        self._path = path
        self._interval = interval
        self._size = _prepare(path)
        self._lines: list[bytes] = []
        self._waiting = 0
        self._executor = ThreadPoolExecutor(1, "recorder")
        self._warn = Bounded(log.error, 30.0)

    def recorded(self, receive: Callable[[], Awaitable[bytes]]) -> Callable[[], Awaitable[bytes]]:
        """`receive`, with every frame kept that it returns."""

        async def receive_and_keep() -> bytes:
            frame = await receive()
            self._keep(frame)
            return frame

        return receive_and_keep

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits; trouble with the disk is told, and tried again."""
        lines = len(self._lines)
        if not lines:
            return
        data = b"".join(self._lines)
        try:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._append, data)
        except OSError as error:
            self._warn("the recording cannot be written now: %s", error.strerror)
        else:
            del self._lines[:lines]
            self._waiting -= len(data)

    def close(self) -> None:
        """Ends the thread."""
        self._executor.shutdown(wait=True)

    def _keep(self, frame: bytes) -> None:
        if self._waiting > _MOST_WAITING:
            self._warn("the recording does not keep up with the frames: some are left out")
            return
        # Outside of strings JSON may hold line breaks; inside it never does.
        line = b"%d %s\n" % (time.time_ns(), frame.replace(b"\n", b" "))
        self._lines.append(line)
        self._waiting += len(line)

    def _append(self, data: bytes) -> None:
        with self._path.open("r+b") as file:
            # What an attempt that failed has left behind is written over.
            file.seek(self._size)
            file.write(gzip.compress(data, 6) if _is_gzip(self._path) else data)
            file.truncate()
            file.flush()
            self._size = file.tell()


def whole_members(path: Path) -> int:
    """Bytes of a gzip file up to the end of its last whole member."""
    whole = read = 0
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            read += len(data)
            while data:
                try:
                    member.decompress(data)
                except zlib.error:
                    return whole
                data = member.unused_data
                if member.eof:
                    whole = read - len(data)
                    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    return whole


def _prepare(path: Path) -> int:
    """Where to go on in the recording; RecordingError where that cannot be."""
    try:
        path.open("ab").close()
        size = path.stat().st_size
        whole = whole_members(path) if _is_gzip(path) else size
    except OSError as error:
        raise RecordingError(
            f"recording {path} cannot be written: {error.strerror}; choose another with --record"
        ) from None
    if size and not whole:
        raise RecordingError(
            f"{path} is there and is no gzip'd recording; choose another file with --record"
        )
    return whole


def _is_gzip(path: Path) -> bool:
    return path.suffix == ".gz"
