"""Notices connections and symbols that have gone silent, and has them replaced."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

from collector.log_lines import shortened
from collector.resources import StreamResources
from collector.rest import RestError
from collector.storage.batch import Batch, Stored
from collector.stream.connection import Connection
from collector.stream.connection_group import ConnectionGroup
from collector.stream.lost_streams import LostStreams
from collector.stream.silence import SilenceDetector
from spreadlake.trades import TradeEvent

log = logging.getLogger(__name__)
# Of a silent connection only so many symbols are asked about: each question has its weight.
_ASKED = 3


class SilenceMonitor:
    """Asks the exchange whether a silence is real before it calls it a fault."""

    def __init__(self, resources: StreamResources, on_quiet: Callable[[], None]) -> None:
        """`on_quiet` is called where a symbol is silent: the exchange may have halted it."""
        self._on_quiet = on_quiet
        self._store = resources.store
        self._writer = resources.writer
        self._rest = resources.rest
        self._timing = resources.timing
        kind = resources.settings.exchange.trades
        self._ids_compare = kind == resources.venue.REST_KIND
        self._hint = f"if this goes on, {resources.venue.silence_hint(kind)}"
        now, least = time.monotonic(), resources.settings.collector.silence_seconds
        self._least = least
        # Since when another connection is ahead of one, and when that one was last heard.
        self._outrun: dict[ConnectionGroup, tuple[float, float]] = {}
        self._roster = resources.roster
        self._silence = SilenceDetector(resources.roster.symbols, least, now)
        self._ignored_until = now
        self._told_ms: Counter[str] = Counter()

    def observe(self, stored: Stored) -> None:
        """Takes in what arrived live."""
        self._silence.observe(stored.arrived, time.monotonic())

    def begin(self, symbols: Sequence[str]) -> None:
        """To be called when symbols are added, or begin to trade (again)."""
        self._silence.begin(symbols, time.monotonic())

    def ignore_until_now(self) -> None:
        """To be called while trades cannot be stored or read: the silence is our own."""
        self._ignored_until = time.monotonic()
        self._silence.ignore_until(self._ignored_until)

    async def run(self, group: ConnectionGroup) -> None:
        """Watches one group until cancelled."""
        streams = LostStreams(self._least)
        while True:
            await asyncio.sleep(self._timing.silence_interval)
            if (connection := group.current) is None:
                continue
            # Of those that do not trade now silence is no news.
            symbols = [symbol for symbol in group.symbols if self._roster.is_trading(symbol)]
            if symbols and not self._is_behind_its_twin(group, connection, streams):
                await self._look_at(group, connection, symbols)

    def _is_behind_its_twin(
        self, group: ConnectionGroup, connection: Connection, streams: LostStreams
    ) -> bool:
        """Whether others bring what this one does not: then it is replaced, without a question."""
        now = time.monotonic()
        last_heard = max(connection.last_trade or connection.opened, self._ignored_until)
        if self._is_outrun(group, connection, last_heard, now):
            log.warning(
                "no trade of %s for %.0f s, while another connection brings them",
                group.name,
                now - last_heard,
            )
            group.replace("silence")
            return True
        carried = (connection, group.symbols)
        if not group.has_twins or not streams.is_due(carried, now):
            return False
        reached = [self._store.reached_by(n, group.symbols) for n in group.numbers]
        best = [max(ids) for ids in zip(*reached, strict=True)]
        lost = streams.look(carried, now, reached[group.number - 1], best)
        if not lost:
            return False
        names = shortened([group.symbols[at] for at in lost])
        log.warning("%s: another connection brings %s, this one does not", group.name, names)
        group.replace(f"silence of {names}")
        return True

    async def _look_at(
        self, group: ConnectionGroup, connection: Connection, symbols: Sequence[str]
    ) -> None:
        now = time.monotonic()
        last_heard = max(connection.last_trade or connection.opened, self._ignored_until)
        allowed = self._silence.allowed_connection_silence(symbols)
        last_heard = max(last_heard, self._silence.began(symbols))
        if now - last_heard > allowed:
            await self._question_connection(group, connection, symbols, now - last_heard)
            return
        silent = self._silence.silent(symbols, connection.opened, now)
        for symbol in silent[:_ASKED]:
            await self._question_symbol(group, connection, symbol)

    def _is_outrun(
        self, group: ConnectionGroup, connection: Connection, last_heard: float, now: float
    ) -> bool:
        """Whether another connection has brought what this one has not, for too long.

        What only one of them has brought yet may be on its way: so the time counts from when it was
        first seen to be ahead.
        """
        ahead = any(other.reached_ms > connection.reached_ms for other in group.others)
        if not ahead:
            self._outrun.pop(group, None)
            return False
        since, heard = self._outrun.get(group, (now, last_heard))
        if heard != last_heard:
            since = now
        self._outrun[group] = (since, last_heard)
        return now - since >= min(self._timing.outrun, self._least)

    async def _question_connection(
        self, group: ConnectionGroup, connection: Connection, symbols: Sequence[str], seconds: float
    ) -> None:
        if await self._all_quiet(symbols, connection):
            return
        log.warning("no trade of %s for %.0f s; %s", group.name, seconds, self._hint)
        group.replace("silence")

    async def _all_quiet(self, symbols: Sequence[str], connection: Connection) -> bool:
        try:
            for symbol in self._silence.most_active(symbols, _ASKED):
                confirmed = self._silence.confirmed_since(symbol, connection.opened)
                # Of a connection that never brought a trade any trade makes a suspect.
                if await self._is_behind(symbol) and (confirmed or connection.last_trade is None):
                    return False
        except RestError:
            return False
        return True

    async def _question_symbol(
        self, group: ConnectionGroup, connection: Connection, symbol: str
    ) -> None:
        confirmed = self._silence.confirmed_since(symbol, connection.opened)
        try:
            behind = await self._is_behind(symbol)
        except RestError as error:
            log.debug("%s is silent and the exchange cannot be asked: %s", symbol, error)
            return
        # A trade from before the connection is no fault of the connection.
        if behind and confirmed:
            log.warning("%s trades, but its stream is silent", symbol)
            group.replace(f"silence of {symbol}")

    async def _is_behind(self, symbol: str) -> bool:
        """Whether the exchange has a newer trade of `symbol` than we have.

        That trade is stored, so that those before it are found missing and repaired.
        """
        self._silence.questioned(symbol, time.monotonic())
        self._on_quiet()
        latest = await self._ask(symbol)
        await asyncio.sleep(self._timing.disorder)
        if not latest or not self._is_newer(latest[-1]):
            return False
        if self._ids_compare:
            batch = Batch(latest, interrupted={symbol: "silence"}, source="repair")
            await self._writer.persist(lambda: self._store.write(batch))
        return True

    async def _ask(self, symbol: str) -> list[TradeEvent]:
        # While the exchange bans us from REST, or repair uses up the weight, silence stays a fault.
        try:
            async with asyncio.timeout(self._timing.question):
                return await self._rest.latest_trades(symbol, 1)
        except TimeoutError as error:
            raise RestError("it does not answer in time") from error

    def _is_newer(self, latest: TradeEvent) -> bool:
        last_id = self._store.last_id(latest.symbol)
        last_ms = max(self._store.last_time_ms(latest.symbol) or 0, self._told_ms[latest.symbol])
        if self._ids_compare:
            if last_id is None:
                return True
            if not self._store.is_again(latest):
                return latest.trade_id > last_id
        # Ids of another kind, or contract, tell nothing; times of the exchange can be compared.
        self._told_ms[latest.symbol] = latest.time_ms
        return latest.time_ms > last_ms
