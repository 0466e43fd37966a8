"""Trades that a log lost and that none of their symbol followed: no id tells of them.

A symbol that goes on trading is never asked about: its next trade shows what is missing before it.
Of the others the exchange is asked for the newest trade, once for each time the log may have lost
something; what it has is stored, and what lies before it is found missing and fetched.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from redis.exceptions import RedisError

from collector.broker.server import Server
from collector.resources import Resources
from collector.rest import RestError, RestRefusedError
from collector.storage.batch import Batch
from spreadlake.trades import TradeEvent

log = logging.getLogger(__name__)


class _Doubt(NamedTuple):
    since: float
    last_id: int


class LogTails:
    """The newest trades of symbols that are in doubt, and go on being silent."""

    def __init__(self, resources: Resources, server: Server) -> None:
        self._server = server
        self._store = resources.store
        self._writer = resources.writer
        self._rest = resources.rest
        self._roster = resources.roster
        self._interval = resources.timing.silence_interval
        self._patience = resources.settings.collector.silence_seconds
        self._ids_compare = resources.settings.exchange.trades == resources.venue.REST_KIND
        self._run_id = ""
        self._doubts: dict[str, _Doubt] = {}
        self.doubt()

    def doubt(self, symbols: Iterable[str] | None = None) -> None:
        """The log may have lost the newest trades of `symbols`; by default, of any."""
        now = time.monotonic()
        if self._ids_compare:  # ids of another kind tell nothing, and nothing could be fetched
            for symbol in self._roster.symbols if symbols is None else symbols:
                if (last_id := self._store.last_id(symbol)) is not None:
                    # Of a log that loses on and on the silence is none the shorter for that.
                    before = self._doubts.get(symbol, _Doubt(now, last_id))
                    since = before.since if before.last_id == last_id else now
                    self._doubts[symbol] = _Doubt(since, last_id)

    async def run(self) -> None:
        """Asks about those that stay silent, until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            with suppress(RedisError):
                await self._see_restart()
            for symbol, doubt in list(self._doubts.items()):
                if self._doubts.get(symbol) is doubt:  # else it was removed, or is doubted anew
                    await self._look_at(symbol, doubt)

    async def _see_restart(self) -> None:
        # The client connects again without a word, where it asked nothing meanwhile.
        run_id = await self._server.run_id()
        if self._run_id not in ("", run_id):
            self.doubt()
        self._run_id = run_id

    async def _look_at(self, symbol: str, doubt: _Doubt) -> None:
        now = time.monotonic()
        if symbol not in self._roster.symbols or self._store.last_id(symbol) != doubt.last_id:
            del self._doubts[symbol]
        elif now - doubt.since >= self._patience and self._roster.may_trade(symbol):
            # What is lost while it is asked about is asked about once more, and not at once; so is
            # one of which there was no answer.
            self._doubts[symbol] = doubt._replace(since=now)
            await self._ask(symbol, self._doubts[symbol])

    async def _ask(self, symbol: str, doubt: _Doubt) -> None:
        try:
            newest = await self._rest.latest_trades(symbol, 1)
        except RestRefusedError as error:
            log.debug("the exchange is not asked about %s again: %s", symbol, error)
            newest = []
        except RestError as error:
            log.debug("the exchange cannot be asked about %s: %s", symbol, error)
            return
        if newest and self._is_newer(newest[-1], doubt):
            await self._writer.persist(lambda: self._store.write(Batch(newest, source="repair")))
        if self._doubts.get(symbol) is doubt:  # else the log has lost something again meanwhile
            del self._doubts[symbol]

    def _is_newer(self, trade: TradeEvent, doubt: _Doubt) -> bool:
        if trade.symbol not in self._roster.symbols:  # it was removed meanwhile
            return False
        # A contract that goes by the ticker of another one counts anew.
        return trade.trade_id > doubt.last_id and not self._store.is_again(trade)
