"""Fetches the funding rates of the captured symbols: their history, then each one that is due."""

import logging
from asyncio import sleep
from collections.abc import Sequence

from collector.funding.plan import (
    AGAIN_MS,
    Question,
    complete_until,
    is_recent,
    next_hour,
    overdue,
    questions,
)
from collector.log_lines import OnceLog, RateLimitedLog, shortened
from collector.resources import Resources
from collector.rest import RestError, RestRefusedError
from spreadlake.backoff import Backoff
from spreadlake.funding import Compared, FundingRate
from spreadlake.lake import atomic
from spreadlake.lake.ticks.funding import (
    FundingSpan,
    latest_funding,
    read_spans,
    save_funding,
    save_spans,
)
from spreadlake.lake.ticks.symbols import first_trade_ms
from spreadlake.venue import FundingPage

log = logging.getLogger(__name__)
_DAY_MS = 86_400_000
# Symbols that are asked about between two looks at what is due.
_AT_ONCE = 20


class FundingRates:
    """Keeps `funding` complete from each symbol's first trade on; the watermark is the clock.

    What is complete is on record (`funding_spans`), so that a restart goes on.
    """

    def __init__(self, resources: Resources) -> None:
        self._wanted = resources.settings.collector.funding
        self._store = resources.store
        self._writer = resources.writer
        self._rest = resources.rest
        self._page = resources.venue.FUNDING_PAGE
        self._roster = resources.roster
        self._timing = resources.timing
        self._spans: dict[str, FundingSpan] = {}
        # Of each symbol the id of its first trade, and the time of that.
        self._firsts: dict[str, tuple[int, int]] = {}
        self._refused: dict[str, int] = {}
        self._due_ms = 0
        self._again = 0
        self._warn = RateLimitedLog(log.warning, 60.0)
        self._tell = OnceLog(log.warning)

    async def run(self) -> None:
        """Runs until cancelled, or at once to its end where no rates are wanted or to be had."""
        if not self._wanted or not self._page:
            return
        self._spans = await self._writer.persist(lambda: read_spans(self._store.db))
        backoff = Backoff(self._timing.backoff_first, self._timing.backoff_cap)
        while True:
            try:
                await self._look()
            except RestError as error:
                self._warn("funding rates could not be fetched, asking again: %s", error)
                await sleep(backoff.next())
            else:
                backoff.reset()
                await sleep(self._timing.funding_interval)

    async def _look(self) -> None:
        """Asks for what is due, and for some of what else is missing."""
        now_ms = self._store.watermark_ms
        if now_ms is None:
            return
        if now_ms >= self._due_ms:
            await self._take_due(now_ms)
        firsts = await self._first_trades()
        asked = [s for s in firsts if self._refused.get(s, 0) <= now_ms - _DAY_MS]
        missing = questions({symbol: firsts[symbol] for symbol in asked}, self._spans, now_ms)
        for question in missing[:_AT_ONCE]:
            await self._ask_alone(question, now_ms)

    async def _first_trades(self) -> dict[str, int]:
        """When each captured symbol first traded, as far as the lake knows."""
        ids = {symbol: self._store.first_id(symbol) for symbol in self._roster.symbols}
        known = {s: self._firsts.get(s, (None, 0))[0] for s in ids}
        new = [s for s, first_id in ids.items() if first_id is not None and first_id != known[s]]
        if new:
            times = await self._writer.persist(
                lambda: {symbol: first_trade_ms(self._store.db, symbol) for symbol in new}
            )
            for symbol, time_ms in times.items():
                first_id = ids[symbol]
                if first_id is not None and time_ms is not None:
                    self._firsts[symbol] = first_id, time_ms
        return {s: self._firsts[s][1] for s in ids if s in self._firsts}

    async def _take_due(self, now_ms: int) -> None:
        """One question about all symbols; another one soon where a rate is not there yet."""
        recent = self._recent(now_ms)
        if recent:
            await self._ask_about_all(recent, now_ms)
        late = await self._overdue(list(recent), now_ms)
        if late and self._again < len(AGAIN_MS):
            if self._again:  # perhaps the answer about all was not of all
                for symbol in late:
                    span = recent[symbol]
                    await self._ask_alone(Question(symbol, span.until_ms, None), now_ms)
            self._due_ms = now_ms + AGAIN_MS[self._again]
            self._again += 1
            return
        if late:
            log.warning("no funding rate of this hour came of %s", shortened(late))
        self._due_ms, self._again = next_hour(now_ms), 0

    def _recent(self, now_ms: int) -> dict[str, FundingSpan]:
        spans = (self._spans.get(symbol) for symbol in self._roster.symbols)
        return {s.symbol: s for s in spans if s is not None and is_recent(s, now_ms)}

    async def _overdue(self, symbols: Sequence[str], now_ms: int) -> list[str]:
        latest = await self._writer.persist(lambda: latest_funding(self._store.db, symbols, 2))
        return overdue(latest, now_ms)

    async def _ask_about_all(self, recent: dict[str, FundingSpan], now_ms: int) -> None:
        start_ms = min(span.until_ms for span in recent.values())
        while True:
            page = await self._rest.funding(None, start_ms)
            rates = [rate for rate in page.rates if rate.symbol in recent]
            if not self._may_go_on(page):
                ends = [s._replace(until_ms=_later(s, now_ms)) for s in recent.values()]
                await self._save(page, rates, ends)
                return
            await self._save(page, rates, [])
            # Several symbols have the same time: the next page begins with it once more.
            last_ms = page.rates[-1].time_ms
            start_ms = last_ms if last_ms > start_ms else start_ms + 1

    async def _ask_alone(self, question: Question, now_ms: int) -> None:
        symbol = question.symbol
        try:
            await self._pages(question, now_ms)
        except RestRefusedError as error:
            # Nobody has the rates of a contract that is gone: no fault, and no use to ask again.
            log.info("no funding rates of %s: %s", symbol, error)
            self._refused[symbol] = now_ms

    async def _pages(self, question: Question, now_ms: int) -> None:
        """Page by page; where this is interrupted, what is complete is on record."""
        symbol, start_ms, end_ms = question
        span = self._spans.get(symbol) or FundingSpan(symbol, start_ms, start_ms)
        while True:
            page = await self._rest.funding(symbol, start_ms, end_ms)
            if not self._may_go_on(page):
                break
            start_ms = max(page.rates[-1].time_ms, start_ms) + 1
            grown = [span._replace(until_ms=start_ms)] if end_ms is None else []
            await self._save(page, page.rates, grown)
        if end_ms is None:
            whole = span._replace(until_ms=_later(span, now_ms))
        else:
            whole = span._replace(first_ms=question.start_ms)
        await self._save(page, page.rates, [whole])

    def _may_go_on(self, page: FundingPage) -> bool:
        """Whether there may be more than is in this answer."""
        return page.records >= self._page and bool(page.rates)

    async def _save(
        self, page: FundingPage, rates: Sequence[FundingRate], spans: Sequence[FundingSpan]
    ) -> None:
        def save() -> Compared:
            with atomic(self._store.db) as db:
                found = save_funding(db, rates)
                save_spans(db, spans)
                return found

        found = await self._writer.persist(save)
        self._spans.update({span.symbol: span for span in spans})
        for said in page.refused:
            self._tell(said, "a funding rate cannot be true and is left out: %s", said)
        for came, held in found.contradicting:
            message = (
                "a funding rate contradicts the lake, which stays as it is: %s came, held is %s"
            )
            self._tell(came.text, message, came.text, held.text)


def _later(span: FundingSpan, now_ms: int) -> int:
    """Up to when the rates of `span` are complete, now that all were asked for."""
    return max(span.until_ms, complete_until(now_ms))
