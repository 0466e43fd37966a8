"""Keeps `rows_due`: rows of `pair_analytics` that are still to be computed, or again.

Bars that changed are written at once; the rows that depend on them are history's work, done in
order of time, a hop at a time, and each hop is crossed off in its own transaction. So whatever is
interrupted goes on from there, and a row that depends on many changes is computed once.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from analytics_job.bars.spans import merge_ranges


class DueRows(NamedTuple):
    """Whose rows: those of a symbol's pairs or of one pair, of one window and lookback or all (0).

    `name` is a symbol, a pair's name or, for every pair, ''.
    """

    timeframe: str
    name: str
    window: int = 0
    lookback: int = 0


class RowsDue:
    """Ranges [start, end) of bar times, by whose rows; writes in the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ranges: dict[DueRows, list[tuple[int, int]]] = {}
        rows = db.execute(
            'SELECT timeframe, name, window_bars, lookback_bars, "start", "end" FROM rows_due '
            'ORDER BY "start"'
        )
        for *due, start, end in rows.fetchall():
            self._ranges.setdefault(DueRows(*due), []).append((start, end))

    def add(self, due: DueRows, start: int, end: int) -> None:
        """Rows at the bars that open in [start, end) are to be computed."""
        if start < end:
            self._put(due, [*self._ranges.get(due, []), (start, end)])

    def first(self) -> tuple[int, str] | None:
        """Time and timeframe of the earliest rows; None where nothing is due."""
        return next(iter(self.firsts()), None)

    def firsts(self) -> list[tuple[int, str]]:
        """Time of the earliest rows of each timeframe, the earliest first."""
        firsts: dict[str, int] = {}
        for due, ranges in self._ranges.items():
            firsts[due.timeframe] = min(ranges[0][0], firsts.get(due.timeframe, ranges[0][0]))
        return sorted((start, timeframe) for timeframe, start in firsts.items())

    def within(self, timeframe: str, start: int, end: int) -> Iterator[tuple[DueRows, int, int]]:
        """What of a timeframe is due in [start, end)."""
        for due, ranges in self._ranges.items():
            if due.timeframe == timeframe:
                for low, high in ranges:
                    if low < end and high > start:
                        yield due, max(low, start), min(high, end)

    def done(self, timeframe: str, end: int) -> None:
        """Rows of a timeframe before the time `end` have been computed."""
        for due in [due for due in self._ranges if due.timeframe == timeframe]:
            left = [(max(low, end), high) for low, high in self._ranges[due] if high > end]
            if left != self._ranges[due]:
                self._put(due, left)

    def give_up(self, names: Collection[str]) -> None:
        """Nothing is to be computed any more of the symbols or pairs of these names."""
        for due in [due for due in self._ranges if due.name in names]:
            self._put(due, [])

    def seconds(self) -> int:
        """How much time the longest of each timeframe's ranges cover together."""
        longest: dict[str, int] = {}
        for due, ranges in self._ranges.items():
            size = sum(high - low for low, high in ranges)
            longest[due.timeframe] = max(size, longest.get(due.timeframe, 0))
        return sum(longest.values())

    def _put(self, due: DueRows, ranges: Iterable[tuple[int, int]]) -> None:
        merged = merge_ranges(ranges)
        self._db.execute(
            "DELETE FROM rows_due WHERE timeframe = ? AND name = ? AND window_bars = ? "
            "AND lookback_bars = ?",
            due,
        )
        self._db.executemany(
            "INSERT INTO rows_due VALUES (?, ?, ?, ?, ?, ?)", [(*due, *one) for one in merged]
        )
        if merged:
            self._ranges[due] = merged
        else:
            self._ranges.pop(due, None)
