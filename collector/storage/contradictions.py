"""Trades whose id the lake has for another trade: told, counted and refused.

Ids rise with time, so an id that the lake is past, with a time that it is not, is of another
contract by the same ticker: that costs a comparison of arrays. A repeat is compared with what was
just stored, in memory, and only where that has forgotten it with the row in SQLite. Repeats of
trades that were rolled away are known by their time alone.
"""

import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from collector.storage.columns import Columns
from collector.storage.digests import Digests
from collector.storage.id_tracker import Plan
from spreadlake.lake.databases.meta import read_meta, write_meta
from spreadlake.lake.ticks.hot import HotValues, hot_ends, values_by_id
from spreadlake.lake.ticks.id_ranges import HeldIds, within
from spreadlake.times import iso_utc
from spreadlake.trades import OffMarket, TradeEvent, begins_again

log = logging.getLogger(__name__)
Ints = NDArray[np.int64]
Events = Sequence[TradeEvent | OffMarket]

# So many in a row are no fault of the exchange: the ticker is another contract's from then on.
_RUN = 20
_KEY = "reused"
_REMEDY = (
    "all of its trades are refused from now on, and what is stored stays as it is. To capture the "
    "new contract, take the symbol out of symbols here and capture it into another folder (--data)"
)


class Contradictions:
    """What the lake holds, by the code of each symbol, as far as it takes to know it again.

    `counts` are the contradictions by symbol since the start; `reused` the symbols that are
    another contract's now: nothing of them is taken, in this process or a later one.
    """

    def __init__(self, db: sqlite3.Connection, symbols: list[str]) -> None:
        self._db = db
        self._symbols = symbols
        self._digests = Digests()
        self._run: Counter[int] = Counter()
        self.counts: Counter[str] = Counter()
        self.reused: set[str] = _read(db)
        self._lasts, self._times = np.empty(0, np.int64), np.empty(0, np.int64)
        self.resize()

    def resize(self) -> None:
        """To be called when there are more symbols."""
        # The last place is for symbols without a code (-1).
        more = len(self._symbols) + 1 - self._lasts.size
        self._lasts = np.append(self._lasts, np.full(more, -1))
        self._times = np.append(self._times, np.zeros(more, np.int64))
        self._close()

    def note(self, code: int, last_id: int, last_time_ms: int) -> None:
        """What is held of a symbol reaches up to here."""
        self._lasts[code] = last_id
        self._times[code] = max(self._times[code], last_time_ms)

    def is_again(self, trade: TradeEvent) -> bool:
        """Whether a trade that was asked for is of another contract by the same ticker."""
        code = self._symbols.index(trade.symbol) if trade.symbol in self._symbols else -1
        held = (int(self._lasts[code]), int(self._times[code]))
        return begins_again(trade.trade_id, trade.time_ms, *held)

    def refuse(self, events: Events, columns: Columns, held: Mapping[int, HeldIds]) -> Ints:
        """The positions of trades that cannot be taken, before any others are looked at."""
        codes, ids = columns.codes, columns.ids
        late = ids <= self._lasts[codes]
        closed = self._closed[codes]
        if not late.any() and not closed.any():
            return np.empty(0, np.int64)
        again = begins_again(ids, columns.times_ms, self._lasts[codes], self._times[codes])
        for code in np.unique(codes[again]).tolist():
            mine = np.flatnonzero(again & (codes == code))
            again[mine] &= (self._run[code] > 0) | ~within(held[code].gaps, ids[mine])
        refused = np.flatnonzero(again | closed)
        self._tell_again(events, codes, refused)
        return refused

    def differing(self, events: Events, columns: Columns, plan: Plan) -> Counter[int]:
        """By code: how many of the repeats in a batch are not what the lake has by their id.

        Runs inside the transaction, after the batch's new trades were written.
        """
        codes, ids, digests = columns.codes, columns.ids, columns.digests
        self._digests.put(codes[plan.keep], ids[plan.keep], digests[plan.keep])
        found: Counter[int] = Counter()
        if not any(part.duplicates for part in plan.symbols):
            return found
        repeats = (codes >= 0) & columns.trades
        repeats[plan.keep] = False
        at = np.flatnonzero(repeats)
        at = at[~self._digests.have(codes[at], ids[at], digests[at])]
        at = at[np.argsort(codes[at], kind="stable")]
        for code, group in groupby(at.tolist(), lambda i: int(codes[i])):
            found[code] += self._compare(self._symbols[code], [events[i] for i in group])
        return +found

    def newly_reused(self, plan: Plan, refused: Mapping[int, int]) -> list[str]:
        """Symbols of which so many trades in a row were refused that they are another contract's.

        Written down inside the caller's transaction.
        """
        runs = self._runs_after(plan, refused)
        more = sorted({self._symbols[code] for code, run in runs.items() if run >= _RUN})
        more = [symbol for symbol in more if symbol not in self.reused]
        if more:
            value = json.dumps(sorted(self.reused | set(more)))
            write_meta(self._db, _KEY, value)
        return more

    def settle(self, plan: Plan, refused: Mapping[int, int], differing: Mapping[int, int]) -> None:
        """Takes over what a batch came to, once it is durable."""
        if not refused and not self._run and not differing:
            return
        self._run = self._runs_after(plan, refused)
        for code, number in (*refused.items(), *differing.items()):
            self.counts[self._symbols[code]] += number
        for code in [code for code, run in self._run.items() if run >= _RUN]:
            if (symbol := self._symbols[code]) not in self.reused:
                log.error("%s is another contract now: %s", symbol, _REMEDY)
                self.reused.add(symbol)
        self._close()

    def _runs_after(self, plan: Plan, refused: Mapping[int, int]) -> Counter[int]:
        taken = {part.code for part in plan.symbols if part.fresh}
        return Counter(
            {code: run for code, run in (self._run + Counter(refused)).items() if code not in taken}
        )

    def _close(self) -> None:
        self._closed = np.array([*(s in self.reused for s in self._symbols), False], np.bool_)

    def _compare(self, symbol: str, events: Events) -> int:
        stored = values_by_id(self._db, symbol, [event.trade_id for event in events])
        first, _ = hot_ends(self._db, symbol)
        differing = [event for event in events if _differs(event, stored, first)]
        if differing and not self.counts[symbol]:
            self._tell(differing[0], stored.get(differing[0].trade_id))
        return len(differing)

    def _tell_again(self, events: Events, codes: Ints, refused: Ints) -> None:
        for code in np.unique(codes[refused]).tolist():
            symbol = self._symbols[code]
            if self.counts[symbol] or self._run[code]:
                continue
            event = events[int(refused[codes[refused] == code][0])]
            if symbol in self.reused:
                log.error("%s is another contract than the one stored: %s", symbol, _REMEDY)
            elif not isinstance(event, OffMarket):
                log.error(
                    "%s: trade %d is of %s, after the newest one that is stored (%s), whose id is "
                    "greater: refused. It is of another contract by the same ticker, or wrong",
                    symbol,
                    event.trade_id,
                    iso_utc(event.time_ms / 1000),
                    iso_utc(int(self._times[code]) / 1000),
                )

    def _tell(self, event: TradeEvent | OffMarket, stored: HotValues | None) -> None:
        if isinstance(event, OffMarket):
            return
        held = "is of an earlier time" if stored is None else _in_words(*stored)
        log.error(
            "%s: trade %d came again as another trade (%s) and is refused; the one that is stored "
            "(%s) stays. More like it are counted",
            event.symbol,
            event.trade_id,
            _in_words(
                event.time_ms,
                event.price,
                event.qty,
                event.first_trade_id,
                event.last_trade_id,
            ),
            held,
        )


def _read(db: sqlite3.Connection) -> set[str]:
    text = read_meta(db, _KEY)
    return set(json.loads(text)) if text else set()


def _differs(
    event: TradeEvent | OffMarket,
    stored: Mapping[int, HotValues],
    first: tuple[int, int] | None,
) -> bool:
    """Whether a repeat is another trade than the row by its id, or cannot be a row that is gone."""
    if isinstance(event, OffMarket):
        return False
    if (row := stored.get(event.trade_id)) is not None:
        return row.differs(event)
    return first is not None and begins_again(event.trade_id, event.time_ms, *first)


def _in_words(
    time_ms: float, price: float, qty: float, first_id: int | None, last_id: int | None
) -> str:
    single = "" if first_id is None or last_id is None else f", single {first_id} to {last_id}"
    return f"time {iso_utc(time_ms / 1000)}, price {price}, qty {qty}{single}"
