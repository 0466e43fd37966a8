"""What the alert state machine reads: rows of one series, hot and cold as one, in order of time."""

import sqlite3
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spreadlake.lake import Lake
from spreadlake.lake.analytics.rows import first_rows, last_time, read_rows
from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.pair_rows import PairRows
from spreadlake.series import SeriesKey, StationarityKey

_PIECE = 2_000  # rows read back at a time
_COLUMNS = ("time", "zscore", "correlation", "volume_a", "volume_b", "hedge_bars")


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

    def until(self, last: int) -> "AlertRows":
        """The rows up to the time `last`, and of it."""
        end = int(np.searchsorted(self.times, last, side="right"))
        return AlertRows(
            self.times[:end],
            self.zscores[:end],
            self.correlations[:end],
            self.volumes[:end],
            self.hedge_bars[:end],
        )


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
        self._lake = lake

    def first_piece(self, key: SeriesKey, start: int, end: int = 2**62) -> AlertRows:
        """The first piece of the rows with start <= time < end; empty only if there are none."""
        rows = first_rows(self._db, self._lake, key, _COLUMNS, start, end, _PIECE)
        table = np.array(rows, dtype=np.float64).reshape(-1, len(_COLUMNS))
        times, zscores, correlations, volumes_a, volumes_b, hedge_bars = table.T
        volumes = np.minimum(volumes_a, volumes_b)
        return AlertRows(times.astype(np.int64), zscores, correlations, volumes, hedge_bars)

    def begin(self, key: SeriesKey) -> int:
        """Before this time the series has no rows: the first bar of one of its legs."""
        row = self._db.execute(
            "SELECT MAX(time) FROM first_bars WHERE timeframe = ? AND symbol IN (?, ?)",
            (key.timeframe, *key.legs),
        ).fetchone()
        return 0 if row[0] is None else int(row[0])

    def adf_pvalues(self, key: SeriesKey, times: Ints) -> Floats:
        """The latest ADF p-value known at each time; NaN before the first."""
        if len(times) == 0:
            return np.empty(0)
        first, last = int(times[0]), int(times[-1])
        before = last_time(self._db, self._lake, key.stationarity, first + 1)
        start = first if before is None else before
        columns = ("time", "adf_pvalue")
        tests = read_rows(self._db, self._lake, key.stationarity, columns, start, last + 1)
        known = np.array([time for time, _ in tests])
        values = np.array([np.nan, *(value for _, value in tests)], dtype=np.float64)
        return values[np.searchsorted(known, times, side="right")]

    def next_test(self, key: StationarityKey, after: int) -> int | None:
        """Time of the first test later than `after`."""
        rows = first_rows(self._db, self._lake, key, ["time"], after + 1, 2**62, 1)
        return int(rows[0][0]) if rows else None
