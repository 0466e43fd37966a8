"""A client whose connection suffers the faults that are planned for it."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from websockets.asyncio.server import ServerConnection

from simulator.faults.plans import Delay, Drop, Faults, HalfOpen, Lag, Plan, Stall, Tamper
from simulator.faults.tampering import TAMPERINGS
from simulator.serving.client import Client
from simulator.serving.subscriptions import Subscriptions
from simulator.source import Frame

# A socket that does not linger is closed with a TCP reset.
_NO_LINGER = struct.pack("ii", 1, 0)
# A stalled connection that is so many messages behind is cut off.
_MOST_HELD = 500_000


def end_connection(connection: ServerConnection, reset: bool, code: int = 1001) -> None:
    """Ends a connection without waiting: with a TCP reset, or with a close frame."""
    if reset:
        connected = connection.transport.get_extra_info("socket")
        with suppress(OSError):  # the client was quicker
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        connection.transport.abort()
        return
    closing = asyncio.create_task(connection.close(code))
    _closing.add(closing)
    closing.add_done_callback(_closing.discard)


# The event loop itself holds tasks only weakly.
_closing: set[asyncio.Task[None]] = set()


class FaultyClient(Client):
    """Writes what a `Client` would, except where a fault is due."""

    def __init__(
        self,
        number: int,
        connection: ServerConnection,
        subscriptions: Subscriptions,
        faults: Faults,
    ) -> None:
        super().__init__(number, connection, subscriptions)
        self._faults = faults
        self._gone = False
        self._stalled_until = 0.0
        self._held: list[bytes] = []
        self._lag = 0.0
        self._lagging: deque[tuple[float, list[bytes]]] = deque()
        self._delayed: list[tuple[int, bytes]] = []
        self._acts: dict[type[Plan], Callable[[Any], None]] = {
            Drop: self._drop,
            HalfOpen: self._half_open,
            Stall: self._stall,
            Lag: self._fall_behind,
        }

    def messages(self, frames: list[Frame]) -> list[bytes]:
        """What is sent now of the frames, once the due faults have befallen them."""
        now = asyncio.get_running_loop().time()
        self._held += self._no_longer_lagging(self._befallen(frames), now)
        if self._gone:
            self._held = []
        elif len(self._held) > _MOST_HELD:
            self.connection.transport.abort()
        if now < self._stalled_until:
            return []
        held, self._held = self._held, []
        return held

    def _befallen(self, frames: list[Frame]) -> list[bytes]:
        messages = super().messages(frames)
        if not self._delayed and self._faults.spare(len(frames)):
            return messages
        sent: list[bytes] = []
        for frame, message in zip(frames, messages, strict=True):
            if not self._gone:
                sent += self._sent_for(frame, message)
        return sent

    def _sent_for(self, frame: Frame, message: bytes) -> list[bytes]:
        sent = [message]
        for plan in self._faults.frame_due(self.number, frame.symbol):
            sent = self._befall(plan, sent)
        return sent + self._no_longer_delayed()

    def _befall(self, plan: Plan, payloads: list[bytes]) -> list[bytes]:
        if isinstance(plan, Tamper):
            change = TAMPERINGS[plan.how]
            return [changed for payload in payloads for changed in change(payload)]
        if isinstance(plan, Delay):
            self._delayed += [(plan.frames, payload) for payload in payloads]
            return []
        self._acts[type(plan)](plan)
        return payloads

    def _no_longer_delayed(self) -> list[bytes]:
        over = [payload for left, payload in self._delayed if left <= 0]
        self._delayed = [(left - 1, payload) for left, payload in self._delayed if left > 0]
        return over

    def _no_longer_lagging(self, messages: list[bytes], now: float) -> list[bytes]:
        if not self._lag:
            return messages
        self._lagging.append((now + self._lag, messages))
        over: list[bytes] = []
        while self._lagging and self._lagging[0][0] <= now:
            over += self._lagging.popleft()[1]
        return over

    def _drop(self, plan: Drop) -> None:
        self._gone = True
        end_connection(self.connection, plan.reset, plan.code)

    def _half_open(self, plan: HalfOpen) -> None:
        self._gone = True
        transport = self.connection.transport
        transport.pause_reading()
        asyncio.get_running_loop().call_later(plan.seconds, transport.abort)

    def _fall_behind(self, plan: Lag) -> None:
        self._lag = plan.seconds

    def _stall(self, plan: Stall) -> None:
        self._stalled_until = asyncio.get_running_loop().time() + plan.seconds
