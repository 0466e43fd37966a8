"""Who gets which frame, and how many were sent."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from simulator.serving.client import Client
from simulator.source import Frame


class Hub:
    """The connected clients by stream."""

    def __init__(self, most_unsent: int) -> None:
        self._most_unsent = most_unsent
        self._clients: dict[Client, None] = {}
        self._subscribers: dict[str, list[Client]] = {}
        self._changed = asyncio.Event()
        self.halted: frozenset[str] = frozenset()  # symbols of which nothing is sent
        self.frames_sent = 0
        self.last_ids: dict[str, int] = {}
        self.trades_sent: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    def streams(self) -> Collection[str]:
        """The streams that have a subscriber."""
        return self._subscribers.keys()

    def add(self, client: Client) -> None:
        """A client has connected; of streams that come on another route it gets nothing."""
        self._clients[client] = None
        self.subscriptions_changed()

    def remove(self, client: Client) -> None:
        """A client has gone."""
        del self._clients[client]
        self.subscriptions_changed()

    def subscriptions_changed(self) -> None:
        """Finds anew who wants what; to be called whenever a client's streams change."""
        self._subscribers = {}
        for client in self._clients:
            for stream in client.subscriptions.carried:
                self._subscribers.setdefault(stream, []).append(client)
        self._changed.set()

    async def subscribed(self, streams: Iterable[str]) -> None:
        """Waits until all of `streams` have a subscriber; of none given, until any stream has."""
        wanted = frozenset(streams)
        while not self.has_subscribers(wanted):
            self._changed.clear()
            await self._changed.wait()

    def has_subscribers(self, streams: Collection[str]) -> bool:
        """Whether all of `streams` (of none given: any stream) have a subscriber."""
        # One that is closing is still here, and no longer reads.
        read = (stream for stream, to in self._subscribers.items() if any(c.is_open for c in to))
        return any(read) if not streams else set(streams) <= set(read)

    def send(self, frames: Iterable[Frame]) -> None:
        """Sends each frame to those who want it; never waits."""
        for frame in frames:
            if frame.stream is None:
                self._send_to_all(frame)
                continue
            clients = self._subscribers.get(frame.stream)
            if clients is None or frame.symbol in self.halted:
                continue
            for client in clients:
                client.put(frame)
            self.frames_sent += len(clients)
            if frame.symbol:
                self.last_ids[frame.symbol] = frame.trade_id
                self.trades_sent[frame.symbol] += 1
        for client in self._clients:
            client.flush(self._most_unsent)

    def _send_to_all(self, frame: Frame) -> None:
        for client in self._clients:
            if client.subscriptions.carried:
                client.put(frame)
                self.frames_sent += 1

    async def drain(self) -> None:
        """Waits until every client has read enough to be sent more."""
        await asyncio.gather(*(client.drain() for client in self._clients))

    async def emptied(self) -> None:
        """Waits until the kernel has taken all that was written."""
        # A transport tells when its buffer is low, but not when it is empty.
        while any(client.is_open and client.unsent for client in self._clients):  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def counts(self) -> Mapping[str, object]:
        """The hub's part of the status."""
        return {
            "frames_sent": self.frames_sent,
            "last": self.last_ids,
            "trades_sent": self.trades_sent,
            "connections": self.connections,
        }
