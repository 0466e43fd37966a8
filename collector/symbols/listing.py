"""Asks the exchange, at the start and again and again, how the captured symbols stand."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from collector.log_lines import RateLimitedLog, shortened
from collector.rest import RestClient, RestError
from collector.symbols.roster import Roster
from collector.timing import Timing, set_within
from spreadlake.errors import ExchangeError
from spreadlake.venue import Listed, Standing

log = logging.getLogger(__name__)
# An exchange that does not answer is told once an hour.
_TOLD = 3600.0


class ListingCheck:
    """Keeps the roster true, and tells what became of each symbol.

    `has_trades` says whether the lake holds trades of a symbol: such a one once was right.
    `joined` is awaited with symbols that did not trade before and do now. A collector that was
    `restarted` captured these symbols before: whatever is wrong with them is only told.
    """

    def __init__(
        self,
        rest: RestClient,
        roster: Roster,
        timing: Timing,
        has_trades: Callable[[str], bool],
        joined: Callable[[Sequence[str]], Awaitable[None]],
        restarted: bool = False,
    ) -> None:
        self._rest = rest
        self._roster = roster
        self._timing = timing
        self._has_trades = has_trades
        self._joined = joined
        self._restarted = restarted
        self._told: dict[str, Standing] = {}
        self._due = asyncio.Event()

    def check_now(self) -> None:
        """Asks now: symbols were added."""
        self._due.set()

    async def run(self) -> None:
        """Runs until cancelled.

        ExchangeError at the first answer, where a symbol is unknown that the lake holds no trades
        of, or where none trades nor ever will.
        """
        await self.check(first=not self._restarted)
        while True:
            await self._pause()
            await self.check()

    async def check(self, first: bool = False) -> None:
        """Asks once, as long as it takes to get an answer, and tells what is new."""
        self._roster.take(await self._listing())
        standings = self._roster.standings()
        if first:
            self._refuse(standings)
        changed = {s: now for s, now in standings.items() if self._told.get(s) is not now}
        joined = [s for s, now in changed.items() if now is Standing.TRADES and s in self._told]
        for symbol, standing in changed.items():
            if standing is not Standing.TRADES:
                log.warning("%s", self._roster.sentence(symbol))
        if changed and Standing.TRADES not in standings.values():
            log.warning("no symbol trades now; waiting until one of them does")
        self._told = standings
        if joined:
            log.warning("%s trades now, and is captured", shortened(joined))
            await self._joined(joined)

    def _refuse(self, standings: Mapping[str, Standing]) -> None:
        for symbol, standing in standings.items():
            if standing is Standing.UNKNOWN and not self._has_trades(symbol):
                raise ExchangeError(self._roster.sentence(symbol))
        if not any(map(self._roster.may_trade, standings)):
            raise ExchangeError(
                f"symbols: none of {shortened(list(standings))} trades any more at the exchange; "
                "name symbols that do"
            )

    async def _pause(self) -> None:
        waits = Standing.WAITS in self._roster.standings().values()
        seconds = self._timing.listing_waiting if waits else self._timing.listing_again
        await set_within(self._due, seconds)
        self._due.clear()

    async def _listing(self) -> list[Listed]:
        warn = RateLimitedLog(log.warning, _TOLD)
        while True:
            try:
                return await self._rest.listing()
            except RestError as error:
                warn("symbols could not be checked, going on without until they can be: %s", error)
            await asyncio.sleep(self._timing.listing_unanswered)
