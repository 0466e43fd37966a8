"""Fills gaps through REST, beside the live trades and never in their way."""

import asyncio
import logging
import time

from collector.backoff import Backoff
from collector.batch import Batch
from collector.gap_book import Gap
from collector.gaps import IdRange
from collector.pages import read_page
from collector.parts import Parts
from collector.rate import Bounded
from collector.rest import RestError, RestRefusedError

__all__ = ["Repairer"]

log = logging.getLogger(__name__)
_HOUR_MS = 3_600_000
# REST may be a moment behind the stream: only as many equal answers say that trades do not exist.
_ANSWERS = 3


class Repairer:
    """Takes the open gaps in turn, a page of each at a time."""

    def __init__(self, parts: Parts) -> None:
        self._settings = parts.settings
        self._store = parts.store
        self._writer = parts.writer
        self._rest = parts.rest
        self._timing = parts.timing
        self._backoff = Backoff(parts.timing.backoff_first, parts.timing.backoff_cap)
        # Asked in vain, by symbol and first id: how often, and when to ask again.
        self._absent: dict[tuple[str, int], tuple[int, float]] = {}
        self._warn = Bounded(log.warning, 30.0)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(self._timing.repair_interval)
            await self._confirm()
            gaps = [gap for gap in self._store.gaps.gaps() if gap.confirmed]
            for gap in gaps:
                await self._try(gap)
            if not gaps:
                self._absent.clear()

    async def _confirm(self) -> None:
        """Gaps that did not close by themselves in a moment are counted, told and repaired."""
        before = time.time_ns() // 1_000_000 - int(self._timing.disorder * 1000)
        real = [g for g in self._store.gaps.gaps() if not g.confirmed and g.found_ms <= before]
        if not real:
            return
        await self._writer.persist(lambda: self._store.confirm(real))
        for gap in real:
            self._warn("%s: gap of %d trades (%s)", _name(gap), gap.range.size, gap.cause)

    async def _try(self, gap: Gap) -> None:
        try:
            await self._repair(gap)
        except RestRefusedError as error:
            await self._lose(gap, gap.range, f"the exchange refuses the request: {error}")
        except RestError as error:
            delay = self._backoff.next()
            self._warn("%s: not repaired yet (%s); again in %.1f s", _name(gap), error, delay)
            await asyncio.sleep(delay)
        else:
            self._backoff.reset()

    async def _repair(self, gap: Gap) -> None:
        if self._settings.exchange.trades != "aggTrade":
            await self._lose(gap, gap.range, "only aggTrade can be fetched by id")
            return
        if gap.symbol not in self._settings.symbols or self._asked_lately(gap):
            return
        page = await self._rest.trades_from(gap.symbol, gap.range.first)
        reading = read_page(gap.range, page, self._oldest_ms())
        if reading.too_old:
            await self._lose_what_is_old(gap)
        if reading.absent:
            await self._note_absent(gap, reading.absent)
        if reading.trades:
            batch = Batch([*reading.trades], source="repair")
            await self._writer.persist(lambda: self._store.write(batch))
            if reading.trades[-1].trade_id == gap.range.last:
                log.info("%s: repaired", _name(gap))

    def _oldest_ms(self) -> int:
        watermark = self._store.watermark_ms or 0
        return watermark - int(self._settings.collector.repair_hours * _HOUR_MS)

    async def _lose_what_is_old(self, gap: Gap) -> None:
        page = await self._rest.trades_since(gap.symbol, self._oldest_ms(), 1)
        last = min(gap.range.last, page[0].trade_id - 1) if page else gap.range.last
        hours = self._settings.collector.repair_hours
        message = f"older than collector.repair_hours = {hours:g}"
        await self._lose(gap, IdRange(gap.range.first, last), message)

    def _asked_lately(self, gap: Gap) -> bool:
        _, again = self._absent.get((gap.symbol, gap.range.first), (0, 0.0))
        return time.monotonic() < again

    async def _note_absent(self, gap: Gap, absent: IdRange) -> None:
        key = (gap.symbol, absent.first)
        asked = self._absent.pop(key, (0, 0.0))[0] + 1
        if asked >= _ANSWERS:
            await self._lose(gap, absent, "the exchange does not have these trades")
        else:
            self._absent[key] = (asked, time.monotonic() + self._timing.ask_again * asked)

    async def _lose(self, gap: Gap, lost: IdRange, message: str) -> None:
        await self._writer.persist(lambda: self._store.lose(gap.symbol, lost, message))
        log.warning("%s: %d trades lost: %s", _name(gap), lost.size, message)


def _name(gap: Gap) -> str:
    return f"{gap.symbol} ids {gap.range.first} to {gap.range.last}"
