"""One child process, started in a group of its own, stopped or killed; and the lines it writes."""

import contextlib
import io
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, TextIO

from spreadlake.service import RESTARTED, SUPERVISED

_ERROR = "spreadlake: error: "
_MOST_ERROR_LINES = 50
# Lines come by a pipe, which is ours and no terminal: UTF-8, whatever the terminal's encoding is.
_OURS = {SUPERVISED: "1", "PYTHONIOENCODING": "utf-8:replace"}


@dataclass(frozen=True)
class ChildSpec:
    """What to run: `command` is asked for at each start, `environment` is added to ours.

    `ready` tells whether the process is of use to those that are started after it.
    """

    name: str
    command: Callable[[], Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True


class Child:
    """A process of one spec, started as often as needed.

    Its standard input is a pipe that closes when we die, so that it stops; a group of its own
    keeps Ctrl-C from it. Lines on its output go to `on_line`, except for the final error message,
    which is kept in `error`.
    """

    def __init__(self, spec: ChildSpec, on_line: Callable[[str], None]) -> None:
        self.name = spec.name
        self.starts = 0
        self._spec = spec
        self._on_line = on_line
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._started = 0.0
        self._error: list[str] = []

    def start(self) -> None:
        """Starts the process; the one before must have ended."""
        self._error = []
        again = {RESTARTED: "1"} if self.starts else {}
        self.starts += 1
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 the command is our own
            self._spec.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._spec.environment, **_OURS, **again},
            process_group=0,
        )
        assert self._process.stdout is not None  # noqa: S101 for the type checker
        self._reader = threading.Thread(
            target=self._forward, args=(self._process.stdout,), daemon=True
        )
        self._reader.start()

    @property
    def pid(self) -> int | None:
        """The process id while there is a process."""
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of the process that ended, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    @property
    def error(self) -> str:
        """The error message that the process ended with; empty if it left none."""
        return "\n".join(self._error)

    def seconds_run(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started

    def terminate(self) -> None:
        """Asks the process to flush and end."""
        if self.alive and self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """Ends the process and whatever it started, at once."""
        if self.alive and self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self, seconds: float | None = None) -> bool:
        """Waits at most `seconds` for the end; whether it came. Then its lines are complete."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        self._close(self._process)
        return True

    def _close(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # workers that it could not end itself
        if self._reader is not None:
            self._reader.join(timeout=2)
        if process.stdin is not None:
            process.stdin.close()

    def _forward(self, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                self._take(raw.decode(errors="replace").rstrip("\r\n"))

    def _take(self, line: str) -> None:
        if line.startswith(_ERROR):
            self._error = [line.removeprefix(_ERROR)]
        elif self._error and len(self._error) < _MOST_ERROR_LINES:
            self._error.append(line)
        else:
            self._on_line(line)


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
