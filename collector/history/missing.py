"""Which history is still to be fetched, on record, so that a start that was interrupted goes on."""

import sqlite3
from collections.abc import Mapping, Sequence, Set
from typing import Any

from collector.history.remaining import Traded
from collector.storage.store import TickStore
from spreadlake.config import Settings
from spreadlake.lake import read_status
from spreadlake.lake.ticks.klines import traded_of_late
from spreadlake.venue import Venue

_KEY = "warm_start"


class MissingHistory:
    """What the configured symbols lack; `save` makes it durable, to be called in the writer thread.

    `klines` are the symbols without their klines. `trades` are those whose trades do not reach
    back far enough yet, with the time (Unix ms) that they are fetched back to: None until the
    first of them tell what time it is at the exchange. A new symbol is one that the lake holds no
    trades of; it lacks all.
    """

    def __init__(self, store: TickStore, settings: Settings, venue: Venue) -> None:
        self._store = store
        self._settings = settings
        self._by_id = settings.exchange.trades == venue.REST_KIND
        self._saved = self._saving = _read(store)
        self._whole: Set[str] = frozenset()
        self.klines: list[str] = []
        self.trades: dict[str, int | None] = {}
        self.add(settings.symbol_list)

    def add(self, symbols: Sequence[str]) -> None:
        """Takes in what `symbols` lack, where history is wanted at all."""
        if not self._settings.collector.warm_start_minutes:
            return
        new = {symbol for symbol in symbols if self._store.last_id(symbol) is None}
        klines, trades = set(self._saved["klines"]), self._saved["trades"]
        there = set(self.klines)
        for symbol in symbols:
            if symbol not in there and (symbol in new or symbol in klines):
                self.klines.append(symbol)
                there.add(symbol)
            if self._by_id and symbol not in self.trades and (symbol in new or symbol in trades):
                self.trades[symbol] = None if symbol in new else trades[symbol]

    def drop(self, symbol: str) -> None:
        """Wants no history of a symbol any more."""
        if symbol in self.klines:
            self.klines.remove(symbol)
        self.trades.pop(symbol, None)

    @property
    def symbols(self) -> list[str]:
        """All that lack something."""
        return list(dict.fromkeys([*self.klines, *self.trades]))

    def save(self) -> None:
        """Writes it down, where it is not what the lake says already."""
        if status := self.unsaved():
            self._store.write_status(status)
            self.saved()

    def unsaved(self, but: Set[str] = frozenset()) -> dict[str, Any]:
        """The status value to be written, by its key; empty where the lake says it already.

        `but` are symbols whose klines are written with it: they lack none once it is `saved`.
        """
        klines = [symbol for symbol in self.klines if symbol not in but]
        self._saving, self._whole = {"klines": klines, "trades": dict(self.trades)}, but
        return {} if self._saving == self._saved else {_KEY: self._saving}

    def saved(self) -> None:
        """What `unsaved` last gave is durable now."""
        self._saved = self._saving
        for symbol in self._whole:
            if symbol in self.klines:
                self.klines.remove(symbol)


def traded_of(db: sqlite3.Connection, span_s: int, page: int) -> dict[str, Traded]:
    """What the lake's klines tell of each symbol, of the last `span_s` seconds that it has.

    `page` is the most trades in one answer.
    """
    rows = traded_of_late(db, span_s)
    return {symbol: Traded(volume, -(-trades // page)) for symbol, volume, trades in rows}


def _read(store: TickStore) -> Mapping[str, Any]:
    nothing: dict[str, Any] = {"klines": [], "trades": {}}
    value, _ = read_status(store.db).get(_KEY, (nothing, 0))
    return {**nothing, **value}
