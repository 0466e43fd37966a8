"""Keeps child processes running until told to stop, then stops them in order."""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from spreadlake.errors import ServiceError, SpreadlakeError
from spreadlake.service import StopSignal
from spreadlake.supervisor.child import Child, ChildSpec
from spreadlake.supervisor.delay import RestartDelay

__all__ = ["ChildMistakeError", "Supervisor", "require_alive", "require_success", "stop_children"]

_log = logging.getLogger(__name__)

GRACE_SECONDS = 20.0
_MISTAKE = 2  # exit code of a child whose user must change something; starting again is no use
_POLL_SECONDS = 0.1
_READY_SECONDS = 15.0


class ChildMistakeError(SpreadlakeError):
    """A child that cannot run until its user changes something; the message is the child's."""


@dataclass
class _Minded:
    child: Child
    delay: RestartDelay
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
    new_delay: Callable[[], RestartDelay] = RestartDelay
    _minded: list[_Minded] = field(default_factory=list, init=False)

    def run(self, refresh: Callable[[Mapping[str, str]], None] = lambda _: None) -> None:
        """Blocks until `stop`; `refresh` gets the states about ten times a second meanwhile.

        Raises ChildMistakeError with the message of a child that ended with exit code 2, and
        ServiceError when a child could not end well.
        """
        try:
            for spec in reversed(self.specs):
                minded = _Minded(Child(spec, self.on_line), self.new_delay())
                self._minded.insert(0, minded)
                minded.child.start()
                self._await_ready(spec, minded.child)
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

    def _await_ready(self, spec: ChildSpec, child: Child) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while child.alive and not spec.ready() and time.monotonic() < deadline:
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
        if child.exit_code == _MISTAKE:
            raise ChildMistakeError(child.error or f"{child.name} refused to start (exit code 2)")
        delay = minded.delay.after(ran)
        minded.restart_at = time.monotonic() + delay
        _log.error("%s; it starts again in %g s%s", describe_end(child), delay, _how_often(minded))


def _require_clean_end(minded: _Minded) -> None:
    # A child that waits to be started again has been told of.
    if minded.restart_at is None:
        require_success(minded.child)


def describe_end(child: Child) -> str:
    """`collector ended with exit code 1: …`, or the signal that ended it."""
    code = child.exit_code
    if code is not None and code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    else:
        how = f"ended with exit code {code}"
    return f"{child.name} {how}{': ' if child.error else ''}{child.error}"


def _state(minded: _Minded) -> str:
    if minded.restart_at is None:
        return "running"
    return f"starts again in {max(0.0, minded.restart_at - time.monotonic()):.0f} s"


def _how_often(minded: _Minded) -> str:
    deaths = minded.delay.deaths
    return f" ({deaths} times in a row; what it wrote above says why)" if deaths > 2 else ""


def stop_children(
    children: Sequence[Child],
    stop: StopSignal,
    tick: Callable[[], None] = lambda: None,
    grace: float = GRACE_SECONDS,
) -> None:
    """Stops the children one after the other, in their order.

    Once `stop` is set, another signal kills them all at once. A child that does not end within
    `grace` seconds is killed, and a line says so. `tick` is called often meanwhile.
    """
    with _second_signal_kills(children, stop):
        for child in children:
            _stop(child, tick, grace)


@contextmanager
def _second_signal_kills(children: Sequence[Child], stop: StopSignal) -> Iterator[None]:
    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            for child in children:
                child.kill()
        else:
            stop.request()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(child: Child, tick: Callable[[], None], grace: float) -> None:
    child.terminate()
    deadline = time.monotonic() + grace
    while not child.wait(_POLL_SECONDS):
        tick()
        if time.monotonic() > deadline:
            _log.error("%s did not stop within %g s and is killed", child.name, grace)
            child.kill()
            deadline = float("inf")


def require_alive(children: Sequence[Child]) -> None:
    """Raises what a child that ended by itself left as its reason."""
    for child in children:
        if not child.alive:
            child.wait()
            raise _ended(child)


def require_success(child: Child) -> None:
    """Raises what a child that was stopped left as its reason, unless it ended well."""
    # SIGTERM may come before a child has learned to take it.
    if child.error or child.exit_code not in (0, -signal.SIGTERM):
        raise _ended(child)


def _ended(child: Child) -> SpreadlakeError:
    # SIGTERM may end a child that is already on its way out, after its message.
    if child.error and child.exit_code in (_MISTAKE, -signal.SIGTERM):
        return ChildMistakeError(child.error)
    return ServiceError(describe_end(child))
