"""What every service is started with, and how it is told to stop."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spreadlake.config import ConfigWatch, Settings
from spreadlake.lake import Lake

# Set by the supervisor: its end of our standard input closes when it dies, however it dies.
SUPERVISED = "SPREADLAKE_SUPERVISED"
# And this where it starts us again after we died.
RESTARTED = "SPREADLAKE_RESTARTED"


@dataclass(frozen=True)
class ServiceContext:
    """What a service's `run` takes.

    `config` is the file that the settings came from, and `watch` follows it, where it has to
    remember what was accepted; `duration` counts seconds of run time, None runs until told to stop;
    `options` are the service's own. `restarted` says that the service died, and that its supervisor
    started it again.
    """

    settings: Settings
    lake: Lake
    config: Path | None = None
    duration: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    watch: ConfigWatch | None = None
    restarted: bool = False

    def config_watch(self) -> ConfigWatch:
        """The watch over the configuration; the same at every call only where one was given."""
        return self.watch or ConfigWatch(self.config, self.settings)


class StopSignal:
    """Set by SIGINT, SIGTERM, the end of the duration, or the death of the supervisor."""

    def __init__(self, duration: float | None = None) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        if duration is not None:
            self._later(duration)
        if os.environ.get(SUPERVISED):
            threading.Thread(target=self._watch_supervisor, daemon=True).start()

    def on_set(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when the signal is set; it must be quick and safe in any thread."""
        self._callbacks.append(callback)
        if self.is_set():
            callback()

    def set(self) -> None:
        """Tells the service to flush everything and end."""
        self._event.set()
        for callback in self._callbacks:
            callback()

    def is_set(self) -> bool:
        """Whether the service has been told to stop."""
        return self._event.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Waits until set, at most `seconds`; returns whether it is set."""
        return self._event.wait(seconds)

    def request(self) -> None:
        """Sets it from within a signal handler."""
        # In a thread of its own: the handler may interrupt this thread inside `wait`, where it
        # holds the event's lock.
        threading.Thread(target=self.set, daemon=True).start()

    def _on_signal(self, *_: object) -> None:
        self.request()

    def _later(self, seconds: float) -> None:
        timer = threading.Timer(seconds, self.set)
        timer.daemon = True
        timer.start()

    def _watch_supervisor(self) -> None:
        # Not through sys.stdin: at exit the interpreter would wait for this thread to let go of it.
        while os.read(sys.stdin.fileno(), 1):
            pass
        self.set()
