"""What the alert state machine reads: rows of one series, hot and cold as one, in order of time."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics_job.alerts.archived_rows import RowArchive, TestKey
from spreadlake.lake import Lake
from spreadlake.quant.pair_rows import PairRows
from spreadlake.quant.rolling import Floats, Ints

Key = tuple[str, str, int, int]  # pair, timeframe, window_bars, lookback_bars

SERIES = "pair = ? AND timeframe = ? AND window_bars = ? AND lookback_bars = ?"
_PIECE = 2_000  # rows read back at a time


@dataclass(frozen=True)
class AlertRows:
    """Rows of one series; `volumes` is the smaller of the two legs'. NaN is no number."""

    times: Ints
    zscores: Floats
    correlations: Floats
    volumes: Floats
    hedge_bars: Floats

    def __len__(self) -> int:
        return len(self.times)


def rows_of(result: PairRows, index: int, times: Ints, kept: NDArray[np.bool_]) -> AlertRows:
    """The rows of pair number `index` where `kept`, straight from what was computed."""
    numbers = result.numbers
    return AlertRows(
        times[kept],
        numbers["zscore"][index][kept],
        numbers["correlation"][index][kept],
        np.minimum(numbers["volume_a"][index], numbers["volume_b"][index])[kept],
        numbers["hedge_bars"][index][kept],
    )


class RowReader:
    """Reads stored rows and p-values back."""

    def __init__(self, db: sqlite3.Connection, lake: Lake) -> None:
        self._db = db
        self._archive = RowArchive(db, lake)

    def first_piece(self, key: Key, start: int, end: int = 2**62) -> AlertRows:
        """The first piece of the rows with start <= time < end; empty only if there are none."""
        archived = self._archive.archived_until(key[1])
        if start < archived:
            rows = self._archive.first_archived(key, start, min(end, archived))
            if rows:
                return _as_rows(rows)
        rows = self._db.execute(
            "SELECT time, zscore, correlation, min(volume_a, volume_b), hedge_bars "
            f"FROM pair_analytics WHERE {SERIES} AND time >= ? AND time < ? ORDER BY time LIMIT ?",
            (*key, max(start, archived), end, _PIECE),
        ).fetchall()
        return _as_rows(rows)

    def begin(self, key: Key) -> int:
        """Before this time the series has no rows."""
        return self._archive.first_bar(key[0], key[1])

    def adf_pvalues(self, key: Key, times: Ints) -> Floats:
        """The latest ADF p-value known at each time; NaN before the first."""
        if len(times) == 0:
            return np.empty(0)
        pair, timeframe, _, lookback = key
        tests = self._tests((pair, timeframe, lookback), int(times[0]), int(times[-1]))
        known = np.array([test[0] for test in tests])
        values = [np.nan, *(np.nan if test[1] is None else test[1] for test in tests)]
        return np.asarray(np.array(values)[np.searchsorted(known, times, side="right")])

    def next_test(self, key: TestKey, after: int) -> int | None:
        """Time of the first test later than `after`."""
        archived = self._archive.next_test(key, after)
        if archived is not None:
            return archived
        row = self._db.execute(
            "SELECT MIN(time) FROM pair_tests "
            "WHERE pair = ? AND timeframe = ? AND lookback_bars = ? AND time > ?",
            (*key, after),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def _tests(self, key: TestKey, first: int, last: int) -> Sequence[tuple[int, float | None]]:
        """(time, ADF p-value) up to `last`, from the latest test at or before `first` on."""
        tests = self._db.execute(
            "SELECT time, adf_pvalue FROM pair_tests WHERE pair = ?1 AND timeframe = ?2 "
            "AND lookback_bars = ?3 AND time <= ?4 AND time >= coalesce((SELECT MAX(time) "
            "FROM pair_tests WHERE pair = ?1 AND timeframe = ?2 AND lookback_bars = ?3 "
            "AND time <= ?5), 0) ORDER BY time",
            (*key, last, first),
        ).fetchall()
        archived = self._archive.archived_until(key[1])
        if not archived or (tests and archived <= tests[0][0] <= first):
            return tests
        return self._archive.tests(key, first, last)


def _as_rows(rows: Sequence[Sequence[object]]) -> AlertRows:
    table = np.array(rows, dtype=np.float64).reshape(-1, 5)
    return AlertRows(table[:, 0].astype(np.int64), table[:, 1], *table.T[2:])
