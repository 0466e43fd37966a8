"""What is not new: hours that were imported, and rows whose bars changed. In hops, oldest first.

Bars of an hour, then the rows before the next hour that is due: one way through time, so that
each row is computed once, and new trades can be taken in between any two hops.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import polars as pl

from analytics_job.bars.spans import merge_ranges
from analytics_job.heartbeat import WorkReporter
from analytics_job.history.rollups import OldRows
from analytics_job.history.rules import RulesDue
from analytics_job.pairs.analyser import Analyser
from analytics_job.pairs.plan import PairPlan
from analytics_job.pipeline import Pipeline
from analytics_job.ticks.backlog import DueHour, read_hours
from spreadlake.config.storing import StorageSettings
from spreadlake.errors import DamagedFileError
from spreadlake.lake import Lake, atomic
from spreadlake.pairs import Pair
from spreadlake.quant.pair_rows import PairRows
from spreadlake.quant.rollups import SPAN_BARS
from spreadlake.series import SeriesKey
from spreadlake.times import iso_utc
from spreadlake.words import count
from spreadlake.work import Work

log = logging.getLogger(__name__)

# Its stages, as people are told.
NEW_BARS = "bars of new timeframes"
BARS = "bars, pair analytics and alerts"
ROWS = "pair analytics and alerts again"
OLD_EVENTS = "running rules over older pair analytics"
OLD_ROWS = "rolling up older pair analytics"

_TRADES = 100_000  # taken in at a time where nothing else waits
_ROWS = 40_000  # of pair analytics, in one transaction
_LIVE_ROWS = 10_000  # the same while live trades wait
Ranges = tuple[tuple[int, int], ...]
Series = tuple[Pair, int, int]  # its window and lookback


class History:
    """Does what is due, a hop at a time."""

    def __init__(
        self, db: sqlite3.Connection, lake: Lake, pipeline: Pipeline, storage: StorageSettings
    ) -> None:
        self._db = db
        self._lake = lake
        self._pipeline = pipeline
        # What nothing else waits for, and which does a piece of it.
        self._at_leisure = {
            OLD_EVENTS: RulesDue(db, pipeline.alerts, storage.alert_days).run_piece,
            OLD_ROWS: OldRows(db, lake, storage.analytics_hours).roll_piece,
        }
        self._given_up: set[str] = set()
        self._stage = ""
        self._taking = 0  # hours that are just being taken in

    def work(self, seconds: float | None = None) -> bool:
        """Works for about so long (None: to the end); whether there is more to do."""
        end = None if seconds is None else time.monotonic() + seconds
        while self._hop(live=end is not None):
            if end is not None and time.monotonic() >= end:
                return True
        for stage, do_piece in self._at_leisure.items():
            while self._was_done(stage, do_piece):
                if end is not None:
                    return False
                self._enter(stage)
                self._pipeline.on_commit()
        self._enter("")
        return False

    def _was_done(self, stage: str, do_piece: Callable[[], bool]) -> bool:
        """A file that cannot be read now holds nothing else up."""
        try:
            return stage not in self._given_up and do_piece()
        except DamagedFileError as error:
            if error.for_good:
                raise
            log.warning("%s: %s goes on after the next start", error.reason, stage)
            self._given_up.add(stage)
            return False

    def newest(self) -> None:
        """The newest row of what is due, so that its status is known at once."""
        for analyser in self._pipeline.analysers:
            final = self._pipeline.position.final_or_start
            last = self._pipeline.bars.last_bar(analyser.length, final)
            with atomic(self._db):
                for plan, _ in list(self._wanted(analyser, last, last + 1)):
                    for result in analyser.compute_again(plan, last, last + 1, 0):
                        self._pipeline.status.update(
                            analyser.timeframe, [result], analyser.bars_in_a_row
                        )

    def tell(self, reporter: WorkReporter, *, taking: bool = False) -> None:
        """Says what is being done, and what is left of it; `taking`: new trades are taken in."""
        stage = self._stage or (BARS if taking else "")
        if not stage:
            reporter.forget()
        elif reporter.is_due(stage):
            reporter.take(self._work(stage))

    def _work(self, stage: str) -> Work:
        pipeline = self._pipeline
        names = " and ".join(a.timeframe for a in pipeline.analysers)
        pairs = f"{names}, {count(len(pipeline.plan.pairs), 'pair')}"
        if stage == NEW_BARS:
            names = " and ".join(pipeline.bars_due.timeframes())
            return Work(stage, "hour", pipeline.bars_due.seconds() / 3600, names)
        if stage in self._at_leisure:
            return Work(stage, "piece", None)
        if stage == ROWS:
            if (due := pipeline.rows_due.first()) is None:  # the last ones were just computed
                return Work(stage, "row", self._rows_left(), pairs)
            start, timeframe = due
            at = f"{timeframe}, {count(len(pipeline.plan.pairs), 'pair')}, from {iso_utc(start)}"
            return Work(stage, "row", self._rows_left(), at)
        # Those that are just being taken in wait for their seconds to become final.
        hours = max(0, pipeline.hours_due.count() - self._taking)
        final = pipeline.position.final
        at = pairs if final is None else f"{pairs}, up to {iso_utc(final)}"
        return Work(stage, "hour", hours + pipeline.waiting_seconds() / 3600, at)

    def _rows_left(self) -> int:
        left = 0
        for analyser in self._pipeline.analysers:
            final = self._pipeline.position.final_or_start
            last = self._pipeline.bars.last_bar(analyser.length, final)
            for plan, ranges in self._wanted(analyser, 0, last + 1):
                bars = sum(end - begin for begin, end in ranges)
                left += len(plan.pairs) * plan.series * bars
        return left

    def _hop(self, *, live: bool) -> bool:
        timeframe, hour = self._pipeline.bars_due.first(), self._pipeline.hours_due.first()
        if timeframe is not None:
            self._enter(NEW_BARS)
            self._pipeline.build(timeframe)
        elif self._compute_rows(None if hour is None else hour // 1000, live=live):
            return True
        elif hour is not None:
            self._take_hours(1 if live else _TRADES)
        else:
            self._enter("")
            return False
        return True

    def _enter(self, stage: str) -> None:
        """Says so where another stage begins; in no transaction."""
        if stage != self._stage:
            self._stage = stage
            self._pipeline.on_commit()

    def _take_hours(self, most: int) -> None:
        """At least one hour, and more of them up to `most` trades."""
        due: list[DueHour] = []
        frames: list[pl.DataFrame] = []
        for hours in self._pipeline.hours_due.by_hour():
            due += hours
            frames.append(read_hours(self._lake, hours))
            if sum(frame.height for frame in frames) >= most:
                break
        self._enter(BARS)
        self._taking = len({one.hour_ms for one in due})
        try:
            self._pipeline.take_hours(due, pl.concat(frames))
        finally:
            self._taking = 0

    def _compute_rows(self, limit: int | None, *, live: bool) -> bool:
        """One hop of rows whose bars end before the second `limit`; False if there are none."""
        for start, timeframe in self._pipeline.rows_due.firsts():
            found = [a for a in self._pipeline.analysers if a.timeframe == timeframe]
            if not found:
                with atomic(self._db):
                    self._pipeline.rows_due.done(timeframe, 2**62)
                return True
            low = start // found[0].length
            most = _LIVE_ROWS if live else _ROWS
            high = low + max(1, most // max(1, len(found[0].plan.pairs) * found[0].plan.series))
            if high // SPAN_BARS * SPAN_BARS > low:
                high = high // SPAN_BARS * SPAN_BARS  # a span that is rolled up is not cut
            if limit is not None:
                high = min(high, limit // found[0].length)
            if low < high:
                self._enter(ROWS)
                self._compute(found[0], low, high)
                return True
        return False

    def _compute(self, analyser: Analyser, low: int, high: int) -> None:
        pipeline, length = self._pipeline, analyser.length
        final = pipeline.position.final_or_start
        last = pipeline.bars.last_bar(length, final)
        going_on = self._going_on(analyser, high)
        with atomic(self._db):
            for plan, ranges in self._wanted(analyser, low, high):
                cut = going_on.issuperset(_series_of(plan))
                for begin, end in ranges:
                    stop = min(end, last + 1)
                    until = (
                        high // SPAN_BARS * SPAN_BARS * length if cut and stop == high else final
                    )
                    results = list(analyser.compute_again(plan, begin, stop, min(until, final)))
                    self._follow(analyser, results, last)
                    if begin < stop:  # a bar is tested at a boundary before the next one ends
                        first = (begin + 1) * length - 1
                        until = min((stop + 1) * length - 1, final)
                        tests = pipeline.stationarity
                        tests.changed(analyser.timeframe, plan.pairs, first, until, final)
            pipeline.rows_due.done(analyser.timeframe, high * length)
        pipeline.on_commit()

    def _going_on(self, analyser: Analyser, high: int) -> frozenset[Series]:
        """Series of which rows at the bar `high` are due, where a span that is rolled up holds it.

        They are computed in the next hop.
        """
        plans = [] if high % SPAN_BARS == 0 else self._wanted(analyser, high, high + 1)
        return frozenset(one for plan, _ in plans for one in _series_of(plan))

    def _wanted(self, analyser: Analyser, low: int, high: int) -> Iterator[tuple[PairPlan, Ranges]]:
        """What is due at the bars [low, high): pairs, windows and lookbacks, and which bars."""
        length, plan = analyser.length, analyser.plan
        named: dict[str, list[tuple[int, int, int, int]]] = {}
        due = self._pipeline.rows_due.within(analyser.timeframe, low * length, high * length)
        for one, start, end in due:
            row = (start // length, -(-end // length), one.window, one.lookback)
            named.setdefault(one.name, []).append(row)
        groups: dict[tuple[Ranges, tuple[int, ...], tuple[int, ...]], list[Pair]] = {}
        for pair in plan.pairs:
            rows = [row for name in ("", pair.name, *pair) for row in named.get(name, ())]
            if rows:
                groups.setdefault(_merged(rows, plan), []).append(pair)
        for (ranges, windows, lookbacks), pairs in groups.items():
            part = replace(plan, pairs=tuple(pairs), windows=windows, lookbacks=lookbacks)
            yield part, ranges

    def _follow(self, analyser: Analyser, results: list[PairRows], last: int) -> None:
        for result in results:
            low, rows = result.start * result.length, result.have.shape[1]
            for pair in result.pairs:
                key = SeriesKey(pair.name, analyser.timeframe, result.window, result.lookback)
                self._pipeline.alerts.repair(key, low, low + rows * result.length)
            if result.start + rows == last + 1:
                self._pipeline.status.update(analyser.timeframe, [result], analyser.bars_in_a_row)


def _series_of(plan: PairPlan) -> Iterator[Series]:
    return product(plan.pairs, plan.windows, plan.lookbacks)


def _merged(
    rows: list[tuple[int, int, int, int]], plan: PairPlan
) -> tuple[Ranges, tuple[int, ...], tuple[int, ...]]:
    """Ranges that overlap or touch as one; the windows and lookbacks, where 0 means all of them."""
    windows, lookbacks = {row[2] for row in rows}, {row[3] for row in rows}
    return (
        tuple(merge_ranges((low, high) for low, high, *_ in rows)),
        plan.windows if 0 in windows else tuple(w for w in plan.windows if w in windows),
        plan.lookbacks if 0 in lookbacks else tuple(k for k in plan.lookbacks if k in lookbacks),
    )
