"""Fetches 1m klines of many symbols, a few requests at once, and stores many at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from collector.history.missing import MissingHistory
from collector.resources import Resources
from collector.rest import RestClient
from collector.timing import set_within
from spreadlake.venue import Kline

# Requests under way: what the budget allows goes out though each answer takes its time.
_AT_ONCE = 8
# What has come in this many seconds is one transaction.
_COLLECTED = 0.5

Step = Callable[[str], Awaitable[bool]]


class _Page(NamedTuple):
    symbol: str
    klines: Sequence[Kline]
    last: bool


class KlineHistory:
    """The newest `minutes` of each symbol, in the order in which they are asked for.

    `attempt` runs a step for a symbol, again where it fails. A symbol whose last page is stored
    lacks no klines any more, which the same transaction records.
    """

    def __init__(
        self,
        resources: Resources,
        missing: MissingHistory,
        attempt: Callable[[str, Step], Awaitable[bool | None]],
    ) -> None:
        self._rest: RestClient = resources.rest
        self._page = resources.venue.KLINES_PAGE
        self._store = resources.store
        self._writer = resources.writer
        self._missing = missing
        self._attempt = attempt
        self._came: list[_Page] = []
        self.minutes = 0

    async def fetch(self, symbols: Sequence[str], minutes: int) -> None:
        """Returns when all is stored that could be had; raises what keeps it from being stored."""
        self.minutes, over = minutes, asyncio.Event()
        waiting = iter(symbols)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._store_until(over))
                async with asyncio.TaskGroup() as requests:
                    for _ in range(min(_AT_ONCE, len(symbols))):
                        requests.create_task(self._work(waiting))
                over.set()
        except ExceptionGroup as errors:
            raise _first(errors) from None

    async def _work(self, waiting: Iterator[str]) -> None:
        for symbol in waiting:
            await self._attempt(symbol, self._pages)

    async def _pages(self, symbol: str) -> bool:
        missing, end_ms = self.minutes, None
        while missing > 0:
            # The newest minute is not over yet: it is asked for and left out.
            newest = 0 if end_ms else 1
            limit = min(missing + newest, self._page)
            rows = await self._rest.klines(symbol, "1m", limit, end_ms)
            over = rows[: len(rows) - newest]
            missing = missing - len(over) if over else 0
            self._came.append(_Page(symbol, over, missing <= 0))
            end_ms = rows[0].open_ms - 1 if rows else None
        return True

    async def _store_until(self, over: asyncio.Event) -> None:
        while not over.is_set() or self._came:
            await set_within(over, _COLLECTED)
            pages, self._came = self._came, []
            if pages:
                await self._writer.persist(partial(self._save, pages))

    def _save(self, pages: Sequence[_Page]) -> None:
        """In the writer's thread; a symbol lacks its klines until they are durable."""
        whole = {page.symbol for page in pages if page.last}
        klines = [(page.symbol, page.klines) for page in pages]
        self._store.write_klines(klines, "1m", self._missing.unsaved(but=whole))
        self._missing.saved()


def _first(errors: ExceptionGroup) -> Exception:
    """What went wrong first, as if there were no groups."""
    error: Exception = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
