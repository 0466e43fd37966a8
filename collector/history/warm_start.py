"""Fetches recent history for symbols that the lake does not hold yet, or not all of it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from statistics import median_low

from collector.history.klines import KlineHistory
from collector.history.missing import MissingHistory, traded_of
from collector.history.remaining import RemainingHistory, Traded, remaining_history
from collector.log_lines import shortened
from collector.resources import Resources
from collector.rest import RestError, RestRefusedError
from collector.storage.batch import Batch
from collector.timing import set_within
from spreadlake.backoff import Backoff
from spreadlake.config import Settings
from spreadlake.lake.ticks.universe import read_universe
from spreadlake.times import timeframe_seconds

log = logging.getLogger(__name__)
_MINUTE_MS = 60_000
_ATTEMPTS = 3
# From so many symbols on it is worth a request to know which of them trade most.
_WORTH_ASKING = 20
_WORTH_SHARE = 10  # where it is no more than such a part of the budget


def kline_minutes(settings: Settings) -> int:
    """Minutes of 1m klines that the longest series of the configuration, or its screen, looks
    back on.

    Timeframes under a minute cannot be made of them and ask for none.
    """
    bars, screen = max([*settings.lookbacks, *settings.windows]), settings.screen
    spans = [(bars, timeframe) for timeframe in settings.timeframes]
    if screen.enabled:
        spans.append((max(screen.lookback, screen.window), screen.timeframe))
    seconds = [(bars, timeframe_seconds(timeframe)) for bars, timeframe in spans]
    return max((bars * length // 60 for bars, length in seconds if length % 60 == 0), default=0)


def whole_bars_from(settings: Settings, start_ms: int) -> int:
    """The time at or before `start_ms` from which trades make whole bars.

    What lies before is known from klines: a bar that trades begin in the middle of would be
    wrong. Of the timeframes the longest counts that the warm start itself is as long as.
    """
    span = settings.collector.warm_start_minutes * 60
    lengths = [timeframe_seconds(timeframe) for timeframe in settings.timeframes]
    longest_ms = max((length for length in lengths if length <= span), default=1) * 1000
    return start_ms // longest_ms * longest_ms


class WarmStart:
    """History of new symbols: 1m klines, then trades from the newest page back.

    Backwards, because what is held is in one piece at any time, wherever it is interrupted, and
    because the newest minutes make the first analytics. What an earlier start left unfinished is
    taken up where it ended, back to the time that was meant then: however long ago that was, what
    is missing is only what lies before the first trade held.
    """

    def __init__(self, resources: Resources) -> None:
        self._settings = resources.settings
        self._store = resources.store
        self._writer = resources.writer
        self._rest = resources.rest
        self._venue = resources.venue
        self._roster = resources.roster
        self._timing = resources.timing
        settings = resources.settings.capturing(resources.roster.symbols)
        self._missing = MissingHistory(resources.store, settings, resources.venue)
        self._span_ms = resources.settings.collector.warm_start_minutes * _MINUTE_MS
        self._start_ms: int | None = None  # the same for all new symbols
        self._added = asyncio.Event()
        self._traded: dict[str, Traded] = {}
        self._pages: Counter[str] = Counter()
        self._klines = KlineHistory(resources, self._missing, self._attempt)
        self._leave_out_klines()
        self._tried: set[str] = set()  # whose klines were asked for in this round

    @property
    def remaining(self) -> RemainingHistory | None:
        """What is still to be fetched, and how long it takes; None where all is there."""
        return remaining_history(
            self._missing.klines,
            self._missing.trades,
            kline_minutes(self._settings),
            self._traded,
            self._pages,
            self._settings.collector.request_weight,
            self._venue,
            len(self._roster.symbols),
        )

    async def add(self, symbols: Sequence[str]) -> None:
        """Fetches the history of more symbols; to be called before their trades are stored."""
        self._missing.add(symbols)
        self._leave_out_klines()
        await self._save()
        self._added.set()

    def drop(self, symbols: Sequence[str]) -> None:
        """Fetches no history of these any more."""
        for symbol in symbols:
            self._missing.drop(symbol)

    def follow(self, settings: Settings) -> None:
        """Symbols that come later get what these settings look back on."""
        # How it is fetched is read once.
        kept = {"collector": self._settings.collector}
        self._settings = settings.model_copy(update=kept)
        self._leave_out_klines()

    def _leave_out_klines(self) -> None:
        """Where no bar is as long as a kline, none are missing."""
        if not kline_minutes(self._settings):
            self._missing.klines.clear()

    async def run(self) -> None:
        """Runs until cancelled; failures are told, and what they leave is asked for again."""
        # First of all: once a trade is stored, nothing else tells that its symbol is new.
        await self._save()
        while True:
            self._added.clear()
            await self._complete()
            await self._added.wait()

    async def _complete(self) -> None:
        while self._missing.symbols:
            self._added.clear()
            await self._fetch()
            if not self._missing.symbols:
                log.info("recent history is there")
            elif not self._added.is_set():
                log.warning(
                    "recent history of %s is not complete yet; it is asked for again in %.0f s",
                    shortened(self._missing.symbols),
                    self._timing.history_again,
                )
                await set_within(self._added, self._timing.history_again)

    async def _fetch(self) -> None:
        """Klines of all first: they are cheap, and make bars of a minute and longer ready."""
        self._tried.clear()
        await self._tell()
        await self._new_klines()
        if self._missing.trades:
            await self._tell()
            await self._wait_for_live([*filter(self._roster.is_trading, self._missing.trades)])
            await self._trades()

    async def _new_klines(self) -> None:
        """Those of symbols that have come since they were last fetched, largest first."""
        new = [symbol for symbol in self._missing.klines if symbol not in self._tried]
        if not new:
            return
        self._tried.update(new)
        volumes = await self._volumes(len(new))
        new.sort(key=lambda symbol: volumes.get(symbol, 0.0), reverse=True)
        await self._klines.fetch(new, kline_minutes(self._settings))
        if not self._missing.klines:
            log.info("1m klines of all symbols are there: minutes are ready")

    async def _volumes(self, symbols: int) -> Mapping[str, float]:
        """Quote volumes of the last 24 hours, as far as they are known; empty: they are not."""
        look = await self._writer.persist(lambda: read_universe(self._store.db))
        known = {row.symbol: row.quote_volume for row in look.rows if row.quote_volume is not None}
        weight = self._venue.volumes().weight * _WORTH_SHARE
        if known or symbols < _WORTH_ASKING or weight > self._settings.collector.request_weight:
            return known
        try:
            return await self._rest.volumes()
        except RestError as error:
            log.info("klines are fetched in the order of symbols, not of volume: %s", error)
            return {}

    async def _tell(self) -> None:
        span_s = self._settings.collector.warm_start_minutes * 60
        page = self._venue.TRADES_PAGE
        self._traded = await self._writer.persist(lambda: traded_of(self._store.db, span_s, page))
        if remaining := self.remaining:
            weight = self._settings.collector.request_weight
            log.info("recent history: %s (request_weight = %d a minute)", remaining.text, weight)

    def _volume(self, symbol: str) -> float:
        """Quote volume of late, 0 where klines do not tell."""
        return self._traded[symbol].quote_volume if symbol in self._traded else 0.0

    async def _save(self) -> None:
        await self._writer.persist(self._missing.save)

    async def _trades(self) -> None:
        """A page of each in turn, so that all of them soon have their newest minutes.

        A symbol that comes meanwhile has its turn as well, and its klines before any more trades.
        """
        seen: set[str] = set()
        turn: list[str] = []
        while True:
            turn += sorted(self._missing.trades.keys() - seen, key=self._volume, reverse=True)
            seen.update(turn)
            if not turn:
                return
            turn = [symbol for symbol in turn if await self._goes_on(symbol)]

    async def _goes_on(self, symbol: str) -> bool:
        """Fetches one page; whether there is another one to be had now."""
        await self._new_klines()
        if symbol not in self._missing.trades:
            return False  # it is not captured any more
        finished = await self._attempt(symbol, self._trades_before)
        if finished:
            self._missing.trades.pop(symbol, None)
            await self._save()
        return finished is False

    async def _attempt(self, symbol: str, step: Callable[[str], Awaitable[bool]]) -> bool | None:
        """Runs one step, again where it fails; whether it was the last one, None if it failed."""
        backoff = Backoff(self._timing.backoff_first, self._timing.backoff_cap)
        reason: RestError | None = None
        for _ in range(_ATTEMPTS):
            try:
                return await step(symbol)
            except RestRefusedError as error:
                reason = error
                if not self._roster.may_trade(symbol):
                    self._missing.drop(symbol)  # nobody has it any more
                    await self._save()
                break
            except RestError as error:
                reason = error
                await asyncio.sleep(backoff.next())
        log.warning("history of %s could not be fetched: %s", symbol, reason)
        return None

    async def _wait_for_live(self, symbols: list[str]) -> None:
        """History joins on to the first live trade where there soon is one."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._timing.first_live):
                while any(self._store.last_id(s) is None for s in symbols):  # noqa: ASYNC110
                    await asyncio.sleep(self._timing.repair_interval)

    async def _trades_before(self, symbol: str) -> bool:
        first, most = self._store.first_id(symbol), self._venue.TRADES_PAGE
        if first is None:
            page = await self._rest.latest_trades(symbol, most)
        else:
            page = await self._rest.trades_from(symbol, max(0, first - most))
            page = [trade for trade in page if trade.trade_id < first]
        self._pages[symbol] += 1
        # One that was dropped while the page was on its way is not taken up again.
        if not page or symbol not in self._missing.trades:
            return True
        # Not the last one's alone, which may be dated wrongly.
        start_ms = await self._back_to(symbol, median_low(trade.time_ms for trade in page[-3:]))
        wanted = [trade for trade in page if trade.time_ms >= start_ms]
        if first is None:
            # However long ago it was: a symbol has a price only after its first trade.
            wanted = wanted or page[-1:]
        if wanted:
            batch = Batch(wanted, source="history")
            await self._writer.persist(lambda: self._store.write(batch))
        return len(wanted) < len(page)

    async def _back_to(self, symbol: str, newest_ms: int) -> int:
        """The time that trades are fetched back to; on record before the first of them is."""
        start_ms = self._missing.trades.get(symbol)
        if start_ms is None:
            if self._start_ms is None:
                newest_ms = max(newest_ms, self._store.watermark_ms or 0)
                self._start_ms = whole_bars_from(self._settings, newest_ms - self._span_ms)
            start_ms = self._missing.trades[symbol] = self._start_ms
            await self._save()
        return start_ms
