"""Stops children in their order, gently first."""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from launcher.supervisor.child import Child
from launcher.supervisor.endings import KilledError
from spreadlake.service import StopSignal

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 20.0
_POLL_SECONDS = 0.1


def stop_children(
    children: Sequence[Child],
    stop: StopSignal,
    tick: Callable[[], None] = lambda: None,
    grace: float = _GRACE_SECONDS,
) -> None:
    """Stops the children one after the other, in their order.

    Once `stop` is set, another signal kills them all at once, and KilledError tells it. A child
    that does not end within `grace` seconds is killed, and a line says so. `tick` is called
    often meanwhile.
    """
    with _second_signal_kills(children, stop) as killed:
        for child in children:
            _stop(child, tick, grace)
    if killed:
        raise KilledError(
            f"{', '.join(killed)} had to end at once, by a second signal; what was stored is kept"
        )


@contextmanager
def _second_signal_kills(children: Sequence[Child], stop: StopSignal) -> Iterator[list[str]]:
    """Yields a list that will hold the names of the children that were killed."""
    killed: list[str] = []

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            alive = [child for child in children if child.alive]
            killed.extend(child.name for child in alive)
            for child in alive:
                child.kill()
        else:
            stop.request()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield killed
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
