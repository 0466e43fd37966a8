"""Asks the exchange, at the start and again and again, how the captured symbols stand."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from collector.log_lines import RateLimitedLog, shortened
from collector.rest import RestClient, RestError
from collector.symbols.roster import Roster
from collector.symbols.universe_keeper import UniverseKeeper
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
    `restarted` captured these symbols before: whatever is wrong with them is only told. Each list
    is handed to `universe`, which may change who is captured.
    """

    def __init__(
        self,
        rest: RestClient,
        roster: Roster,
        timing: Timing,
        has_trades: Callable[[str], bool],
        joined: Callable[[Sequence[str]], Awaitable[None]],
        restarted: bool = False,
        universe: UniverseKeeper | None = None,
    ) -> None:
        self._rest = rest
        self._roster = roster
        self._timing = timing
        self._has_trades = has_trades
        self._joined = joined
        self._restarted = restarted
        self._universe = universe
        self._told: dict[str, Standing] = {}
        self._waited = 0  # looks since something changed
        self._asked_at = 0.0
        self._due = asyncio.Event()

    def check_now(self) -> None:
        """Asks now: symbols were added."""
        self._due.set()

    def check_if_old(self) -> None:
        """Asks, unless it was just done: a symbol is silent, and may be halted."""
        if time.monotonic() - self._asked_at >= self._timing.listing_quiet:
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
        await self._take_listing(first)
        standings = self._roster.standings()
        if first and not self._chooses:
            self._refuse(standings)
        changed = {s: now for s, now in standings.items() if self._told.get(s) is not now}
        joined = [s for s, now in changed.items() if now is Standing.TRADES and s in self._told]
        for symbol, standing in changed.items():
            if standing is not Standing.TRADES:
                log.warning("%s", self._roster.sentence(symbol))
        if changed and standings and Standing.TRADES not in standings.values():
            log.warning("no symbol trades now; waiting until one of them does")
        self._told = standings
        self._waited = 0 if changed else self._waited + 1
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

    @property
    def _chooses(self) -> bool:
        return self._universe is not None and self._universe.chooses

    async def _pause(self) -> None:
        waits = Standing.WAITS in self._roster.standings().values()
        seconds = self._wait_seconds() if waits else self._timing.listing_again
        if self._universe is not None:
            seconds = min(seconds, self._universe.next_look_in())
        await set_within(self._due, seconds)
        self._due.clear()

    def _wait_seconds(self) -> float:
        """Twice as long with every look that brings no news."""
        timing = self._timing
        return min(timing.listing_waiting * 2.0 ** min(self._waited, 9), timing.listing_waiting_cap)

    async def _take_listing(self, first: bool) -> None:
        warn = RateLimitedLog(log.warning, _TOLD)
        while True:
            self._asked_at = time.monotonic()
            try:
                if await self._taken(await self._rest.listing(), first):
                    return
            except RestError as error:
                if self._universe is not None and self._chooses:
                    await self._universe.tell(f"the exchange's list cannot be read: {error}")
                else:
                    warn(
                        "symbols could not be checked, going on without until they can be: %s",
                        error,
                    )
            await asyncio.sleep(self._timing.listing_unanswered)

    async def _taken(self, listing: list[Listed], first: bool) -> bool:
        if self._universe is not None:
            return await self._universe.take(listing, first)
        self._roster.take(listing)
        return True
