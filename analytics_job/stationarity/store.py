"""Keeps `pair_tests`: what is due is written down with the bars, and computed when there is time.

Which bars are tested is a matter of exchange time alone (`spreadlake.quant.stationarity_schedule`).
The newest are computed first: after a long stop the screen is right at once, and history fills up
behind it. What is still due when it grows old is thinned out to history's coarser step, except for
what gates alerts: these open at the same bar live and rebuilt. So a table that was filled live and
one that was rebuilt agree in every row that both have; live has more of them.
"""

import logging
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial

from analytics_job.pairs.plan import PairPlan
from spreadlake.lake import Lake, add_counters
from spreadlake.lake.analytics.rows import read_rows
from spreadlake.pairs import Pair
from spreadlake.quant.stationarity import Stationarity
from spreadlake.quant.stationarity_schedule import RECENT_SECONDS, WEEK_SECONDS, Schedule
from spreadlake.series import PAIR_TESTS, Prices, StationarityKey, stored_prices

log = logging.getLogger(__name__)

_MOST_DUE = 200_000  # tests that may wait, some 20 MB
_COLUMNS = (*PAIR_TESTS.key, "time", *(column.name for column in fields(Stationarity)), "prices")
_INSERT = (
    f"INSERT OR REPLACE INTO pair_tests({', '.join(_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)
_GIVEN_UP = 50_000  # at a time, so as not to hold up the job
_KEY = "time, timeframe, pair, lookback_bars"


@dataclass(frozen=True)
class DueTest:
    """One row of `pair_tests` to compute, at the bar that opens at `time`."""

    timeframe: str
    time: int
    pair: str
    lookback: int

    @property
    def key(self) -> StationarityKey:
        """Its series."""
        return StationarityKey(self.pair, self.timeframe, self.lookback)


class StationarityStore:
    """What is due, and what came of it; runs inside the caller's transaction."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lake: Lake,
        plan: PairPlan,
        lengths: dict[str, int],
        interval: float,
        gating: Collection[StationarityKey] = (),
    ) -> None:
        """`gating` are the series whose tests decide whether an alert opens: all are kept."""
        self._db = db
        self._lake = lake
        self._plan = plan
        self._lengths = lengths
        self._schedule = Schedule(max(1, round(interval)))
        self._gating = frozenset(gating)
        self._thinned: dict[tuple[str, int], int] = {}
        self._changed: set[DueTest] = set()
        self._changed_before: set[DueTest] = set()
        self._count = int(db.execute("SELECT COUNT(*) FROM tests_due").fetchone()[0])
        boundary = len(plan.pairs) * len(plan.lookbacks) * len(lengths)
        self._most = max(_MOST_DUE, 2 * boundary)

    @property
    def prices(self) -> Prices:
        """What the tests are computed on."""
        return self._plan.prices

    @property
    def count(self) -> int:
        """How many are due."""
        return self._count

    def fall_due(self, timeframe: str, start: int, end: int, newest: int) -> None:
        """Writes down the tests at the boundaries in (start, end], for every pair.

        `newest` is how far bars reach or are about to: what is old beside it is thinned out.
        """
        self._due(timeframe, self._plan.pairs, start, end, newest)
        self._thin(timeframe, max(end, newest))
        self._bound()

    def changed(
        self, timeframe: str, pairs: Sequence[Pair], start: int, end: int, final: int
    ) -> None:
        """Tests at the boundaries in (start, end] fall due again: bars changed or pairs are new."""
        self._changed.update(self._due(timeframe, pairs, start, end, final))
        self._changed.update(self._due_again(timeframe, pairs, start, end))
        self._bound()

    def give_up(self, keys: Collection[StationarityKey]) -> None:
        """Nothing is due any more of these series."""
        if keys:
            rows = self._db.execute("SELECT timeframe, time, pair, lookback_bars FROM tests_due")
            due = [DueTest(*row) for row in rows.fetchall()]
            self._forget(one for one in due if one.key in keys)

    def begin_batch(self) -> None:
        """Closes are about to be read on another thread; `changed_in_batch` counts from here on.

        A change that is being written just now is not among the closes yet: it counts as well.
        """
        self._changed_before, self._changed = self._changed, set()

    @property
    def changed_in_batch(self) -> set[DueTest]:
        """Tests that fell due again since the batch began, or shortly before."""
        return self._changed | self._changed_before

    def put(self, due: DueTest, tests: Stationarity) -> None:
        """Stores a result (no row where there were no bars); the test is no longer due."""
        if tests.observations:
            prices = stored_prices(self.prices)
            self._db.execute(_INSERT, (*due.key, due.time, *astuple(tests), prices))
        self._forget([due])

    def _due(
        self, timeframe: str, pairs: Sequence[Pair], start: int, end: int, newest: int
    ) -> list[DueTest]:
        times = partial(self._schedule.times, self._lengths[timeframe], start, end, newest)
        kept = times(every=False)
        everything = times(every=True) if self._gating else kept
        due = [
            DueTest(timeframe, time, pair.name, lookback)
            for pair in pairs
            for lookback in self._plan.lookbacks
            for time in (everything if (pair.name, timeframe, lookback) in self._gating else kept)
        ]
        self._insert(due)
        return due

    def _due_again(
        self, timeframe: str, pairs: Sequence[Pair], start: int, end: int
    ) -> list[DueTest]:
        """What was computed once is computed again, whatever its age, hot or in Parquet."""
        low = start - self._lengths[timeframe] + 1
        keys = [
            StationarityKey(pair.name, timeframe, lookback)
            for pair in pairs
            for lookback in self._plan.lookbacks
        ]
        due = [
            DueTest(timeframe, time, key.pair, key.lookback)
            for key in keys
            for (time,) in read_rows(self._db, self._lake, key, ["time"], low, end)
        ]
        self._insert(due)
        return due

    def _insert(self, due: Sequence[DueTest]) -> None:
        self._count += self._db.executemany(
            "INSERT OR IGNORE INTO tests_due(timeframe, time, pair, lookback_bars) "
            "VALUES (?, ?, ?, ?)",
            [astuple(one) for one in due],
        ).rowcount

    def _thin(self, timeframe: str, newest: int) -> None:
        """Forgets what is due, has grown old since, and is not at history's coarser step."""
        for age in (RECENT_SECONDS, WEEK_SECONDS):
            length = self._lengths[timeframe]
            low, high = self._thinned.get((timeframe, age), 0), newest - age - length
            if low >= high:
                continue
            self._thinned[timeframe, age] = high
            # What has a row already is due again because its bars changed.
            rows = self._db.execute(
                "SELECT timeframe, time, pair, lookback_bars FROM tests_due AS due "
                "WHERE timeframe = ? AND time >= ? AND time < ? AND NOT EXISTS ("
                "SELECT 1 FROM pair_tests AS t WHERE t.pair = due.pair AND t.time = due.time "
                "AND t.timeframe = due.timeframe AND t.lookback_bars = due.lookback_bars)",
                (timeframe, low, high),
            ).fetchall()
            self._forget(
                one
                for one in (DueTest(*row) for row in rows)
                if not self._schedule.keeps(one.time + length, length, newest)
                and one.key not in self._gating
            )

    def _forget(self, due: Iterable[DueTest]) -> None:
        self._count -= self._db.executemany(
            "DELETE FROM tests_due "
            "WHERE timeframe = ? AND time = ? AND pair = ? AND lookback_bars = ?",
            [astuple(one) for one in due],
        ).rowcount

    def _bound(self) -> None:
        """Gives up what has been due longest where more waits than may."""
        given_up = 0
        while self._count > self._most:
            excess = min(self._count - self._most, _GIVEN_UP)
            given_up += self._db.execute(
                f"DELETE FROM tests_due WHERE ({_KEY}) IN "
                f"(SELECT {_KEY} FROM tests_due ORDER BY {_KEY} LIMIT ?)",
                (excess,),
            ).rowcount
            self._count -= excess
        if given_up:
            add_counters(self._db, {("tests_given_up", ""): given_up})
            log.warning(
                "gave up the %d slow statistics that were due longest: they fall due faster than "
                "they are computed; see job.tests_interval",
                given_up,
            )


def newest_due(db: sqlite3.Connection, count: int) -> list[DueTest]:
    """The newest `count` tests that are due."""
    rows = db.execute(
        "SELECT timeframe, time, pair, lookback_bars FROM tests_due ORDER BY time DESC LIMIT ?",
        (count,),
    )
    return [DueTest(*row) for row in rows]
