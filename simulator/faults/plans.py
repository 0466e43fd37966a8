"""Faults that the simulated exchange commits on purpose, when its tests say.

A plan is what happens and `When` it does. A `Faults` holds plans, tells which are due, and
remembers which have happened. No socket is touched here: `faulty_client` and the server do that.
"""

import time
from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeVar

from simulator.faults.tampering import TAMPERINGS

Target = Literal["frame", "handshake", "accept", "rest"]
RestHow = Literal["status", "malformed", "timeout", "reset"]


@dataclass(frozen=True)
class When:
    """When a fault happens: at the first occasion at which all of this is so.

    `frame`: so many frames have been sent, over all connections; `seconds`: so long after the
    exchange started; `connection`: only on this one (the first is 1); `symbol`: only to frames
    of this symbol. It happens `times` occasions in a row, or on all for `lasting` seconds.
    """

    frame: int = 0
    seconds: float = 0.0
    connection: int | None = None
    symbol: str | None = None
    times: int = 1
    lasting: float = 0.0


_NOW = When()


@dataclass(frozen=True)
class Plan:
    """A fault and when it happens."""

    target: ClassVar[Target] = "frame"
    when: When = field(default=_NOW, kw_only=True)


@dataclass(frozen=True)
class Tamper(Plan):
    """A frame is damaged, lost or repeated; `how` names one of `TAMPERINGS`."""

    how: str

    def __post_init__(self) -> None:
        if self.how not in TAMPERINGS:
            raise ValueError(f"{self.how!r} is not a tampering; there are {', '.join(TAMPERINGS)}")


@dataclass(frozen=True)
class Delay(Plan):
    """A frame comes late, after `frames` others of the same connection."""

    frames: int = 1


@dataclass(frozen=True)
class Drop(Plan):
    """The connection ends: with a TCP reset, or with a close frame of that `code`."""

    reset: bool = True
    code: int = 1001


@dataclass(frozen=True)
class HalfOpen(Plan):
    """Nothing comes any more, not even pongs; after `seconds` the connection is reset."""

    seconds: float = 60.0


@dataclass(frozen=True)
class Stall(Plan):
    """Nothing comes for `seconds`, then all that was held up comes at once."""

    seconds: float = 1.0


@dataclass(frozen=True)
class Lag(Plan):
    """All that comes is late by `seconds`, from then on until the connection ends."""

    seconds: float = 1.0


@dataclass(frozen=True)
class RefuseHandshake(Plan):
    """The WebSocket handshake is answered with this HTTP status."""

    target = "handshake"
    status: int = 503


@dataclass(frozen=True)
class DropAfterAccept(Plan):
    """The connection is accepted and ended at once."""

    target = "accept"
    reset: bool = True


@dataclass(frozen=True)
class RestFailure(Plan):
    """A REST request goes wrong: another status, broken JSON, no answer, or a reset.

    `how` "status" answers with `status` and `body` (and `retry_after`, if it is given);
    "malformed" sends status 200 with JSON that breaks off; "timeout" answers only after `seconds`;
    "reset" ends the connection without an answer.
    """

    target = "rest"
    how: RestHow = "status"
    status: int = 503
    retry_after: int | None = None
    seconds: float = 30.0
    body: bytes = b'{"code":-1000,"msg":"on purpose"}'


P = TypeVar("P", bound=Plan)


@dataclass
class _Armed:
    plan: Plan
    left: int
    until: float | None = None
    has_fired: bool = False


def _frame_of(armed: _Armed) -> int:
    return armed.plan.when.frame


class Faults:
    """Plans of faults; more can be added while the exchange runs (in its own thread)."""

    def __init__(self, plans: Iterable[Plan] = ()) -> None:
        self._armed: dict[Target, list[_Armed]] = {}
        self._started = time.monotonic()
        self._frames = 0
        self._soonest = 0
        self.fired: list[Plan] = []
        self.add(*plans)

    def add(self, *plans: Plan) -> None:
        """Arms more plans; their `frame` and `seconds` count from the start of the exchange."""
        for plan in plans:
            armed = self._armed.setdefault(plan.target, [])
            insort(armed, _Armed(plan, plan.when.times), key=_frame_of)
        self._soonest = 0

    @property
    def pending(self) -> int:
        """How many plans are not over yet."""
        return sum(map(len, self._armed.values()))

    def begin(self) -> None:
        """Counts `seconds` from now."""
        self._started = time.monotonic()

    def spare(self, frames: int) -> bool:
        """Counts so many frames at once, if no fault can be due with any of them."""
        if self._frames + frames >= self._soonest:
            return False
        self._frames += frames
        return True

    def frame_due(self, connection: int, symbol: str) -> list[Plan]:
        """Counts a frame that is to be sent, and gives the faults that befall it."""
        self._frames += 1
        if self._frames < self._soonest:
            return []
        due = self._due("frame", connection, symbol)
        waiting = self._armed.get("frame")
        self._soonest = _frame_of(waiting[0]) if waiting else 2**63
        return due

    def due(self, kind: type[P], connection: int | None = None) -> P | None:
        """The first fault of that kind that is due now, if any is."""
        found = self._due(kind.target, connection, None, most=1)
        return found[0] if found and isinstance(found[0], kind) else None

    def _due(
        self, target: Target, connection: int | None, symbol: str | None, most: int = 2**31
    ) -> list[Plan]:
        elapsed = time.monotonic() - self._started
        due: list[Plan] = []
        armed_now = self._armed.get(target, [])
        reached = bisect_right(armed_now, self._frames, key=_frame_of)
        for armed in armed_now[:reached]:
            if len(due) < most and self._fits(armed, elapsed, connection, symbol):
                self._fire(armed, elapsed)
                due.append(armed.plan)
        return due

    def _fits(
        self, armed: _Armed, elapsed: float, connection: int | None, symbol: str | None
    ) -> bool:
        when = armed.plan.when
        if armed.until is not None and elapsed >= armed.until:
            self._disarm(armed)
            return False
        return (
            elapsed >= when.seconds
            and when.connection in (None, connection)
            and when.symbol in (None, symbol)
        )

    def _fire(self, armed: _Armed, elapsed: float) -> None:
        if not armed.has_fired:
            armed.has_fired = True
            self.fired.append(armed.plan)
        if armed.plan.when.lasting:
            armed.until = armed.until or elapsed + armed.plan.when.lasting
            return
        armed.left -= 1
        if not armed.left:
            self._disarm(armed)

    def _disarm(self, armed: _Armed) -> None:
        self._armed[armed.plan.target].remove(armed)
