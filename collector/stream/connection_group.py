"""Keeps one connection's worth of symbols flowing: opens, replaces and reopens its sessions."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence

from collector.network.access import Access
from collector.network.retry import ConnectionVerdict, retry_after, verdict
from collector.storage.batch import PAUSED
from collector.stream.connection import Session
from collector.stream.frame_reader import Intake
from collector.stream.subscription import Method, requests, subscribe
from collector.timing import Timing
from collector.wording import shortened
from spreadlake.backoff import Backoff
from spreadlake.binance import OffMarket, TradeEvent
from spreadlake.config.sections import ExchangeSettings
from spreadlake.errors import ExchangeError

log = logging.getLogger(__name__)


class Feed:
    """The sessions of one set of symbols: one that is current, and those it takes over from.

    Together they hold at most `share` trades in memory.
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        exchange: ExchangeSettings,
        access: Access,
        new_intake: Callable[[], Intake],
        share: int,
        max_age: float,
        timing: Timing,
        has_worked: Callable[[], bool],
    ) -> None:
        self.symbols = symbols
        self.share = share
        self.sessions: list[Session] = []
        self.counts: Counter[str] = Counter()
        self._exchange = exchange
        self._access = access
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._new_intake = new_intake
        self._max_age = max_age
        self._timing = timing
        self._backoff = Backoff(timing.backoff_first, timing.backoff_cap)
        self._has_worked = has_worked
        self._worked = False
        self._renewed = float("-inf")  # when it last was tried in vain
        self._replace: asyncio.Future[str] | None = None

    @property
    def current(self) -> Session | None:
        """The session that reads now, None while there is none."""
        open_ones = [session for session in self.sessions if not session.reading.done()]
        return open_ones[-1] if open_ones else None

    async def run(self) -> None:
        """Runs until cancelled; ExchangeError where no retry can help."""
        session = await self._open()
        try:
            while True:
                failure = await self._until_over(session)
                session = await self._succeed(session, failure)
        finally:
            await asyncio.gather(*(one.close() for one in self.sessions))

    def replace(self, reason: str) -> None:
        """Gives up the current session and opens another; `reason` is for the log and gaps."""
        if self._replace is not None and not self._replace.done():
            self._replace.set_result(reason)

    def add(self, symbols: Sequence[str]) -> None:
        """Carries more symbols, from now on."""
        new = [symbol for symbol in symbols if symbol not in self.symbols]
        self.symbols = (*self.symbols, *new)
        self._wanted.set()
        self.ask(new)

    def remove(self, symbols: Collection[str]) -> None:
        """Carries some symbols no longer; without any it opens no connection until there are."""
        gone = [symbol for symbol in self.symbols if symbol in symbols]
        self.symbols = tuple(symbol for symbol in self.symbols if symbol not in symbols)
        if not self.symbols:
            self._wanted.clear()
        self.ask(gone, "UNSUBSCRIBE")

    def ask(self, symbols: Sequence[str], method: Method = "SUBSCRIBE") -> None:
        """Asks every open connection for `symbols`; what it sends already it goes on to send."""
        for session in self.sessions if symbols else ():
            session.ask(requests(method, symbols, self._exchange.trades))

    def take(self) -> tuple[list[TradeEvent | OffMarket], Counter[str], dict[str, str]]:
        """Trades that wait, counters since the last time, and symbols that were interrupted."""
        events: list[TradeEvent | OffMarket] = []
        interrupted: dict[str, str] = {}
        for session in self.sessions:
            taken = session.take()
            events += taken
            if taken and session.follows is not None:
                interrupted = dict.fromkeys(self.symbols, session.follows)
                session.follows = None
            self.counts += session.intake.counts
            session.intake.counts.clear()
        self._worked = self._worked or bool(events)
        current = self.sessions[-1:]
        self.sessions = [s for s in self.sessions if s in current or not s.reading.done()]
        self._divide()
        counts, self.counts = self.counts, Counter()
        return events, counts, interrupted

    async def _until_over(self, session: Session) -> str | None:
        """What ended the session; None when it only has grown old."""
        self._replace = asyncio.get_running_loop().create_future()
        waits: list[asyncio.Future[object]] = [session.reading, self._replace]  # type: ignore[list-item]
        # A successor that brought nothing is followed by the next one not at once.
        tried = time.monotonic() - self._renewed
        timeout = max(0.0, self._max_age - session.age, self._timing.renew_again - tried)
        await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if self._replace.done():
            return self._replace.result()
        if session.reading.done():
            error = session.reading.exception()
            return self._access.explain(error) if error else "ended"
        return None

    async def _succeed(self, old: Session, failure: str | None) -> Session:
        if failure is None:
            return await self._renew(old)
        cause = _cause_after(old)
        await old.close()
        if old.flowed >= self._timing.steady:
            self._backoff.reset()
        delay = self._backoff.next()
        log.warning(
            "connection for %s lost (%s); reconnecting in %.1f s", self.name, failure, delay
        )
        await asyncio.sleep(delay)
        new = await self._open()
        new.follows = cause
        self.counts["reconnects"] += 1
        return new

    async def _renew(self, old: Session) -> Session:
        """Replaces a connection that has grown old, unless trades come by it alone."""
        new = await self._open()
        new.follows = old.follows
        if old.reading.done():  # it did not last until its successor was there
            new.follows = _cause_after(old)
            self.counts["reconnects"] += 1
        await asyncio.sleep(self._timing.overlap)
        flows = not old.reading.done() and (old.last_trade or 0.0) > new.opened
        if flows and new.last_trade is None:
            log.warning("a new connection for %s is silent; the old one stays", self.name)
            await new.close()
            self.sessions.remove(new)
            self._renewed = time.monotonic()
            return old
        await old.close()
        log.info("replaced the connection for %s before its end", self.name)
        return new

    async def _open(self) -> Session:
        while True:
            await self._wanted.wait()
            symbols = self.symbols
            subscription = subscribe(self._exchange.ws_url, symbols, self._exchange.trades)
            try:
                session = await Session.open(
                    subscription, self._access, self._new_intake(), self._timing
                )
            except Exception as error:  # noqa: BLE001 verdict() sorts them all
                await self._refused(error, subscription.url)
                continue
            self.sessions.append(session)
            self._divide()
            self._catch_up(session, symbols)
            log.info("connected for %s", self.name)
            return session

    def _catch_up(self, session: Session, symbols: Sequence[str]) -> None:
        """Asks a new session for what was added while it was opened with `symbols`."""
        late = [symbol for symbol in self.symbols if symbol not in symbols]
        if late:
            session.ask(requests("SUBSCRIBE", late, self._exchange.trades))

    def _divide(self) -> None:
        """Sessions that overlap share the memory of one."""
        for session in self.sessions:
            session.intake.limit = max(1, self.share // len(self.sessions))

    async def _refused(self, error: Exception, url: str) -> None:
        worked, reason = self._worked or self._has_worked(), self._access.explain(error)
        if verdict(error, worked=worked) is ConnectionVerdict.FATAL:
            raise ExchangeError(f"{url[:100]} cannot be used: {reason}") from error
        delay = max(self._backoff.next(), retry_after(error, time.time_ns() // 1_000_000))
        log.warning("no connection for %s (%s); trying again in %.1f s", self.name, reason, delay)
        await asyncio.sleep(delay)

    @property
    def name(self) -> str:
        """Its symbols, shortened for the log."""
        return shortened(self.symbols)


def _cause_after(old: Session) -> str:
    """Why trades may be missing after a session that broke off.

    One that brought nothing passes on what the one before it had broken off for.
    """
    return old.follows or (PAUSED if old.intake.paused_lately else "reconnect")
