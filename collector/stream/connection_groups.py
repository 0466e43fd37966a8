"""Which connections carry which symbols, while symbols come and go."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from collector.log_lines import OnceLog
from collector.resources import StreamResources
from collector.stream.arbitration import Arbiter
from collector.stream.attempts import ConnectionAttempts
from collector.stream.connection_group import ConnectionGroup
from collector.stream.frame_reader import FrameReader

log = logging.getLogger(__name__)


def symbols_per_connection(symbols: Sequence[str], streams: int) -> list[tuple[str, ...]]:
    """Spreads symbols evenly over as few connections of at most `streams` as are needed."""
    connections = -(-len(symbols) // streams)
    return [tuple(symbols[start::connections]) for start in range(connections)]


class ConnectionGroups:
    """The groups of all captured symbols; `on_full` is called when one has no more room.

    Each share of the symbols is carried by `collector.connections_per_symbol` groups at once.
    """

    def __init__(
        self,
        resources: StreamResources,
        on_full: Callable[[], None],
        has_worked: Callable[[], bool],
    ) -> None:
        self._resources = resources
        self._on_full = on_full
        self._has_worked = has_worked
        self._once = OnceLog(log.warning)
        self._attempts = ConnectionAttempts(*resources.venue.CONNECTION_ATTEMPTS)
        self._copies = resources.settings.collector.connections_per_symbol
        self._arbiter = Arbiter() if self._copies > 1 else None
        self._shares: list[list[ConnectionGroup]] = []
        self.all: list[ConnectionGroup] = []
        self._open(symbols_per_connection(resources.roster.symbols, self._most))

    def add(self, symbols: Sequence[str]) -> list[ConnectionGroup]:
        """Carries more symbols; returns the groups that were made for them, yet to be run."""
        left = list(symbols)
        for share in sorted(self._shares, key=lambda share: len(share[0].symbols)):
            room = max(0, self._most - len(share[0].symbols))
            for group in share:
                group.add(left[:room])
            left = left[room:]
        return self._open(symbols_per_connection(left, self._most))

    def remove(self, symbols: Iterable[str]) -> None:
        """Carries some symbols no longer; a group without symbols stays for those to come."""
        gone = set(symbols)
        for group in self.all:
            group.remove(gone)

    def request_again(self, symbols: Iterable[str]) -> None:
        """Subscribes to symbols anew that were subscribed to when they did not trade."""
        wanted = set(symbols)
        for group in self.all:
            group.request([symbol for symbol in group.symbols if symbol in wanted])

    def still_to_come(self, symbol: str) -> Callable[[], bool]:
        """Whether trades of `symbol` from before now may come yet, by a connection that is behind.

        That is one that is open now and stays open, until it has come as far as another one is now.
        """
        share = next((share for share in self._shares if symbol in share[0].symbols), [])
        current = [group.current for group in share]
        connections = [connection for connection in current if connection is not None]
        reached_ms = max((connection.reached_ms for connection in connections), default=0)
        until = time.monotonic() + self._resources.timing.copy_late

        def come() -> bool:
            return time.monotonic() < until and any(
                connection.reached_ms < reached_ms and not connection.reading.done()
                for connection in connections
            )

        return come

    @property
    def _most(self) -> int:
        return self._resources.settings.collector.streams_per_connection

    def _open(self, shares: Sequence[tuple[str, ...]]) -> list[ConnectionGroup]:
        opened = [self._share(symbols) for symbols in shares]
        self._shares += opened
        groups = [group for share in opened for group in share]
        self.all += groups
        # Half of the memory is for trades that are read, half for those being stored.
        capacity = self._resources.settings.collector.buffer_trades // 2
        for group in self.all:
            group.capacity = max(1, capacity // len(self.all))
        return groups

    def _share(self, symbols: tuple[str, ...]) -> list[ConnectionGroup]:
        share: list[ConnectionGroup] = []
        for number in range(1, self._copies + 1):
            share.append(
                ConnectionGroup(
                    symbols,
                    number,
                    share,
                    self._resources,
                    self._new_reader,
                    self._attempts,
                    self._has_worked,
                )
            )
        return share

    def _new_reader(self) -> FrameReader:
        decode = self._resources.venue.frame_decoder(self._resources.settings.exchange.trades)
        recorder = self._resources.recorder
        return FrameReader(decode, 1, self._on_full, recorder, self._once, self._arbiter)
