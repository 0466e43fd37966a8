"""Stops children in their order, gently first; and how a child ended, as an error for the user."""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from launcher.supervisor.child import Child
from spreadlake.errors import ServiceError, SpreadlakeError
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


MISTAKE = 2  # exit code of a child whose user must change something; starting again is no use


class ChildMistakeError(SpreadlakeError):
    """A child that cannot run until its user changes something; the message is the child's."""


class KilledError(ServiceError):
    """The user did not want to wait for the children to flush."""

    exit_code = 130


def describe_end(child: Child) -> str:
    """`collector ended with exit code 1: …`, or the signal that ended it."""
    code = child.exit_code
    if code is not None and code < 0:
        how = f"was ended by {signal.Signals(-code).name}"
    else:
        how = f"ended with exit code {code}"
    return f"{child.name} {how}{': ' if child.error else ''}{child.error}"


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
    if child.error and child.exit_code in (MISTAKE, -signal.SIGTERM):
        return ChildMistakeError(child.error)
    return ServiceError(describe_end(child))
