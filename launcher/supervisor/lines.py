"""The latest log lines, kept for the screen or passed on to a stream."""

import io
import threading
from collections import deque
from typing import TextIO

_KEPT = 200


class LogLines(io.TextIOBase):
    """Takes lines from several threads; `echo`, where there is one, gets each of them at once."""

    def __init__(self, echo: TextIO | None) -> None:
        self._echo = echo
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def add(self, line: str) -> None:
        """Takes one line without its end."""
        with self._lock:
            self._lines.append(line)
            if self._echo is not None:
                print(line, file=self._echo, flush=True)

    def write(self, text: str) -> int:
        """Takes whole lines, as a logging handler writes them."""
        for line in text.splitlines():
            self.add(line)
        return len(text)

    def last(self, count: int) -> list[str]:
        """The latest lines, oldest first."""
        with self._lock:
            return list(self._lines)[-count:] if count > 0 else []
