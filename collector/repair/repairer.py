"""Fills gaps through REST, beside the live trades and never in their way."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from collector.log_lines import RateLimitedLog
from collector.repair.attempts import ENOUGH_ANSWERS, RepairAttempts
from collector.repair.page import read_page
from collector.resources import Resources
from collector.rest import RestError, RestRefusedError
from collector.storage.batch import Batch
from spreadlake.backoff import Backoff
from spreadlake.lake.ticks.gaps import Gap
from spreadlake.trades import IdRange, TradeEvent
from spreadlake.venue import Standing

log = logging.getLogger(__name__)
_HOUR_MS = 3_600_000
# Whether trades of a symbol from before now may still come by the stream, asked again and again.
StillToCome = Callable[[str], Callable[[], bool]]
_BEYOND = "the exchange does not reach back to these trades any more; import the dump of that day"


class Repairer:
    """Takes the open gaps in turn, a page of each at a time."""

    def __init__(self, resources: Resources, still_to_come: StillToCome) -> None:
        self._settings = resources.settings
        self._store = resources.store
        self._writer = resources.writer
        self._rest = resources.rest
        self._timing = resources.timing
        self._roster = resources.roster
        self._rest_kind = resources.venue.REST_KIND
        self._backoff = Backoff(resources.timing.backoff_first, resources.timing.backoff_cap)
        self._still_to_come = still_to_come
        # When each gap that is not confirmed was first seen here, by its row, and whether it may
        # yet be filled without a question.
        self._seen: dict[int, tuple[float, Callable[[], bool]]] = {}
        self._attempts = RepairAttempts(resources.timing.ask_again, resources.timing.ask_again_cap)
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
            self._attempts.forget(everything=not gaps)

    async def _confirm(self) -> None:
        """Gaps that did not close by themselves in a moment are counted, told and repaired."""
        now = time.monotonic()
        new = {gap.row: gap for gap in self._store.gaps.gaps() if not gap.confirmed}
        self._seen = {
            row: self._seen.get(row) or (now, self._still_to_come(gap.symbol))
            for row, gap in new.items()
        }
        real = [gap for row, gap in new.items() if self._is_real(*self._seen[row], now)]
        if not real:
            return
        await self._writer.persist(lambda: self._store.confirm(real))
        for gap in real:
            self._warn("%s: gap of %d trades (%s)", _name(gap), gap.range.size, gap.cause)

    def _is_real(self, seen: float, may_come: Callable[[], bool], now: float) -> bool:
        return now - seen >= self._timing.disorder and not may_come()

    async def _try(self, gap: Gap) -> None:
        try:
            await self._repair(gap)
        except RestRefusedError as error:
            await self._handle_refusal(gap, error)
        except RestError as error:
            if error.answered:
                # What is beyond its reach the exchange may answer with an error of its own.
                self._attempts.note_in_vain(gap, time.monotonic())
            delay = self._backoff.next()
            self._warn("%s: not repaired yet (%s); again in %.1f s", _name(gap), error, delay)
            await asyncio.sleep(delay)
        else:
            self._backoff.reset()

    async def _handle_refusal(self, gap: Gap, error: RestRefusedError) -> None:
        standing = self._roster.standing(gap.symbol)
        by_status = error.by_status and standing is Standing.TRADES
        if by_status or standing is Standing.WAITS:
            # The exchange has them again once it trades.
            self._attempts.note_in_vain(gap, time.monotonic())
        else:
            await self._lose(gap, gap.range, f"the exchange refuses the request: {error}")

    async def _repair(self, gap: Gap) -> None:
        if (why := self._beyond_repair(gap)) is not None:
            await self._lose(gap, gap.range, why)
            return
        if not self._attempts.is_due(gap, time.monotonic()):
            return
        vain = self._attempts.in_vain(gap) >= ENOUGH_ANSWERS
        if vain and await self._lose_beyond(gap, _BEYOND):
            return
        page = await self._rest.trades_from(gap.symbol, gap.range.first)
        reading = read_page(gap.range, page, self._missing(gap.symbol))
        if await self._too_old(gap, reading.begins_ms):
            return
        absent = reading.absent
        if absent and self._attempts.note_absent(gap, absent, time.monotonic()):
            await self._lose(gap, absent, "the exchange does not have these trades")
        if reading.trades:
            await self._fill(gap, reading.trades)
        elif absent is None:
            self._attempts.note_in_vain(gap, time.monotonic())

    def _beyond_repair(self, gap: Gap) -> str | None:
        """Why the exchange need not be asked; None where it is to be."""
        if self._settings.exchange.trades != self._rest_kind:
            return f"only {self._rest_kind} can be fetched by id"
        if gap.symbol in self._store.contradictions.reused:
            return "its ticker is another contract's now"
        return None

    def _missing(self, symbol: str) -> list[IdRange]:
        """Those that are on record as gaps: others may still close by themselves."""
        gaps = self._store.gaps.gaps()
        return sorted(gap.range for gap in gaps if gap.symbol == symbol and gap.confirmed)

    async def _fill(self, gap: Gap, trades: list[TradeEvent]) -> None:
        batch = Batch(trades, source="repair")
        stored = await self._writer.persist(lambda: self._store.write(batch))
        if not stored.ticks:  # none of them could be taken
            self._attempts.note_in_vain(gap, time.monotonic())
            return
        own = sum(gap.range.first <= trade.trade_id <= gap.range.last for trade in trades)
        filled, last = self._attempts.note_filled(gap, own), gap.range.last
        if trades[-1].trade_id >= last:
            self._attempts.note_complete(gap)
            log.info("%s: repaired %d trades up to id %d", gap.symbol, filled, last)

    async def _too_old(self, gap: Gap, begins_ms: int | None) -> bool:
        """Whether the gap reaches back too far; the part that does is lost.

        Asked once for each gap: what was young enough when its repair began stays so.
        """
        if begins_ms is None or self._attempts.is_in_reach(gap):
            return False
        if begins_ms >= self._oldest_ms:
            self._attempts.note_in_reach(gap)
            return False
        hours = self._settings.collector.repair_hours
        lost = await self._lose_beyond(gap, f"older than collector.repair_hours = {hours:g}")
        if lost is None:
            self._attempts.note_in_vain(gap, time.monotonic())
            return True
        self._attempts.note_in_reach(gap)
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
            self._attempts.note_something(gap)
            if newest[-1].trade_id <= last:
                return None
        elif self._attempts.nothing_for(gap, time.monotonic()) < self._timing.nothing_believed:
            return None
        if last < gap.range.first:
            return False
        await self._lose(gap, IdRange(gap.range.first, last), message)
        return True

    async def _lose(self, gap: Gap, lost: IdRange, message: str) -> None:
        await self._writer.persist(lambda: self._store.close_as_lost(gap.symbol, lost, message))
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
