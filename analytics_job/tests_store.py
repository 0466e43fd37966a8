"""Keeps `pair_tests`: what is due is written down with the bars, and computed when there is time.

Tests fall due at whole multiples of `job.tests_interval` of exchange time, at the last bar before
each, so that live and rebuilt tables are the same. The newest are computed first: after a long
stop the screen is right at once, and history fills up behind it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from analytics_job.analyser import PairPlan
from analytics_job.bars import Changed
from spreadlake.lake import Lake
from spreadlake.lake.archive import archived_until, read_rows
from spreadlake.pairs import Pair, parse_pair
from spreadlake.quant.rolling import Floats
from spreadlake.quant.stationarity import PairTests
from spreadlake.times import timeframe_seconds

__all__ = ["DueTest", "TestStore", "closes", "give_up_oldest", "take"]

_COLUMNS = (
    "pair",
    "timeframe",
    "lookback_bars",
    "time",
    *(column.name for column in fields(PairTests)),
)
_INSERT = (
    f"INSERT OR REPLACE INTO pair_tests({', '.join(_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_GIVEN_UP = 50_000  # at a time, so as not to hold up the job


@dataclass(frozen=True)
class DueTest:
    """One row of `pair_tests` to compute, at the bar that opens at `time`."""

    __test__ = False  # not a test of ours, whatever its name

    timeframe: str
    time: int
    pair: str
    lookback: int


class TestStore:
    """What is due, and what came of it; runs inside the caller's transaction."""

    __test__ = False

    def __init__(
        self, db: sqlite3.Connection, plan: PairPlan, lengths: dict[str, int], interval: float
    ) -> None:
        self._db = db
        self._plan = plan
        self._lengths = lengths
        self._interval = max(1, round(interval))
        self._changed: set[DueTest] = set()
        self._changed_before: set[DueTest] = set()

    def fall_due(self, timeframe: str, start: int, end: int) -> None:
        """Writes down the tests at the interval's multiples in (start, end], for every pair."""
        self._due(timeframe, self._plan.pairs, start, end)

    def fall_due_for(self, pair: Pair, timeframe: str, start: int, end: int) -> None:
        """The same for one pair: it is new, and its history is being computed."""
        self._due(timeframe, [pair], start, end)

    def repair(self, timeframe: str, changes: Iterable[Changed], final: int) -> None:
        """Tests whose lookback holds a changed bar fall due again."""
        length = self._lengths[timeframe]
        reach = max(self._plan.lookbacks) * length
        for change in changes:
            pairs = [pair for pair in self._plan.pairs if change.symbol in pair]
            end = min(change.end + reach + length, final)
            self._changed.update(self._due(timeframe, pairs, change.start, end))

    def begin_batch(self) -> None:
        """Closes are about to be read on another thread; `changed_in_batch` counts from here on.

        A change that is being written just now is not among the closes yet: it counts as well.
        """
        self._changed_before, self._changed = self._changed, set()

    @property
    def changed_in_batch(self) -> set[DueTest]:
        """Tests that fell due again since the batch began, or shortly before."""
        return self._changed | self._changed_before

    def put(self, due: DueTest, tests: PairTests) -> None:
        """Stores a result (no row where there were no bars); the test is no longer due."""
        key = (due.pair, due.timeframe, due.lookback, due.time)
        if tests.observations:
            self._db.execute(
                _INSERT,
                (*key, *astuple(tests)),
            )
        self._db.execute(
            "DELETE FROM tests_due "
            "WHERE pair = ? AND timeframe = ? AND lookback_bars = ? AND time = ?",
            key,
        )

    def _due(self, timeframe: str, pairs: Sequence[Pair], start: int, end: int) -> list[DueTest]:
        length, step = self._lengths[timeframe], self._interval
        boundaries = range((start // step + 1) * step, end + 1, step)
        ends = ((boundary, boundary // length * length) for boundary in boundaries)
        # A long bar is tested once, at the first boundary at or after its end.
        times = [bar_end - length for boundary, bar_end in ends if bar_end > boundary - step]
        due = [
            DueTest(timeframe, time, pair.name, lookback)
            for time in times
            for pair in pairs
            for lookback in self._plan.lookbacks
        ]
        self._db.executemany(
            "INSERT OR IGNORE INTO tests_due(timeframe, time, pair, lookback_bars) "
            "VALUES (?, ?, ?, ?)",
            [(one.timeframe, one.time, one.pair, one.lookback) for one in due],
        )
        return due


def take(db: sqlite3.Connection, count: int) -> list[DueTest]:
    """The newest `count` tests that are due."""
    rows = db.execute(
        "SELECT timeframe, time, pair, lookback_bars FROM tests_due ORDER BY time DESC LIMIT ?",
        (count,),
    )
    return [DueTest(*row) for row in rows]


def give_up_oldest(db: sqlite3.Connection, most: int) -> int:
    """Forgets tests that have been due longest where more than `most` are; returns how many."""
    count = db.execute("SELECT COUNT(*) FROM tests_due").fetchone()[0]
    key = "time, timeframe, pair, lookback_bars"
    return db.execute(
        f"DELETE FROM tests_due WHERE ({key}) IN "
        f"(SELECT {key} FROM tests_due ORDER BY {key} LIMIT ?)",
        (max(0, min(count - most, _GIVEN_UP)),),
    ).rowcount


def closes(db: sqlite3.Connection, lake: Lake, due: DueTest) -> tuple[Floats, Floats]:
    """The closes of both legs over the test's lookback, as many as both have, hot and cold."""
    pair = parse_pair(due.pair)
    a, b = (_leg(db, lake, symbol, due) for symbol in pair)
    n = min(len(a), len(b))
    return a[len(a) - n :], b[len(b) - n :]


def _leg(db: sqlite3.Connection, lake: Lake, symbol: str, due: DueTest) -> Floats:
    start = due.time - (due.lookback - 1) * timeframe_seconds(due.timeframe)
    rows = db.execute(
        "SELECT close FROM bars WHERE symbol = ? AND timeframe = ? AND time >= ? AND time <= ? "
        "ORDER BY time",
        (symbol, due.timeframe, start, due.time),
    ).fetchall()
    if len(rows) < due.lookback and start < archived_until(db, due.timeframe):
        series = [("symbol", symbol), ("timeframe", due.timeframe)]
        return read_rows(db, lake, "bars", series, start, due.time + 1)["close"].to_numpy()
    return np.array([row[0] for row in rows], dtype=np.float64)
