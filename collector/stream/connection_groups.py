"""Which connection carries which symbols, while symbols come and go."""

import logging
from collections.abc import Callable, Iterable, Sequence

from collector.log_lines import OnceLog
from collector.resources import Resources
from collector.stream.connection_group import ConnectionGroup
from collector.stream.frame_reader import FrameReader

log = logging.getLogger(__name__)


def symbols_per_connection(symbols: Sequence[str], streams: int) -> list[tuple[str, ...]]:
    """Spreads symbols evenly over as few connections of at most `streams` as are needed."""
    connections = -(-len(symbols) // streams)
    return [tuple(symbols[start::connections]) for start in range(connections)]


class ConnectionGroups:
    """The groups of all captured symbols; `on_full` is called when one has no more room."""

    def __init__(
        self, resources: Resources, on_full: Callable[[], None], has_worked: Callable[[], bool]
    ) -> None:
        self._resources = resources
        self._on_full = on_full
        self._has_worked = has_worked
        self._once = OnceLog(log.warning)
        self.all: list[ConnectionGroup] = []
        self._open(symbols_per_connection(resources.roster.symbols, self._most))

    def add(self, symbols: Sequence[str]) -> list[ConnectionGroup]:
        """Carries more symbols; returns the groups that were made for them, yet to be run."""
        left = list(symbols)
        for group in sorted(self.all, key=lambda group: len(group.symbols)):
            room = max(0, self._most - len(group.symbols))
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

    @property
    def _most(self) -> int:
        return self._resources.settings.collector.streams_per_connection

    def _open(self, shares: Sequence[tuple[str, ...]]) -> list[ConnectionGroup]:
        collector, exchange = self._resources.settings.collector, self._resources.settings.exchange
        # Half of the memory is for trades that are read, half for those being stored.
        capacity = max(1, collector.buffer_trades // 2 // max(1, len(self.all) + len(shares)))

        def new_reader() -> FrameReader:
            decode = self._resources.venue.frame_decoder(exchange.trades)
            return FrameReader(
                decode, capacity, self._on_full, self._resources.recorder, self._once
            )

        opened = [
            ConnectionGroup(
                symbols,
                exchange,
                self._resources.streams,
                new_reader,
                capacity,
                collector.connection_hours * 3600,
                self._resources.timing,
                self._has_worked,
            )
            for symbols in shares
        ]
        for group in self.all:
            group.capacity = capacity
        self.all += opened
        return opened
