"""Which connection carries which symbols, while symbols come and go."""

import logging
from collections.abc import Callable, Iterable, Sequence

from collector.limited_log import Once
from collector.network.access import Access
from collector.resources import Parts
from collector.stream.connection_group import Feed
from collector.stream.frame_reader import Intake
from collector.stream.subscription import symbols_per_connection

log = logging.getLogger(__name__)


class Feeds:
    """The feeds of all captured symbols; `hurry` is called when one of them is full."""

    def __init__(
        self, parts: Parts, hurry: Callable[[], None], has_worked: Callable[[], bool]
    ) -> None:
        self._parts = parts
        self._hurry = hurry
        self._has_worked = has_worked
        self._once = Once(log.warning)
        self.all: list[Feed] = []
        self._open(symbols_per_connection(parts.roster.symbols, self._most))

    def add(self, symbols: Sequence[str]) -> list[Feed]:
        """Carries more symbols; returns the feeds that were made for them, yet to be run."""
        left = list(symbols)
        for feed in sorted(self.all, key=lambda feed: len(feed.symbols)):
            room = max(0, self._most - len(feed.symbols))
            feed.add(left[:room])
            left = left[room:]
        return self._open(symbols_per_connection(left, self._most))

    def remove(self, symbols: Iterable[str]) -> None:
        """Carries some symbols no longer; a feed without symbols stays for those to come."""
        gone = set(symbols)
        for feed in self.all:
            feed.remove(gone)

    def ask_again(self, symbols: Iterable[str]) -> None:
        """Subscribes to symbols anew that were subscribed to when they did not trade."""
        wanted = set(symbols)
        for feed in self.all:
            feed.ask([symbol for symbol in feed.symbols if symbol in wanted])

    @property
    def _most(self) -> int:
        return self._parts.settings.collector.streams_per_connection

    def _open(self, groups: Sequence[tuple[str, ...]]) -> list[Feed]:
        collector, exchange = self._parts.settings.collector, self._parts.settings.exchange
        # Half of the memory is for trades that are read, half for those being stored.
        share = max(1, collector.buffer_trades // 2 // max(1, len(self.all) + len(groups)))

        def new_intake() -> Intake:
            return Intake(exchange.trades, share, self._hurry, self._parts.recorder, self._once)

        opened = [
            Feed(
                symbols,
                exchange,
                self._parts.streams or Access(exchange.ws_url, "exchange.ws_url"),
                new_intake,
                share,
                collector.connection_hours * 3600,
                self._parts.timing,
                self._has_worked,
            )
            for symbols in groups
        ]
        for feed in self.all:
            feed.share = share
        self.all += opened
        return opened
