"""Fills gaps through REST, beside the live trades and never in their way."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable

from collector.limited_log import RateLimitedLog
from collector.repair.page import read_page
from collector.resources import Resources
from collector.rest import RestError, RestRefusedError
from collector.storage.batch import Batch
from collector.storage.gap_store import Gap
from spreadlake.backoff import Backoff
from spreadlake.lake.ticks.id_ranges import IdRange
from spreadlake.trades import TradeEvent
from spreadlake.venue import Standing

log = logging.getLogger(__name__)
_HOUR_MS = 3_600_000
# One answer may be wrong: only as many equal ones say that trades do not exist.
_ANSWERS = 3
_REMEMBERED = 10_000
_BEYOND = "the exchange does not reach back to these trades any more; import the dump of that day"


class Repairer:
    """Takes the open gaps in turn, a page of each at a time."""

    def __init__(self, resources: Resources) -> None:
        self._settings = resources.settings
        self._store = resources.store
        self._writer = resources.writer
        self._rest = resources.rest
        self._timing = resources.timing
        self._roster = resources.roster
        self._rest_kind = resources.venue.REST_KIND
        self._backoff = Backoff(resources.timing.backoff_first, resources.timing.backoff_cap)
        # When each gap that is not confirmed was first seen here, by its row.
        self._seen: dict[int, float] = {}
        # By symbol and last id: how often trades were asked for in vain, and when to ask again.
        self._absent: Counter[tuple[str, int]] = Counter()
        self._vain: Counter[tuple[str, int]] = Counter()
        self._again: dict[tuple[str, int], float] = {}
        # Since when REST has no trade whatever of what is asked for.
        self._nothing: dict[tuple[str, int], float] = {}
        # By symbol and when a gap was found: those whose age was looked at, and what was filled.
        self._aged: set[tuple[str, int]] = set()
        self._filled: Counter[tuple[str, int]] = Counter()
        self._warn = RateLimitedLog(log.warning, 30.0)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(self._timing.repair_interval)
            await self._confirm()
            gaps = [gap for gap in self._store.gaps.gaps() if gap.confirmed]
            for gap in gaps:
                # A page often fills gaps beside the one that it was asked for.
                if self._store.gaps.has(gap):
                    await self._try(gap)
            self._forget(not gaps)

    def _forget(self, everything: bool) -> None:
        memories = (
            self._absent, self._vain, self._again, self._nothing, self._aged, self._filled,
        )  # fmt: skip
        for memory in memories:
            if everything or len(memory) > _REMEMBERED:
                memory.clear()

    async def _confirm(self) -> None:
        """Gaps that did not close by themselves in a moment are counted, told and repaired."""
        now = time.monotonic()
        new = {gap.row: gap for gap in self._store.gaps.gaps() if not gap.confirmed}
        self._seen = {row: self._seen.get(row, now) for row in new}
        real = [gap for row, gap in new.items() if now - self._seen[row] >= self._timing.disorder]
        if not real:
            return
        await self._writer.persist(lambda: self._store.confirm(real))
        for gap in real:
            self._warn("%s: gap of %d trades (%s)", _name(gap), gap.range.size, gap.cause)

    async def _try(self, gap: Gap) -> None:
        try:
            await self._repair(gap)
        except RestRefusedError as error:
            await self._refused(gap, error)
        except RestError as error:
            if error.answered:
                # What is beyond its reach the exchange may answer with an error of its own.
                self._note_vain(gap)
            delay = self._backoff.next()
            self._warn("%s: not repaired yet (%s); again in %.1f s", _name(gap), error, delay)
            await asyncio.sleep(delay)
        else:
            self._backoff.reset()

    async def _refused(self, gap: Gap, error: RestRefusedError) -> None:
        standing = self._roster.standing(gap.symbol)
        by_status = error.by_status and standing is Standing.TRADES
        if by_status or standing is Standing.WAITS:
            self._note_vain(gap)  # the exchange has them again once it trades
        else:
            await self._lose(gap, gap.range, f"the exchange refuses the request: {error}")

    async def _repair(self, gap: Gap) -> None:
        if (why := self._hopeless(gap)) is not None:
            await self._lose(gap, gap.range, why)
            return
        if self._asked_lately(gap):
            return
        vain = self._vain[gap.symbol, gap.range.last]
        if vain >= _ANSWERS and await self._lose_beyond(gap, _BEYOND):
            return
        page = await self._rest.trades_from(gap.symbol, gap.range.first)
        reading = read_page(gap.range, page, self._holes(gap.symbol))
        if await self._too_old(gap, reading.begins_ms):
            return
        if reading.absent is not None:
            await self._note_absent(gap, reading.absent)
        if reading.trades:
            await self._fill(gap, reading.trades)
        elif reading.absent is None:
            self._note_vain(gap)

    def _hopeless(self, gap: Gap) -> str | None:
        """Why the exchange need not be asked; None where it is to be."""
        if self._settings.exchange.trades != self._rest_kind:
            return f"only {self._rest_kind} can be fetched by id"
        if gap.symbol in self._store.contradictions.reused:
            return "its ticker is another contract's now"
        return None

    def _holes(self, symbol: str) -> list[IdRange]:
        """Those that are on record as gaps: others may still close by themselves."""
        gaps = self._store.gaps.gaps()
        return sorted(gap.range for gap in gaps if gap.symbol == symbol and gap.confirmed)

    async def _fill(self, gap: Gap, trades: list[TradeEvent]) -> None:
        batch = Batch(trades, source="repair")
        stored = await self._writer.persist(lambda: self._store.write(batch))
        if not stored.ticks:
            self._note_vain(gap)  # none of them could be taken
            return
        self._vain.pop((gap.symbol, gap.range.last), None)
        key = (gap.symbol, gap.found_ms)
        self._filled[key] += sum(gap.range.first <= t.trade_id <= gap.range.last for t in trades)
        if trades[-1].trade_id >= gap.range.last:
            count, last = self._filled.pop(key), gap.range.last
            log.info("%s: repaired %d trades up to id %d", gap.symbol, count, last)

    async def _too_old(self, gap: Gap, begins_ms: int | None) -> bool:
        """Whether the gap reaches back too far; the part that does is lost.

        Asked once for each gap: what was young enough when its repair began stays so.
        """
        key = (gap.symbol, gap.found_ms)
        if begins_ms is None or key in self._aged:
            return False
        if begins_ms >= self._oldest_ms:
            self._aged.add(key)
            return False
        hours = self._settings.collector.repair_hours
        lost = await self._lose_beyond(gap, f"older than collector.repair_hours = {hours:g}")
        if lost is None:
            self._note_vain(gap)
            return True
        self._aged.add(key)
        return lost

    @property
    def _oldest_ms(self) -> int:
        """The time (Unix ms) of the oldest trades that are asked for."""
        hours = self._settings.collector.repair_hours
        return (self._store.watermark_ms or 0) - int(hours * _HOUR_MS)

    async def _lose_beyond(self, gap: Gap, message: str) -> bool | None:
        """Whether the gap began beyond reach; what of it did is lost.

        None where the exchange does not say: an answer without trades may be of a moment in which
        it has none yet, and is only believed of a time that it has newer trades than, or if it
        has none at all for long.
        """
        last = gap.range.last
        if page := await _answer(self._rest.trades_since(gap.symbol, self._oldest_ms, 1)):
            last = min(last, page[0].trade_id - 1)
        elif newest := await _answer(self._rest.latest_trades(gap.symbol, 1)):
            self._nothing.pop((gap.symbol, last), None)
            if newest[-1].trade_id <= last:
                return None
        elif not self._has_nothing(gap):
            return None
        if last < gap.range.first:
            return False
        await self._lose(gap, IdRange(gap.range.first, last), message)
        return True

    def _has_nothing(self, gap: Gap) -> bool:
        """Whether REST has been without any trade for so long that none is to come."""
        now = time.monotonic()
        since = self._nothing.setdefault((gap.symbol, gap.range.last), now)
        return now - since >= self._timing.nothing_believed

    def _asked_lately(self, gap: Gap) -> bool:
        return time.monotonic() < self._again.get((gap.symbol, gap.range.last), 0.0)

    def _note_vain(self, gap: Gap) -> None:
        """Nothing of it was in the answer: REST is behind, and is asked ever more seldom."""
        key = (gap.symbol, gap.range.last)
        wait = self._timing.ask_again * 2.0 ** min(self._vain[key], 10)
        self._vain[key] += 1
        self._again[key] = time.monotonic() + min(wait, self._timing.ask_again_cap)

    async def _note_absent(self, gap: Gap, absent: IdRange) -> None:
        key = (gap.symbol, absent.last)
        self._absent[key] += 1
        if self._absent[key] >= _ANSWERS:
            del self._absent[key]
            await self._lose(gap, absent, "the exchange does not have these trades")
        else:
            wait = self._timing.ask_again * self._absent[key]
            self._again[gap.symbol, gap.range.last] = time.monotonic() + wait

    async def _lose(self, gap: Gap, lost: IdRange, message: str) -> None:
        await self._writer.persist(lambda: self._store.lose(gap.symbol, lost, message))
        log.warning("%s: %d trades lost: %s", _name(gap), lost.size, message)


async def _answer(asked: Awaitable[list[TradeEvent]]) -> list[TradeEvent]:
    """The trades asked for; none where the exchange itself says no in its own words."""
    try:
        return await asked
    except RestError as error:
        if error.answered:
            return []
        raise


def _name(gap: Gap) -> str:
    return f"{gap.symbol} ids {gap.range.first} to {gap.range.last}"


async def confirm_open(resources: Resources) -> None:
    """Counts every gap that is still open: at the end there is no moment left to wait for it."""
    new = [gap for gap in resources.store.gaps.gaps() if not gap.confirmed]
    if new:
        await resources.writer.persist(lambda: resources.store.confirm(new))
