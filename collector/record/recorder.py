"""Keeps the raw frames of a capture, so that what was seen live can be replayed.

One frame a line: the receive time in ns, a space, the frame as it came. A gzip'd recording is
written as one member after another, so that it stays readable whenever the process ends.
"""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from collector.log_lines import RateLimitedLog
from collector.record.recording_file import RecordingFile

log = logging.getLogger(__name__)
# Frames that wait for the disk; what comes on top is left out, and told.
_MOST_WAITING = 64 * 2**20


class Recorder:
    """Appends frames to the recording at `path`; writes in a thread of its own.

    RecordingError where there can be no recording at `path`, or another process writes it.
    """

    def __init__(self, path: Path, interval: float = 1.0) -> None:
        self._file = RecordingFile(path)
        self._interval = interval
        self._lines: list[bytes] = []
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._executor = ThreadPoolExecutor(1, "recorder")
        self._warn = RateLimitedLog(log.error, 30.0)

    def keep(self, frame: bytes) -> None:
        """Keeps one frame, as received now."""
        if self._waiting > _MOST_WAITING:
            self._warn("the recording does not keep up with the frames: some are left out")
            return
        # Outside of strings JSON may hold line breaks; inside it never does.
        line = b"%d %s\n" % (time.time_ns(), frame.replace(b"\n", b" "))
        self._lines.append(line)
        self._waiting += len(line)

    async def run(self) -> None:
        """Writes until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits; trouble with the disk is told, and tried again."""
        # The thread would go on without whoever is cancelled here, and the next flush begin anew.
        await asyncio.shield(asyncio.ensure_future(self._write()))

    async def _write(self) -> None:
        async with self._turn:
            lines = len(self._lines)
            if not lines:
                return
            data = b"".join(self._lines)
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(self._executor, self._file.append, data)
            except OSError as error:
                self._warn("the recording cannot be written now: %s", error.strerror)
            else:
                del self._lines[:lines]
                self._waiting -= len(data)

    def close(self) -> None:
        """Ends the thread, and lets others record onto the file."""
        self._executor.shutdown(wait=True)
        self._file.close()
