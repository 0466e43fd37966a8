"""Takes on the edited configuration while trades are captured: its symbols come and go."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from collector.rest import RestClient, RestError
from collector.symbols.roster import Roster
from collector.timing import Timing
from spreadlake.config import ConfigWatch, Settings
from spreadlake.venue import Standing

# What is read once: here, and by the log's publisher and store.
_AT_NEXT_START = (
    "exchange.",
    "collector.",
    "redis.",
    "storage.roll_after_hours",
    "storage.cold",  # and storage.cold_keep_days
)


class _Collector(Protocol):
    """What can capture more symbols, and fewer."""

    def follow(self, settings: Settings) -> None: ...

    def check_now(self) -> None: ...

    async def add(self, symbols: Sequence[str]) -> None: ...

    async def remove(self, symbols: Sequence[str]) -> None: ...


class ConfigurationReload:
    """Follows one configuration; an edit with a symbol that the exchange does not know is refused.

    The connections of the symbols that stay are left alone. `has_trades` says whether the lake
    holds trades of a symbol: such a one once was right.
    """

    def __init__(
        self,
        rest: RestClient,
        roster: Roster,
        timing: Timing,
        has_trades: Callable[[str], bool],
        collector: _Collector,
        configuration: ConfigWatch,
    ) -> None:
        self._rest = rest
        self._roster = roster
        self._timing = timing
        self._has_trades = has_trades
        self._collector = collector
        self._configuration = configuration
        configuration.at_next_start = _AT_NEXT_START

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            edited = self._configuration.look()
            if edited is not None:
                await self._take(edited)
            await asyncio.sleep(self._timing.reload_interval)

    async def _take(self, edited: Settings) -> None:
        captured = list(self._roster.symbols)
        # Where rules choose, the next look, which is now, does the rest.
        chosen = edited.symbols == "all"
        wanted = [*captured, *edited.universe.include] if chosen else edited.symbol_list
        new = [symbol for symbol in wanted if symbol not in set(captured)]
        if unknown := await self._unknown(new):
            self._configuration.refuse("; ".join(unknown))
            return
        self._configuration.accept()
        self._collector.follow(edited)
        if chosen:
            self._collector.check_now()
            return
        if new:
            await self._collector.add(new)
        if gone := [symbol for symbol in captured if symbol not in set(wanted)]:
            await self._collector.remove(gone)
        if not (new or gone):
            self._collector.check_now()

    async def _unknown(self, symbols: Sequence[str]) -> list[str]:
        """Sentences on symbols that do not exist; an exchange that does not answer knows all."""
        asked = [symbol for symbol in symbols if not self._has_trades(symbol)]
        if not asked:
            return []
        try:
            listing = await self._rest.listing()
        except RestError:
            return []
        roster = Roster(asked)
        roster.take(listing)
        standings = roster.standings()
        return [roster.sentence(s) for s, now in standings.items() if now is Standing.UNKNOWN]
