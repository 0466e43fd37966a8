"""How a child ended, as an error for the user."""

import signal
from collections.abc import Sequence

from launcher.supervisor.child import Child
from spreadlake.errors import ServiceError, SpreadlakeError

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
