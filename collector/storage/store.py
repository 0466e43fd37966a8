"""Stores trades: one transaction a batch, with the gaps and counters that belong to it.

It is written in the one writer thread; what it knows in memory may be asked for anywhere.
"""

import logging
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collector.log_lines import RateLimitedLog
from collector.storage.batch import PAUSED, Batch, Stored
from collector.storage.columns import Columns, columns_of
from collector.storage.contradictions import Contradictions
from collector.storage.gap_store import GapStore
from collector.storage.id_tracker import IdTracker, Plan, SymbolPlan
from collector.storage.last_trades import Last, Newest, newest_after
from collector.storage.latencies import Latencies
from collector.storage.redundancy import Redundancy, Worth
from spreadlake.lake import add_counters, atomic, set_status
from spreadlake.lake.ticks.gaps import Gap
from spreadlake.lake.ticks.hot import values_by_id
from spreadlake.lake.ticks.id_ranges import HeldIds
from spreadlake.lake.ticks.insert import insert_trades
from spreadlake.lake.ticks.klines import save_klines
from spreadlake.lake.ticks.rolls import newest_seq
from spreadlake.lake.ticks.symbols import SymbolRow, read_symbols, save_symbols
from spreadlake.trade_clock import TradeClock
from spreadlake.trades import IdRange, OffMarket, TradeEvent
from spreadlake.venue import Kline

Events = Sequence[TradeEvent | OffMarket]
log = logging.getLogger(__name__)
Counts = defaultdict[tuple[str, str], float]


class TickStore:
    """The hot ticks of a lake, by the one that writes them; `now_ms` is the local clock.

    `db` is its connection, for what else has to be written by the same thread.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        symbols: Sequence[str],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.db = db
        # Those that are captured, and after them those that the lake holds from earlier.
        on_record = read_symbols(db)
        self._symbols = list(dict.fromkeys([*symbols, *(row.symbol for row in on_record)]))
        self._codes = {symbol: code for code, symbol in enumerate(self._symbols)}
        self.contradictions = Contradictions(db, self._symbols)
        self.capture(symbols)
        self._now_ms = now_ms
        self._next_seq = newest_seq(db) + 1
        self._ids = IdTracker()
        self.redundancy = Redundancy()
        self._last: dict[int, Last] = {}
        self._clock = TradeClock()
        self._warn_ahead = RateLimitedLog(log.warning, 60.0)
        self._causes: dict[str, str] = {}
        # A transaction cannot hold its own duration, so each counts the one before it.
        self.commit_seconds = 0.0
        self._latencies = Latencies()
        self.gaps = GapStore(db)
        self._load(on_record)

    def capture(self, symbols: Iterable[str]) -> None:
        """Takes trades of `symbols`, and of no others, from the stream from now on."""
        wanted = set(symbols)
        for symbol in sorted(wanted - self._codes.keys()):
            self._codes[symbol] = len(self._symbols)
            self._symbols.append(symbol)
        # By code; the one more is for symbols that have none.
        self._captured = np.array([*(s in wanted for s in self._symbols), False], np.bool_)
        self.contradictions.resize()

    @property
    def watermark_ms(self) -> int | None:
        """The greatest trade time stored that can be believed; None before the first trades."""
        return self._clock.watermark_ms

    def write(self, batch: Batch) -> Stored:
        """Stores a batch; when this returns it is durable, when it raises nothing of it is."""
        started = time.perf_counter()
        self._causes.update(batch.interrupted)
        columns = self._columns(batch)
        refused = self._refuse(batch.events, columns)
        plan = self._ids.plan(columns.codes, columns.ids, columns.trades)
        try:
            with atomic(self.db):
                self._write_gaps(plan)
                newest = newest_after(self._clock, self._last, columns, plan)
                self._write_trades(batch.events, plan, newest)
                differing = self.contradictions.differing(batch.events, columns, plan)
                self.contradictions.newly_reused(plan, refused)
                counts = self._counts(batch, plan, refused, differing)
                counts |= {("ahead", str(s)): n for s, n in newest.clock.refuted.items()}
                worth = self._weigh(batch, columns, plan)
                counts |= worth.counts | self._latencies.take(
                    columns, plan, live=batch.source == "live"
                )
                add_counters(self.db, {key: value for key, value in counts.items() if value})
        except BaseException:
            self.gaps.discard()
            raise
        seconds = time.perf_counter() - started
        self._apply(batch, columns, plan, newest, seconds)
        self._latencies.settle(self._now_ms())
        self.redundancy.settle(worth)
        self.contradictions.settle(plan, refused, differing)
        return self._stored(plan, refused + differing, seconds)

    def _stored(self, plan: Plan, contradicting: Counter[int], seconds: float) -> Stored:
        ticks = {self._symbols[s.code]: s.fresh for s in plan.symbols if s.fresh}
        others = {self._symbols[code]: count for code, count in contradicting.items()}
        return Stored(ticks, sum(s.duplicates for s in plan.symbols), seconds, others)

    def write_klines(
        self,
        pages: Iterable[tuple[str, Sequence[Kline]]],
        timeframe: str,
        status: Mapping[str, Any] | None = None,
    ) -> None:
        """Stores klines of symbols, times in Unix seconds; those that are there are replaced.

        All in one transaction, with the `status` values that belong to it.
        """
        with atomic(self.db):
            for symbol, klines in pages:
                rows = [(symbol, timeframe, kline.open_ms // 1000, *kline[1:]) for kline in klines]
                save_klines(self.db, symbol, rows)
            set_status(self.db, self._now_ms(), status or {})

    def write_status(self, values: Mapping[str, Any]) -> None:
        """Replaces status values."""
        with atomic(self.db):
            set_status(self.db, self._now_ms(), values)
            add_counters(self.db, self._latencies.waiting)
        self._latencies.waiting = {}

    def confirm(self, gaps: Sequence[Gap]) -> None:
        """Counts gaps that stayed open as real."""
        open_now = set(self.gaps.gaps())
        real = [gap for gap in gaps if gap in open_now]
        counts = Counter(("gaps", gap.symbol) for gap in real)
        self._change_gaps(lambda: self.gaps.confirm(real), counts)

    def close_as_lost(self, symbol: str, lost: IdRange, message: str) -> None:
        """Closes what is still open of a range as beyond repair."""
        now = self._now_ms()
        self._change_gaps(lambda: self.gaps.close_as_lost(symbol, lost, now, message), {})
        if symbol in self._codes:
            self._ids.replace_gaps(self._codes[symbol], self.gaps.missing(symbol))

    def last_time_ms(self, symbol: str) -> int | None:
        """The greatest trade time held of a symbol."""
        last = self._last.get(self._codes.get(symbol, -1))
        return last.time_ms if last else None

    def last_id(self, symbol: str) -> int | None:
        """The greatest id held of a symbol."""
        held = self._ids.held.get(self._codes.get(symbol, -1))
        return held.last if held else None

    def is_again(self, trade: TradeEvent) -> bool:
        """Whether a trade that was asked for is of another contract by the same ticker."""
        return self.contradictions.is_again(trade)

    def reached_by(self, number: int, symbols: Sequence[str]) -> list[int]:
        """The greatest ids of `symbols` that the connection of that number brought; -1: none."""
        lasts = self.redundancy.lasts(number)
        codes = [self._codes.get(symbol, -1) for symbol in symbols]
        return [int(lasts[code]) if 0 <= code < lasts.size else -1 for code in codes]

    def first_id(self, symbol: str) -> int | None:
        """The least id held of a symbol."""
        held = self._ids.held.get(self._codes.get(symbol, -1))
        return held.first if held else None

    def _load(self, on_record: Sequence[SymbolRow]) -> None:
        for row in on_record:
            code = self._codes[row.symbol]
            gaps = self.gaps.missing(row.symbol)
            self._ids.held[code] = HeldIds(row.first_id, row.last_id, gaps)
            self._last[code] = Last(row.last_time_ms, row.last_price)
            stored = values_by_id(self.db, row.symbol, [row.last_id])
            newest_ms = max(row.last_time_ms, *(int(time_ms) for time_ms, *_ in stored.values()), 0)
            self.contradictions.note(code, row.last_id, newest_ms)
            self._causes[row.symbol] = "restart"
        self._clock = TradeClock.begun(last.time_ms for last in self._last.values())

    def _columns(self, batch: Batch) -> Columns:
        columns = columns_of(batch.events, self._codes)
        if batch.source == "live":
            # What comes by the stream and was not asked for is not what it says it is.
            columns.codes[~self._captured[columns.codes]] = -1
        return columns

    def _weigh(self, batch: Batch, columns: Columns, plan: Plan) -> Worth:
        repeats = {number: self._keys(events) for number, events in batch.repeats.items()}
        return self.redundancy.weigh(
            batch.carriers, columns.codes, columns.ids, plan.keep, repeats, self._captured
        )

    def _keys(self, events: Events) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        code_of, size = self._codes.get, len(events)
        codes = np.fromiter((code_of(e.symbol, -1) for e in events), np.int64, size)
        return codes, np.fromiter((e.trade_id for e in events), np.int64, size)

    def _refuse(self, events: Events, columns: Columns) -> Counter[int]:
        """Takes out what contradicts the lake; how many that were, by code."""
        codes = columns.codes
        at = self.contradictions.refuse(events, columns, self._ids.held)
        refused = Counter(codes[at].tolist())
        codes[at] = -1
        return refused

    def _counts(
        self, batch: Batch, plan: Plan, refused: Counter[int], differing: Counter[int]
    ) -> Counts:
        counts = Counts(float, {(name, ""): value for name, value in batch.counts.items()})
        counts["ignored", ""] += plan.unknown - refused.total()
        for code, number in (refused + differing).items():
            counts["contradicting", self._symbols[code]] += number
        counts["batches", ""] += 1
        counts["commit_seconds", ""] += self.commit_seconds
        for part in plan.symbols:
            symbol = self._symbols[part.code]
            counts["ticks", symbol] += part.fresh
            counts["duplicates", symbol] += part.duplicates - differing[part.code]
            counts["ignored", ""] += part.passed
            if self._cause(symbol) == PAUSED:
                counts["dropped", ""] += sum(gap.size for gap in part.opened)
            if batch.source == "repair":
                counts["repaired_ticks", symbol] += part.fresh
        return counts

    def _cause(self, symbol: str) -> str:
        return self._causes.get(symbol, "jump")

    def _write_gaps(self, plan: Plan) -> None:
        now = self._now_ms()
        for part in plan.symbols:
            symbol = self._symbols[part.code]
            for change in part.changed:
                self.gaps.fill(symbol, change, now)
            if part.opened:
                self.gaps.open(symbol, part.opened, now, self._cause(symbol))

    def _write_trades(self, events: Events, plan: Plan, newest: Newest) -> None:
        insert_trades(self.db, [events[i] for i in plan.keep.tolist()], self._next_seq)
        changed = (s for s in plan.symbols if (s.fresh or s.passed) and s.code in newest.lasts)
        rows = [self._symbol_row(part, newest.lasts[part.code]) for part in changed]
        save_symbols(self.db, rows)

    def _symbol_row(self, part: SymbolPlan, last: Last) -> SymbolRow:
        symbol, held = self._symbols[part.code], part.held
        return SymbolRow(symbol, held.first, held.last, *last, part.fresh)

    def _apply(
        self, batch: Batch, columns: Columns, plan: Plan, newest: Newest, seconds: float
    ) -> None:
        self._clock = newest.clock
        self._last.update(newest.lasts)
        for symbol, number in newest.clock.refuted.items():
            self._warn_ahead("%s: %d trades far ahead of all others, not followed", symbol, number)
        for part in plan.symbols:
            if part.latest is not None:
                # As it came, also where the clock does not follow it (yet).
                time_ms = int(columns.times_ms[part.latest])
                self.contradictions.note(part.code, part.held.last, time_ms)
            if batch.source == "live":
                self._causes.pop(self._symbols[part.code], None)
        self.commit_seconds = seconds
        self._next_seq += len(plan.keep)
        self._ids.apply(plan)
        self.gaps.settle()

    def _change_gaps(
        self, change: Callable[[], None], counts: Mapping[tuple[str, str], float]
    ) -> None:
        try:
            with atomic(self.db):
                change()
                add_counters(self.db, counts)
        except BaseException:
            self.gaps.discard()
            raise
        self.gaps.settle()
