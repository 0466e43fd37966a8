"""One step of the job: trades in, then bars, pair analytics, status and alerts, all or nothing.

The clock is the watermark, the greatest trade time seen that can be believed. All seconds before
`final` are final; trades of later seconds wait in memory, and `seq` in `progress` is the last
sequence number before the first of them, so that a restart reads them again. Trades from too far
ahead wait in the lake.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from analytics_job.ahead import AheadTrades
from analytics_job.alert_store import AlertStore
from analytics_job.analyser import Analyser
from analytics_job.bars import BarStore
from analytics_job.feed import FEED_SCHEMA
from analytics_job.plan import pair_plan, watched_series
from analytics_job.status_store import StatusStore
from analytics_job.tests_store import TestStore
from spreadlake.config import Settings
from spreadlake.lake import Lake, add_counters, atomic
from spreadlake.lake.ends import SourceEnd
from spreadlake.quant.pair_rows import PairRows
from spreadlake.trade_clock import TradeClock

__all__ = ["Pipeline", "Progress"]

# Seconds that become final in one transaction while catching up, to bound memory.
_HOP = 1_800


@dataclass
class Progress:
    """Where the pipeline stands; `final` is None before the first trade."""

    seq: int = 0
    watermark_ms: int = 0
    final: int | None = None

    @property
    def final_or_start(self) -> int:
        """`final`, or 0 before the first trade: no second is final then."""
        return 0 if self.final is None else self.final


class Pipeline:
    """Takes in trades and keeps every table of `analytics.db` true to them."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lake: Lake,
        settings: Settings,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_commit` is called after each transaction: a long catch-up shows that it goes on."""
        self._db = db
        self._on_commit = on_commit
        self._lateness_ms = round(settings.job.lateness * 1000)
        plan = pair_plan(settings)
        with atomic(db):
            self.bars = BarStore(db, lake, settings.timeframes)
            self.alerts = AlertStore(db, lake, watched_series(settings))
            keys = [(s.pair.name, s.timeframe, s.window, s.lookback) for s in settings.series]
            self.status = StatusStore(db, keys, settings.max_stale_bars)
        interval = settings.job.tests_interval
        self.tests = TestStore(db, lake, plan, self.bars.lengths, interval, self.alerts.gating)
        self.analysers = [Analyser(db, self.bars, name, plan) for name in settings.timeframes]
        self.progress = _read_progress(db)
        self._complete_ms = 0
        self.read_seq = self.progress.seq
        self.done_seq = self.progress.seq  # all up to here are in the tables, or wait for theirs
        self.expected = 0  # second beyond which there are known to be trades
        self._clock = TradeClock(self.progress.watermark_ms or None)
        self._ahead = AheadTrades(lake)
        if self.progress.final is not None:
            self._ahead.recall(self.progress.final * 1000, self.progress.seq)
        self._pending = FEED_SCHEMA.to_frame()
        self._klines: pl.DataFrame | None = None  # those that no bars were made of yet

    def ingest(self, trades: pl.DataFrame, seq: int) -> None:
        """Takes in new trades (FEED_SCHEMA); all trades up to `seq` have then been given."""
        self.read_seq = seq
        if trades.height:
            self._take(trades)
        self.done_seq = seq

    def _take(self, trades: pl.DataFrame) -> None:
        self._complete_ms = 0  # until the end of their source is known
        # Those of an hour that was rolled come with one sequence number.
        self._follow(trades.sort("seq", "time_ms"))
        late = self._late(trades)
        self._wait(pl.concat([self._pending, self._not_late(trades)]))
        if late.height:
            self.repair(late, count=late.height)
        self.finalise()

    def _wait(self, pending: pl.DataFrame) -> None:
        if self._clock.watermark_ms is not None:
            pending = self._ahead.apart(pending, self._clock.watermark_ms)
            self._begin(pending)
        # A trade that waits is given again if its hour rolls away in the meantime.
        self._pending = pending.unique(["symbol", "trade_id"], keep="first", maintain_order=True)

    def finalise(self) -> None:
        """Makes every second final that the watermark has passed by the lateness."""
        if self.progress.final is None:
            return
        target = self._target()
        while self.progress.final < target:
            self._advance(min(target, self.progress.final + _HOP))
        if self._klines is not None:
            self._write_klines(self._klines)

    def finish(self, end: SourceEnd) -> None:
        """Makes final what can be: by the watermark, and where a source has ended by its end.

        The bars that hold its newest trade are then final, as far as the source covers their
        spans; a trade that came since takes that back, and nothing is final before its time.
        """
        self._complete_ms = end.until_ms if self.read_seq == end.seq else 0
        if self._clock.bear_out(self._complete_ms):
            self.progress.watermark_ms = self._clock.watermark_ms or 0
            self._wait(self._pending)
        self.finalise()

    def _target(self) -> int:
        """The first second that is not final yet, by the lateness or by a source's end."""
        waited = (self.progress.watermark_ms - self._lateness_ms) // 1000
        newest = self.progress.watermark_ms // 1000
        ends = (newest - newest % length + length for length in self.bars.lengths.values())
        return max(waited, min(self._complete_ms // 1000, max(ends)))

    @property
    def next_final_ms(self) -> int | None:
        """The watermark with which one more second becomes final; None before the first trade."""
        final = self.progress.final
        return None if final is None else (final + 1) * 1000 + self._lateness_ms

    def take_klines(self, klines: pl.DataFrame) -> None:
        """Klines to use as bars for the time before each symbol's first own bar."""
        self._klines = klines
        self.finalise()

    def _follow(self, trades: pl.DataFrame) -> None:
        symbols = trades["symbol"]
        self._clock.take(trades["time_ms"].to_numpy(), lambda at: symbols[at])
        self.progress.watermark_ms = self._clock.watermark_ms or 0

    def _begin(self, trades: pl.DataFrame) -> None:
        """With the first trades that the clock follows."""
        if self.progress.final is None and trades.height:
            # Not the oldest trade's second alone: one from a second before it is late only if
            # the watermark says so, whichever of the two came first.
            oldest = trades.select(pl.col("time_ms").min()).item()
            self.progress.final = min(oldest // 1000, self._target())

    def _late(self, trades: pl.DataFrame) -> pl.DataFrame:
        return trades.filter(pl.col("time_ms") < self.progress.final_or_start * 1000)

    def _not_late(self, trades: pl.DataFrame) -> pl.DataFrame:
        return trades.filter(pl.col("time_ms") >= self.progress.final_or_start * 1000)

    def _advance(self, end: int) -> None:
        """Makes the seconds up to `end` final, in one transaction with all that follows."""
        start = self.progress.final_or_start
        ready = pl.col("time_ms") < end * 1000
        newest = max(self._target(), self.expected)
        with atomic(self._db):
            self.bars.append(self._pending.filter(ready), start, end)
            for analyser in self.analysers:
                for result in analyser.append(start, end):
                    self.alerts.append(analyser.timeframe, [result])
                    self.status.update(analyser.timeframe, [result])
                self.tests.fall_due(analyser.timeframe, start, end, newest)
            self._pending = self._pending.filter(~ready)
            self.progress.final = end
            self._write_progress()
        self._on_commit()

    def repair(self, late: pl.DataFrame, count: int = 0) -> None:
        """Rebuilds what trades (symbol, time_ms) of final seconds touch, in one transaction.

        `count` of them are new.
        """
        final = self.progress.final_or_start
        with atomic(self._db):
            changes = self.bars.repair(late, final)
            for analyser in self.analysers:
                for results in analyser.repair(changes, final):
                    self._follow_repair(analyser, results)
                self.tests.repair(analyser.timeframe, changes, final)
            add_counters(self._db, {("late_trades", ""): count})
            self._write_progress()
        self._on_commit()

    def _write_klines(self, klines: pl.DataFrame) -> None:
        """Bars of the symbols whose first own bar is there; the others wait for theirs."""
        firsts = self.bars.first_bars("1s")
        ready = klines.filter(pl.col("symbol").is_in(list(firsts)))
        if ready.is_empty():
            return
        with atomic(self._db):
            for analyser in self.analysers:
                changes = self.bars.write_klines(analyser.timeframe, ready)
                for results in analyser.repair(changes, self.progress.final_or_start):
                    self._follow_repair(analyser, results)
                self.tests.repair(analyser.timeframe, changes, self.progress.final_or_start)
        rest = klines.filter(~pl.col("symbol").is_in(list(firsts)))
        self._klines = None if rest.is_empty() else rest

    def _follow_repair(self, analyser: Analyser, results: tuple[PairRows, ...]) -> None:
        for result in results:
            low, rows = result.start * result.length, result.have.shape[1]
            for pair in result.pairs:
                key = (pair.name, analyser.timeframe, result.window, result.lookback)
                self.alerts.repair(key, low, low + rows * result.length)
        last = analyser.bar_number(self.progress.final_or_start)
        self.status.update(
            analyser.timeframe, (r for r in results if r.start + r.have.shape[1] == last)
        )

    def _write_progress(self) -> None:
        waiting = self._pending["seq"].min()
        seq = self.read_seq if waiting is None else min(self.read_seq, int(str(waiting)) - 1)
        self.progress.seq = seq
        values = {
            "seq": seq,
            "watermark_ms": self.progress.watermark_ms,
            "final_time": self.progress.final,
        }
        self._db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", values.items())


def _read_progress(db: sqlite3.Connection) -> Progress:
    stored = dict(db.execute("SELECT key, value FROM progress").fetchall())
    return Progress(stored.get("seq", 0), stored.get("watermark_ms", 0), stored.get("final_time"))
