"""The connections of one set of symbols, one after another: opened, replaced and opened again."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from collector.log_lines import shortened
from collector.network.failures import is_fatal, retry_after
from collector.resources import StreamResources
from collector.storage.batch import PAUSED
from collector.stream.ages import due_time
from collector.stream.attempts import ConnectionAttempts
from collector.stream.connection import Connection
from collector.stream.frame_reader import FrameReader, Taken
from spreadlake.backoff import Backoff
from spreadlake.errors import ExchangeError
from spreadlake.venue import Method

log = logging.getLogger(__name__)


class Brought(NamedTuple):
    """What a group brought and counted since the last time; who was interrupted, and by what."""

    trades: Taken
    counts: Counter[str]
    interrupted: dict[str, str]


class ConnectionGroup:
    """Keeps the trades of one set of symbols flowing, by one connection and its successors.

    Where several groups carry the same symbols this is the one of `number` (from 1), and `twins`
    are all of them. Connections that overlap share room for `capacity` trades; one that holds more
    than its part of it when another is opened reads on once those are taken.
    """

    def __init__(
        self,
        symbols: tuple[str, ...],
        number: int,
        twins: Sequence["ConnectionGroup"],
        resources: StreamResources,
        new_reader: Callable[[], FrameReader],
        attempts: ConnectionAttempts,
        has_worked: Callable[[], bool],
    ) -> None:
        self.symbols = symbols
        self.number = number
        self.capacity = 1
        self.connections: list[Connection] = []
        self.counts: Counter[str] = Counter()
        self.renewing = False
        self._twins = twins
        self._exchange = resources.settings.exchange
        self._access = resources.streams
        self._venue = resources.venue
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._new_reader = new_reader
        self._attempts = attempts
        self._max_age = resources.settings.collector.connection_hours * 3600
        self._timing = timing = resources.timing
        self._backoff = Backoff(timing.backoff_first, timing.backoff_cap)
        self._has_worked = has_worked
        self._worked = False
        self._renewed = float("-inf")  # when it last was tried in vain
        self._replace: asyncio.Future[str] | None = None

    @property
    def current(self) -> Connection | None:
        """The connection that reads now, None while there is none."""
        open_ones = [one for one in self.connections if not one.reading.done()]
        return open_ones[-1] if open_ones else None

    @property
    def has_twins(self) -> bool:
        """Whether other groups carry the same symbols."""
        return len(self._twins) > 1

    @property
    def numbers(self) -> Sequence[int]:
        """Those of all groups that carry the same symbols."""
        return [twin.number for twin in self._twins]

    @property
    def others(self) -> list[Connection]:
        """The connections beside this one that read now, and carry the same symbols."""
        twins = (twin.current for twin in self._twins if twin is not self)
        return [connection for connection in twins if connection is not None]

    async def run(self) -> None:
        """Runs until cancelled; ExchangeError where no retry can help."""
        # What ends connections at the exchange by their age, or at one moment, is not to end two.
        await asyncio.sleep((self.number - 1) * self._timing.stagger)
        connection = await self._open()
        try:
            while True:
                failure = await self._until_over(connection)
                connection = await self._follow_up(connection, failure)
        finally:
            await asyncio.gather(*(one.close() for one in self.connections))

    def replace(self, reason: str) -> None:
        """Gives up the current connection and opens another; `reason` is for the log and gaps."""
        if self._replace is not None and not self._replace.done():
            self._replace.set_result(reason)

    def add(self, symbols: Sequence[str]) -> None:
        """Carries more symbols, from now on."""
        new = [symbol for symbol in symbols if symbol not in self.symbols]
        self.symbols = (*self.symbols, *new)
        self._wanted.set()
        self.request(new)

    def remove(self, symbols: Collection[str]) -> None:
        """Carries some symbols no longer; without any it opens no connection until there are."""
        gone = [symbol for symbol in self.symbols if symbol in symbols]
        self.symbols = tuple(symbol for symbol in self.symbols if symbol not in symbols)
        if not self.symbols:
            self._wanted.clear()
        self.request(gone, "UNSUBSCRIBE")

    def request(self, symbols: Sequence[str], method: Method = "SUBSCRIBE") -> None:
        """Asks every open connection for `symbols`; what it sends already it goes on to send."""
        for connection in self.connections if symbols else ():
            connection.send(self._venue.requests(method, symbols, self._exchange.trades))

    def take(self) -> Brought:
        """Trades that wait, counters since the last time, and symbols that were interrupted."""
        trades = Taken([], [])
        interrupted: dict[str, str] = {}
        for connection in self.connections:
            events, repeats = connection.take()
            trades.events.extend(events)
            trades.repeats.extend(repeats)
            if events and connection.gap_cause is not None:
                interrupted = dict.fromkeys(self.symbols, connection.gap_cause)
                connection.gap_cause = None
            self.counts += connection.reader.counts
            connection.reader.counts.clear()
        self._worked = self._worked or any(trades)
        current = self.connections[-1:]
        self.connections = [c for c in self.connections if c in current or not c.reading.done()]
        self._share_capacity()
        counts, self.counts = self.counts, Counter()
        return Brought(trades, counts, interrupted)

    async def _until_over(self, connection: Connection) -> str | None:
        """What ended the connection; None when it only has grown old."""
        self._replace = asyncio.get_running_loop().create_future()
        waits: list[asyncio.Future[object]] = [connection.reading, self._replace]  # type: ignore[list-item]
        done: set[asyncio.Future[object]] = set()
        while not done and (timeout := self._due_in(connection)) > 0:
            done, _ = await asyncio.wait(
                waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
        if self._replace.done():
            return self._replace.result()
        if connection.reading.done():
            error = connection.reading.exception()
            return self._access.explain(error) if error else "ended"
        return None

    def _due_in(self, connection: Connection) -> float:
        """Seconds until the connection is to be replaced because of its age; 0: now."""
        now = time.monotonic()
        # A successor that brought nothing is followed by the next one not at once.
        due = max(connection.due, self._renewed + self._timing.renew_again)
        if now < due:
            return due - now
        return self._timing.overlap if any(twin.renewing for twin in self._twins) else 0.0

    async def _follow_up(self, old: Connection, failure: str | None) -> Connection:
        """The connection that reads after `old` was lost, by `failure`, or has grown old."""
        if failure is None:
            return await self._renew(old)
        cause = _cause_after(old)
        await old.close()
        if old.flowing_seconds >= self._timing.steady:
            self._backoff.reset()
        delay = self._backoff.next()
        log.warning(
            "connection for %s lost (%s); reconnecting in %.1f s", self.name, failure, delay
        )
        await asyncio.sleep(delay)
        new = await self._open()
        new.gap_cause = cause
        self.counts["reconnects"] += 1
        return new

    async def _renew(self, old: Connection) -> Connection:
        """Replaces a connection that has grown old, unless trades come by it alone."""
        self.renewing = True
        try:
            return await self._replace_old(old)
        finally:
            self.renewing = False

    async def _replace_old(self, old: Connection) -> Connection:
        new = await self._open()
        new.gap_cause = old.gap_cause
        if old.reading.done():  # it did not last until its successor was there
            new.gap_cause = _cause_after(old)
            self.counts["reconnects"] += 1
        await asyncio.sleep(self._timing.overlap)
        flows = not old.reading.done() and (old.last_trade or 0.0) > new.opened
        if flows and new.last_trade is None:
            log.warning("a new connection for %s is silent; the old one stays", self.name)
            await new.close()
            # It stays until the next `take`: what it brought at last, others count as repeated.
            self.connections.remove(new)
            self.connections.insert(0, new)
            self._renewed = time.monotonic()
            return old
        await old.close()
        log.info("replaced the connection for %s before its end", self.name)
        return new

    async def _open(self) -> Connection:
        while True:
            await self._wanted.wait()
            symbols = self.symbols
            subscription = self._venue.subscription(
                self._exchange.ws_url, symbols, self._exchange.trades
            )
            await self._attempts.turn()
            try:
                connection = await Connection.open(
                    subscription, self._access, self._new_reader(), self._timing
                )
            except Exception as error:  # noqa: BLE001 is_fatal() sorts them all
                await self._refused(error, subscription.url)
                continue
            connection.due = due_time(
                connection.opened,
                self._max_age,
                [other.due for other in self.others],
                len(self._twins),
            )
            self.connections.append(connection)
            self._share_capacity()
            self._catch_up(connection, symbols)
            log.info("connected for %s", self.name)
            return connection

    def _catch_up(self, connection: Connection, symbols: Sequence[str]) -> None:
        """Asks a new connection for what was added while it was opened with `symbols`."""
        late = [symbol for symbol in self.symbols if symbol not in symbols]
        if late:
            connection.send(self._venue.requests("SUBSCRIBE", late, self._exchange.trades))

    def _share_capacity(self) -> None:
        """Connections that overlap share the room of one."""
        for connection in self.connections:
            connection.reader.capacity = max(1, self.capacity // len(self.connections))

    async def _refused(self, error: Exception, url: str) -> None:
        worked, reason = self._worked or self._has_worked(), self._access.explain(error)
        if is_fatal(error, self._venue, worked=worked):
            raise ExchangeError(f"{url[:100]} cannot be used: {reason}") from error
        delay = max(
            self._backoff.next(), retry_after(error, self._venue, time.time_ns() // 1_000_000)
        )
        log.warning("no connection for %s (%s); trying again in %.1f s", self.name, reason, delay)
        await asyncio.sleep(delay)

    @property
    def name(self) -> str:
        """Its symbols, shortened for the log, and which of their connections it is."""
        return shortened(self.symbols) + (f" (connection {self.number})" if self.has_twins else "")


def _cause_after(old: Connection) -> str:
    """Why trades may be missing after a connection that broke off.

    One that brought nothing passes on what the one before it had broken off for.
    """
    return old.gap_cause or (PAUSED if old.reader.paused_lately else "reconnect")
