"""Notices connections and symbols that have gone silent, and has them replaced."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence

from collector.resources import Parts
from collector.rest import RestError
from collector.storage.batch import Batch, Stored
from collector.stream.connection import Session
from collector.stream.connection_group import Feed
from collector.stream.silence import SilenceWatch
from spreadlake.binance import AggTrade, route_of

log = logging.getLogger(__name__)
# Of a silent connection only so many symbols are asked about: each question has its weight.
_ASKED = 3
_ROUTE = (
    "if this goes on, check that exchange.ws_url is the exchange's own address without a route: "
    "%s comes on /%s alone, and other routes acknowledge it and stay silent"
)


class Watch:
    """Asks the exchange whether a silence is real before it calls it a fault."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._writer = parts.writer
        self._rest = parts.rest
        self._timing = parts.timing
        kind = parts.settings.exchange.trades
        self._ids_compare = kind == "aggTrade"
        self._route = _ROUTE % (kind, route_of(f"@{kind}"))
        now, least = time.monotonic(), parts.settings.collector.silence_seconds
        self._roster = parts.roster
        self._silence = SilenceWatch(parts.roster.symbols, least, now)
        self._excused = now
        self._told_ms: Counter[str] = Counter()

    def hear(self, stored: Stored) -> None:
        """Takes in what arrived live."""
        self._silence.hear(stored.heard, time.monotonic())

    def begin(self, symbols: Sequence[str]) -> None:
        """To be called when symbols are added, or begin to trade (again)."""
        self._silence.begin(symbols, time.monotonic())

    def excuse(self) -> None:
        """To be called while trades cannot be stored or read: the silence is our own."""
        self._excused = time.monotonic()
        self._silence.excuse(self._excused)

    async def run(self, feed: Feed) -> None:
        """Watches one feed until cancelled."""
        while True:
            await asyncio.sleep(self._timing.watch_interval)
            if (session := feed.current) is None:
                continue
            # Of those that do not trade now silence is no news.
            symbols = [symbol for symbol in feed.symbols if self._roster.trades(symbol)]
            if symbols:
                await self._look_at(feed, session, symbols)

    async def _look_at(self, feed: Feed, session: Session, symbols: Sequence[str]) -> None:
        now = time.monotonic()
        heard = max(session.last_trade or session.opened, self._excused)
        patience = self._silence.connection_patience(symbols)
        heard = max(heard, self._silence.began(symbols))
        if now - heard > patience:
            await self._judge(feed, session, symbols, now - heard)
            return
        silent = self._silence.silent(symbols, session.opened, now)
        for symbol in silent[:_ASKED]:
            await self._judge_symbol(feed, session, symbol)

    async def _judge(
        self, feed: Feed, session: Session, symbols: Sequence[str], seconds: float
    ) -> None:
        if await self._all_quiet(symbols, session):
            return
        log.warning("no trade of %s for %.0f s; %s", feed.name, seconds, self._route)
        feed.replace("silence")

    async def _all_quiet(self, symbols: Sequence[str], session: Session) -> bool:
        try:
            for symbol in self._silence.liveliest(symbols, _ASKED):
                known = self._silence.known(symbol, session.opened)
                # Of a connection that never brought a trade any trade makes a suspect.
                if await self._is_behind(symbol) and (known or session.last_trade is None):
                    return False
        except RestError:
            return False
        return True

    async def _judge_symbol(self, feed: Feed, session: Session, symbol: str) -> None:
        known = self._silence.known(symbol, session.opened)
        try:
            behind = await self._is_behind(symbol)
        except RestError as error:
            log.debug("%s is silent and the exchange cannot be asked: %s", symbol, error)
            return
        # A trade from before the connection is no fault of the connection.
        if behind and known:
            log.warning("%s trades, but its stream is silent", symbol)
            feed.replace(f"silence of {symbol}")

    async def _is_behind(self, symbol: str) -> bool:
        """Whether the exchange has a newer trade of `symbol` than we have.

        That trade is stored, so that those before it are found missing and repaired.
        """
        self._silence.asked(symbol, time.monotonic())
        latest = await self._ask(symbol)
        await asyncio.sleep(self._timing.disorder)
        if not latest or not self._is_newer(latest[-1]):
            return False
        if self._ids_compare:
            batch = Batch(latest, interrupted={symbol: "silence"}, source="repair")
            await self._writer.persist(lambda: self._store.write(batch))
        return True

    async def _ask(self, symbol: str) -> list[AggTrade]:
        # While the exchange bans us from REST, or repair uses up the weight, silence stays a fault.
        try:
            async with asyncio.timeout(self._timing.question):
                return await self._rest.latest_trades(symbol, 1)
        except TimeoutError as error:
            raise RestError("it does not answer in time") from error

    def _is_newer(self, latest: AggTrade) -> bool:
        last_id = self._store.last_id(latest.symbol)
        last_ms = max(self._store.last_time_ms(latest.symbol) or 0, self._told_ms[latest.symbol])
        if self._ids_compare:
            if last_id is None:
                return True
            if not self._store.contradictions.is_again(latest):
                return latest.trade_id > last_id
        # Ids of another kind, or contract, tell nothing; times of the exchange can be compared.
        self._told_ms[latest.symbol] = latest.time_ms
        return latest.time_ms > last_ms
