"""New trades into bars, pair analytics, status and alerts, each hop of seconds all or nothing.

The clock is the watermark, the greatest trade time seen that can be believed. All seconds before
`final` are final; trades of later seconds wait in memory, and are read again from the lake at a
start. Trades from too far ahead wait in the lake. What late trades change in bars is written at
once; the rows that depend on it are marked as due, and `analytics_job.history` computes them.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl

from analytics_job.alerts.rules import watched_pairs
from analytics_job.alerts.store import AlertStore
from analytics_job.bars.backlog import BarsDue
from analytics_job.bars.klines import KlineBars
from analytics_job.bars.old import OldBars
from analytics_job.bars.spans import SpanStore
from analytics_job.bars.store import BarStore, ChangedBars
from analytics_job.pairs.analyser import Analyser
from analytics_job.pairs.backlog import DueRows, RowsDue
from analytics_job.pairs.plan import pair_plan
from analytics_job.pairs.status import StatusStore
from analytics_job.position import read_position, write_position
from analytics_job.stationarity.store import StationarityStore
from analytics_job.ticks.backlog import DueHour, HoursDue, without_remote
from analytics_job.ticks.future_trades import FutureTrades
from analytics_job.ticks.tail import TAIL_SCHEMA, waiting_trades
from spreadlake.config import Settings
from spreadlake.lake import Lake, add_counters, atomic
from spreadlake.lake.ticks.source_end import SourceEnd
from spreadlake.quant.arrays import Ints
from spreadlake.trade_clock import NEAR_MS, TradeClock

# What becomes final in one transaction, to bound memory and how long it takes: 1s bars, and rows
# of pair analytics.
_BARS, _ROWS = 200_000, 40_000


class Pipeline:
    """Takes in trades and keeps every table of `analytics.db` true to them."""

    def __init__(self, db: sqlite3.Connection, lake: Lake, settings: Settings) -> None:
        self._db, self._lake = db, lake
        # Called after each transaction: a long catch-up shows that it goes on.
        self.on_commit: Callable[[], None] = lambda: None
        self._lateness_ms = round(settings.job.lateness * 1000)
        self.plan = pair_plan(settings)
        with atomic(db):
            self.spans = SpanStore(db, round(settings.job.break_minutes * 60))
            self.bars = BarStore(db, lake, settings.timeframes, self.spans)
            self.alerts = AlertStore(db, lake, watched_pairs(settings))
            captured, stale = settings.symbol_list, settings.max_stale_bars
            self.status = StatusStore(db, settings.series, stale, captured, self.spans.stopped)
        interval, gating = settings.job.tests_interval, self.alerts.gating
        lengths = self.bars.lengths
        self.stationarity = StationarityStore(db, lake, self.plan, lengths, interval, gating)
        self.analysers = [
            Analyser(db, lake, self.bars, name, self.plan) for name in settings.timeframes
        ]
        self.hours_due, self.rows_due = HoursDue(db), RowsDue(db)
        self.bars_due = BarsDue(db, self.bars)
        old = OldBars(db, lake, settings.storage.analytics_hours)
        self.kline_bars = KlineBars(self.bars, self.spans, self.bars.kline_runs, old)
        self.position = read_position(db)
        self._complete_ms = 0
        self.read_seq = self.position.seq
        self.done_seq = self.position.seq  # all up to here are in the tables, wait or are due
        self._clock = TradeClock(self.position.watermark_ms or None)
        self._future = FutureTrades(lake)
        self._pending = TAIL_SCHEMA.to_frame()
        if self.position.seq:
            self._restore(lake)

    def _restore(self, lake: Lake) -> None:
        """After a restart: the trades that wait."""
        final_ms, due = self.position.final_or_start * 1000, self.hours_due
        end_ms = due.first() if self.position.final is None else None
        self._pending = waiting_trades(lake, final_ms, end_ms, self.position.seq, due.all())
        if self.position.final is not None:
            self._future.restore(final_ms, self.position.seq)
            near = pl.col("time_ms") <= self.position.watermark_ms + NEAR_MS
            self.spans.spans.add(_seconds(self._pending.filter(near)))

    def ingest(self, trades: pl.DataFrame, seq: int, hours: Sequence[tuple[str, int]] = ()) -> None:
        """Takes in new trades (TAIL_SCHEMA); all trades up to `seq` have then been given.

        `hours` (symbol, hour in ms) were rolled before they were read: they are history's work. So
        are late trades of days that are in object storage alone, which may be away.
        """
        final_ms, given = self.position.final_or_start * 1000, trades.height
        trades, far = without_remote(self._lake, trades, final_ms)
        due = [*(DueHour(hour, symbol, hour) for symbol, hour in hours), *far]
        if due:
            with atomic(self._db):
                self.hours_due.add(due)
        self.read_seq = seq
        late = given - trades.height + (self._take(trades) if trades.height else 0)
        if late:
            add_counters(self._db, {("late_trades", ""): late})
        if due:
            with atomic(self._db):
                self._write_position()
        self.done_seq = seq

    def take_hours(self, hours: Sequence[DueHour], trades: pl.DataFrame) -> None:
        """Takes in all trades of some hours that are due."""
        if trades.height:
            self._take(trades)
        with atomic(self._db):
            self.hours_due.done(hours)
            self._write_position()
        self.on_commit()

    def _take(self, trades: pl.DataFrame) -> int:
        """Returns how many came late."""
        self._complete_ms = 0  # until the end of their source is known
        # Those of an hour that was rolled come with one sequence number.
        self._follow(trades.sort("seq", "time_ms"))
        in_time = pl.col("time_ms") >= self.position.final_or_start * 1000
        late = trades.filter(~in_time)
        self._wait(pl.concat([self._pending, trades.filter(in_time)]), late)
        self.finalise()
        return late.height

    def _wait(self, pending: pl.DataFrame, late: pl.DataFrame) -> None:
        final = self.position.final_or_start
        covered: list[tuple[int, int]] = []
        if self._clock.watermark_ms is not None:
            pending = self._future.hold_back(pending, self._clock.watermark_ms)
            self._begin(pending)
            covered = self.spans.spans.add(_seconds(pl.concat([late, pending])))
        self._pending = pending.unique(["symbol", "trade_id"], keep="first", maintain_order=True)
        past = [(start, min(end, final)) for start, end in covered if start < final]
        if late.height or past:
            self.repair(late, past)

    def finalise(self) -> None:
        """Makes every second final that the watermark has passed by the lateness."""
        if self.position.final is None:
            return
        target = self._target()
        while self.position.final < target:
            self._advance(self._hop_end(self.position.final, target))

    def finish(self, end: SourceEnd) -> None:
        """Makes final what can be: by the watermark, and where a source has ended by its end.

        The bars that hold its newest trade are then final, as far as the source covers their
        spans; a trade that came since takes that back, and nothing is final before its time.
        """
        if self.hours_due.first() is not None:
            return  # not all of it is taken in
        self._complete_ms = end.until_ms if self.read_seq == end.seq else 0
        if self._clock.bear_out(self._complete_ms):
            self.position.watermark_ms = self._clock.watermark_ms or 0
            self._wait(self._pending, TAIL_SCHEMA.to_frame())
        self._cover_end()
        self.finalise()

    def _cover_end(self) -> None:
        """What a finished source covers after its last trade is no break, where it is short."""
        target, final = self._target_of_trades(), self.position.final_or_start
        last = self.spans.spans.last_before(target)
        if self.position.final is None or last is None or self._complete_ms < target * 1000:
            return
        if target - 1 - last <= self.spans.spans.limit:
            covered = self.spans.spans.add(np.array([target - 1]))
            past = [(start, min(end, final)) for start, end in covered if start < final]
            if past:
                self.repair(TAIL_SCHEMA.to_frame(), past)

    def _target(self) -> int:
        """The first second that is not final yet: by the trades, or by the end of klines."""
        return max(self._target_of_trades(), self.position.klines_end)

    def _target_of_trades(self) -> int:
        """The same by the lateness or by a source's end."""
        waited = (self.position.watermark_ms - self._lateness_ms) // 1000
        newest = self.position.watermark_ms // 1000
        ends = (newest - newest % length + length for length in self.bars.lengths.values())
        return max(waited, min(self._complete_ms // 1000, max(ends)))

    def waiting_seconds(self) -> int:
        """Seconds of taken trades that are not final yet, breaks left out."""
        start, target = self.position.final_or_start, self._target()
        return sum(piece.end - piece.start for piece in self.spans.spans.within(start, target))

    @property
    def next_final_ms(self) -> int | None:
        """The watermark with which one more second becomes final; None before the first trade."""
        final = self.position.final
        return None if final is None else (final + 1) * 1000 + self._lateness_ms

    def _hop_end(self, start: int, target: int) -> int:
        """The end of the next hop: breaks cost nothing."""
        rows = sum(len(self.plan.pairs) * self.plan.series / a.length for a in self.analysers)
        hop = max(60, round(min(_BARS / max(1, self.bars.symbols), _ROWS / max(rows, 1e-9))))
        piece = next(self.spans.spans.within(start, target), None)
        if piece is None or piece.start > start + hop:
            return target if piece is None else piece.start
        return min(target, start + hop)

    def reach(self, second: int) -> None:
        """The exchange's klines end at `second`: it is the clock, where no trade is later.

        To be called when all trades have been taken in that there are.
        """
        self.position.klines_end = max(self.position.klines_end, second)
        if self._clock.reach(second * 1000):
            self.position.watermark_ms = self._clock.watermark_ms or 0
            self._wait(self._pending, TAIL_SCHEMA.to_frame())
        if self.position.final is None:
            self.position.final = second
        self.finalise()
        with atomic(self._db):
            self._write_position()
        self.on_commit()

    def _follow(self, trades: pl.DataFrame) -> None:
        symbols = trades["symbol"]
        self._clock.take(trades["time_ms"].to_numpy(), lambda at: symbols[at])
        self.position.watermark_ms = self._clock.watermark_ms or 0

    def _begin(self, trades: pl.DataFrame) -> None:
        """With the first trades that the clock follows."""
        if self.position.final is None and trades.height:
            # Not the oldest trade's second alone: one from a second before it is late only if
            # the watermark says so, whichever of the two came first.
            oldest = trades.select(pl.col("time_ms").min()).item()
            self.position.final = min(oldest // 1000, self._target())

    def _advance(self, end: int) -> None:
        """Makes the seconds up to `end` final, in one transaction with all that follows."""
        start = self.position.final_or_start
        ready = pl.col("time_ms") < end * 1000
        pieces = list(self.spans.spans.within(start, end))
        newest = max(self._target(), (self.hours_due.last() or 0) // 1000)
        with atomic(self._db):
            self.bars.append(self._pending.filter(ready), start, end)
            for analyser in self.analysers:
                if any(piece.begins for piece in pieces):
                    analyser.forget()
                for result in analyser.append(start, end):
                    self.alerts.append(analyser.timeframe, [result])
                    self.status.update(analyser.timeframe, [result], analyser.bars_in_a_row)
                for piece in pieces:
                    self.stationarity.fall_due(analyser.timeframe, piece.start, piece.end, newest)
            self._pending = self._pending.filter(~ready)
            self.position.final = end
            self._write_position()
        self.on_commit()

    def repair(self, late: pl.DataFrame, covered: Sequence[tuple[int, int]] = ()) -> None:
        """Rebuilds bars that trades (symbol, time_ms) of final seconds touch, in one transaction.

        `covered` were in a break until now. The rows that depend on these bars are due then.
        """
        final = self.position.final_or_start
        with atomic(self._db):
            changes = self.bars.repair(late, covered, final)
            for analyser in self.analysers:
                self.mark(analyser, changes)
            self._write_position()
        self.on_commit()

    def build(self, timeframe: str) -> None:
        """Makes the newest bars that are due of a timeframe that was not kept before."""
        with atomic(self._db):
            changes = self.bars_due.make(timeframe)
            for analyser in self.analysers:
                if analyser.timeframe == timeframe:
                    self.mark(analyser, changes)
        self.on_commit()

    def mark(self, analyser: Analyser, changes: Iterable[ChangedBars]) -> None:
        """Rows that depend on changed bars: up to `reach` bars after the last of them."""
        length = analyser.length
        end = self.bars.last_bar(length, self.position.final_or_start) + 1
        analyser.forget()
        for change in changes:
            high = min((change.end - 1) // length + self.plan.reach, end)
            low = change.start // length
            due = DueRows(analyser.timeframe, change.symbol)
            self.rows_due.add(due, low * length, high * length)
            # What its status is taken from: how many bars there are may have changed.
            self.rows_due.add(due, (end - 1) * length, end * length)

    def _write_position(self) -> None:
        self.position.seq = self.read_seq
        write_position(self._db, self.position)
        if self.position.final is not None:
            self.spans.store(self.position.final)


def _seconds(trades: pl.DataFrame) -> Ints:
    return (trades["time_ms"] // 1000).unique().sort().to_numpy()
