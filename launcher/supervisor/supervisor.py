"""Keeps child processes running until told to stop, then stops them in order."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from launcher.supervisor.child import Child, ChildSpec
from launcher.supervisor.stopping import (
    MISTAKE,
    ChildMistakeError,
    describe_end,
    require_success,
    stop_children,
)
from spreadlake.backoff import Backoff
from spreadlake.service import StopSignal

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.1
_READY_SECONDS = 15.0
_CALM_SECONDS = 60.0  # of a run, after which a death is the first in a row


def restart_backoff() -> Backoff:
    """1 s, 2 s, 4 s … up to a minute."""
    return Backoff(first=1.0, cap=60.0, jitter=0.0)


def restart_delay(backoff: Backoff, ran: float) -> float:
    """Seconds to wait after a child died that had run `ran` seconds."""
    if ran >= _CALM_SECONDS:
        backoff.reset()
    return backoff.next()


@dataclass
class _Minded:
    child: Child
    backoff: Backoff
    restart_at: float | None = None


@dataclass(frozen=True)
class Supervisor:
    """Runs `specs`, restarting what dies. They are stopped in the order in which they stand,
    whoever writes before whoever reads, and started the other way round.

    `on_line` takes each line the children write, from threads of its own.
    """

    specs: Sequence[ChildSpec]
    stop: StopSignal
    on_line: Callable[[str], None]
    new_backoff: Callable[[], Backoff] = restart_backoff
    _minded: list[_Minded] = field(default_factory=list, init=False)

    def run(self, refresh: Callable[[Mapping[str, str]], None] = lambda _: None) -> None:
        """Blocks until `stop`; `refresh` gets the states about ten times a second meanwhile.

        Raises ChildMistakeError with the message of a child whose first run ended with exit code 2,
        and ServiceError when a child could not end well.
        """
        try:
            for spec in reversed(self.specs):
                minded = _Minded(Child(spec, self.on_line), self.new_backoff())
                self._minded.insert(0, minded)
                minded.child.start()
                self._await_ready(spec, minded.child, refresh)
            while not self.stop.wait(_POLL_SECONDS):
                for minded in self._minded:
                    self._mind(minded)
                refresh(self.states())
        finally:
            stop_children(
                [minded.child for minded in self._minded],
                self.stop,
                lambda: refresh(dict.fromkeys(self.states(), "stopping")),
            )
        for minded in self._minded:
            _require_clean_end(minded)

    def states(self) -> dict[str, str]:
        """`running`, or when the child starts again, by its name."""
        return {m.child.name: _state(m) for m in reversed(self._minded)}

    def _await_ready(
        self, spec: ChildSpec, child: Child, refresh: Callable[[Mapping[str, str]], None]
    ) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while child.alive and not spec.ready() and time.monotonic() < deadline:
            refresh(self.states())
            if self.stop.wait(_POLL_SECONDS / 2):
                return

    def _mind(self, minded: _Minded) -> None:
        if minded.child.alive:
            return
        if minded.restart_at is None:
            self._plan_restart(minded)
        elif time.monotonic() >= minded.restart_at:
            minded.restart_at = None
            minded.child.start()

    def _plan_restart(self, minded: _Minded) -> None:
        child = minded.child
        ran = child.seconds_run()
        child.wait()
        # One that ran before is right about what it needs: the others go on, and it is tried again.
        if child.exit_code == MISTAKE and child.starts == 1:
            raise ChildMistakeError(child.error or f"{child.name} refused to start (exit code 2)")
        delay = restart_delay(minded.backoff, ran)
        minded.restart_at = time.monotonic() + delay
        _log.error("%s; it starts again in %g s%s", describe_end(child), delay, _how_often(minded))


def _require_clean_end(minded: _Minded) -> None:
    # A child that waits to be started again has been told of.
    if minded.restart_at is None:
        require_success(minded.child)


def _state(minded: _Minded) -> str:
    if minded.restart_at is None:
        return "running"
    return f"starts again in {max(0.0, minded.restart_at - time.monotonic()):.0f} s"


def _how_often(minded: _Minded) -> str:
    deaths = minded.backoff.failures
    return f" ({deaths} times in a row; what it wrote above says why)" if deaths > 2 else ""
