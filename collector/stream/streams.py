"""The exchange's streams as a source of trades: connections, batches, and the watch on silence."""

from collections.abc import Callable, Sequence
from typing import Any

from collector.resources import StreamResources
from collector.source import Host, Work
from collector.stream.batcher import Batcher
from collector.stream.connection_group import ConnectionGroup
from collector.stream.connection_groups import ConnectionGroups
from collector.stream.silence_monitor import SilenceMonitor


class Streams:
    """The connections of all captured symbols; made inside the event loop."""

    def __init__(self, resources: StreamResources, host: Host) -> None:
        self._silence_monitor = SilenceMonitor(resources, host.check_if_old)
        self._groups = ConnectionGroups(resources, self._flush_now, host.has_worked)
        self._batcher = Batcher(resources, self._groups.all, self._silence_monitor.observe)

    @property
    def waiting(self) -> int:
        """Trades in memory that are not stored yet."""
        return self._batcher.waiting

    def status(self) -> dict[str, Any]:
        """How many connections are open, and how each of them is."""
        groups = self._groups.all
        return {
            "connections": sum(group.current is not None for group in groups),
            "sessions": [_session(group) for group in groups],
        }

    def work(self) -> Work:
        """Everything that runs until the end."""
        return [self._batcher.run(), *self._of(self._groups.all)]

    def add(self, symbols: Sequence[str]) -> Work:
        """Carries more symbols; returns what is to be run for those that need connections."""
        self._silence_monitor.begin(symbols)
        return self._of(self._groups.add(symbols))

    def remove(self, symbols: Sequence[str]) -> None:
        """Carries some symbols no longer."""
        self._groups.remove(symbols)

    def joined(self, symbols: Sequence[str]) -> None:
        """These trade that did not: they are asked for anew, and are watched again."""
        self._silence_monitor.begin(symbols)
        self._groups.request_again(symbols)

    def still_to_come(self, symbol: str) -> Callable[[], bool]:
        """Whether a connection that is behind may still bring trades from before now."""
        return self._groups.still_to_come(symbol)

    def excuse_silence(self) -> None:
        """The silence up to now is our own doing."""
        self._silence_monitor.ignore_until_now()

    async def flush(self) -> None:
        """Stores all that waits, and what has come meanwhile."""
        await self._batcher.flush()
        await self._batcher.flush()

    async def close(self) -> None:
        """Ends the attempts to store what could not be stored."""
        await self._batcher.close()

    def _of(self, groups: Sequence[ConnectionGroup]) -> Work:
        return [
            work for group in groups for work in (group.run(), self._silence_monitor.run(group))
        ]

    def _flush_now(self) -> None:
        self._batcher.flush_now()


def _session(group: ConnectionGroup) -> dict[str, Any]:
    connection = group.current
    status: dict[str, Any] = {
        "connection": group.number,
        "streams": len(group.symbols),
        "connected": connection is not None,
    }
    if connection is not None:
        status["age_seconds"] = round(connection.age_seconds, 1)
        status["silent_seconds"] = round(connection.silent_seconds, 1)
    return status
