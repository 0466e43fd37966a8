"""Keeps `kline_runs`: of which time there are klines of each symbol, in runs without a break."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from analytics_job.bars.spans import merge_ranges


class KlineRuns:
    """Runs [start, end) of a symbol's klines; writes inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, limit: int) -> None:
        """`limit`: seconds that may be missing within a run."""
        self._db = db
        self._limit = limit
        self._runs: dict[str, list[tuple[int, int]]] = {}
        rows = db.execute('SELECT symbol, "start", "end" FROM kline_runs ORDER BY symbol, "start"')
        for symbol, start, end in rows.fetchall():
            self._runs.setdefault(symbol, []).append((start, end))
        self._end = max((runs[-1][1] for runs in self._runs.values()), default=0)

    @property
    def end(self) -> int:
        """The end of the last kline of all; 0 without any."""
        return self._end

    def of(self, symbol: str) -> list[tuple[int, int]]:
        """A symbol's runs, in order."""
        return self._runs.get(symbol, [])

    def ends(self) -> Iterator[tuple[str, int]]:
        """Where each run of each symbol ends."""
        return ((symbol, end) for symbol, runs in self._runs.items() for _, end in runs)

    def add(self, symbol: str, found: Iterable[tuple[int, int]]) -> None:
        """Takes in ranges [start, end) of a symbol's klines."""
        before = self.of(symbol)
        merged = merge_ranges([*before, *found], self._limit)
        if merged == before:
            return
        gone, new = set(before) - set(merged), set(merged) - set(before)
        self._db.executemany(
            'DELETE FROM kline_runs WHERE symbol = ? AND "start" = ?',
            [(symbol, start) for start, _ in gone],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO kline_runs VALUES (?, ?, ?)", [(symbol, *run) for run in new]
        )
        self._runs[symbol] = merged
        self._end = max(self._end, merged[-1][1])


def first_in_a_row(ranges: Iterable[tuple[int, int]], number: int) -> int:
    """Where the numbers in a row begin that `number` is in; itself where it is in no range."""
    for low, high in merge_ranges(ranges):
        if low <= number < high:
            return low
    return number


def closes_within(
    ends: Iterable[tuple[str, int]], lengths: Mapping[str, int], low: int, high: int
) -> list[tuple[str, int]]:
    """(symbol, end) of runs that end in the middle of a bar whose end is in (low, high]."""
    minutes = [length for length in lengths.values() if length % 60 == 0]
    return [
        (symbol, end)
        for symbol, end in ends
        if any(low < -(-end // length) * length <= high and end % length for length in minutes)
    ]
