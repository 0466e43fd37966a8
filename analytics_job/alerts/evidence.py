"""What the state machine reads of a pair that a rule watches: the rows of its series as one."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics_job.alerts.rows import AlertRows, RowReader
from analytics_job.alerts.rules import WatchedPair
from spreadlake.lake import Lake
from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.series import SeriesKey
from spreadlake.times import timeframe_seconds


@dataclass(frozen=True)
class Evidence:
    """z-scores of (series, rows), NaN where there is none, and where the gates let an event open.

    At each of `times` one of the series has a row at least.
    """

    times: Ints
    zscores: Floats
    allowed: Bools

    def __len__(self) -> int:
        return len(self.times)


class EvidenceReader:
    """Makes evidence of rows, and of those that are stored."""

    def __init__(self, db: sqlite3.Connection, lake: Lake) -> None:
        self._rows = RowReader(db, lake)

    def of(self, watched: WatchedPair, parts: Mapping[int, AlertRows]) -> Evidence:
        """Of rows by lookback, all of the same span of time."""
        every = [parts.get(lookback) for lookback in watched.lookbacks]
        there = [rows.times for rows in every if rows is not None]
        times = there[0] if len(there) == 1 else np.unique(np.concatenate(there))
        zscores = np.full((len(every), len(times)), np.nan)
        allowed = np.zeros(zscores.shape, dtype=np.bool_)
        for number, (key, rows) in enumerate(zip(watched.keys, every, strict=True)):
            if rows is not None:
                at = np.searchsorted(times, rows.times)
                zscores[number, at] = rows.zscores
                allowed[number, at] = self._allowed(watched, key, rows)
        return Evidence(times, zscores, allowed)

    def first_piece(self, watched: WatchedPair, start: int, end: int = 2**62) -> Evidence:
        """Of the first stored rows with start <= time < end; empty only if there are none."""
        found = {key.lookback: self._rows.first_piece(key, start, end) for key in watched.keys}
        parts = {lookback: rows for lookback, rows in found.items() if len(rows)}
        if not parts:
            none = np.empty((len(watched.lookbacks), 0))
            return Evidence(np.empty(0, dtype=np.int64), none, none.astype(np.bool_))
        # Beyond the end of the shortest piece another may have rows that were not read yet.
        last = min(int(rows.times[-1]) for rows in parts.values())
        return self.of(watched, {name: rows.until(last) for name, rows in parts.items()})

    def begin(self, watched: WatchedPair, start: int) -> int | None:
        """Time of the first row from a time on that is stored."""
        rows = self.first_piece(watched, start)
        return int(rows.times[0]) if len(rows) else None

    def next_test(self, key: SeriesKey, after: int) -> int | None:
        """Time of the first ADF test of a series later than `after`."""
        return self._rows.next_test(key.stationarity, after)

    def streaks_before(self, watched: WatchedPair, time: int) -> tuple[int, ...]:
        """Of each series the rows one after another before `time` that count; as many as matter.

        Looks back as far as it takes: rows need not follow one another without a break.
        """
        return tuple(self._streak_before(watched, key, time) for key in watched.keys)

    def _streak_before(self, watched: WatchedPair, key: SeriesKey, time: int) -> int:
        wanted = watched.levels.min_bars - 1
        begin = self._rows.begin(key)
        streak, high, span = 0, time, wanted * timeframe_seconds(key.timeframe)
        while streak < wanted and high > begin:
            low = max(begin, high - span)
            found, unbroken = self._streak_in(watched, key, low, high)
            streak += found
            if not unbroken:
                break
            high, span = low, 2 * span
        return min(streak, wanted)

    def _streak_in(
        self, watched: WatchedPair, key: SeriesKey, low: int, high: int
    ) -> tuple[int, bool]:
        """Rows that count at the end of [low, high), and whether all in it do."""
        streak, unbroken = 0, True
        while len(rows := self._rows.first_piece(key, low, high)):
            beyond = np.abs(rows.zscores) > watched.levels.threshold
            misses = np.flatnonzero(~(beyond & self._allowed(watched, key, rows)))
            if len(misses):
                streak, unbroken = len(rows) - 1 - int(misses[-1]), False
            else:
                streak += len(rows)
            low = int(rows.times[-1]) + 1
        return streak, unbroken

    def _allowed(self, watched: WatchedPair, key: SeriesKey, rows: AlertRows) -> Bools:
        gates = watched.gates
        allowed = np.ones(len(rows), dtype=np.bool_)
        with np.errstate(invalid="ignore"):
            if gates.min_hedge_bars:
                allowed &= rows.hedge_bars >= gates.min_hedge_bars * key.lookback
            if gates.min_correlation is not None:
                allowed &= rows.correlations >= gates.min_correlation
            if gates.min_volume is not None:
                allowed &= rows.volumes >= gates.min_volume
        if gates.max_adf_pvalue is not None:
            allowed &= self._rows.adf_pvalues(key, rows.times) <= gates.max_adf_pvalue
        return allowed
