"""Keeps `pair_analytics`: computes the rows that changed bars touch, and no others."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from analytics_job.bars import BarStore, Changed
from spreadlake.pairs import Pair
from spreadlake.quant.close_matrix import NEVER, CloseMatrix
from spreadlake.quant.pair_rows import NUMBERS, Noise, PairRows, bars_needed, pair_rows

__all__ = ["Analyser", "PairPlan"]

# Bars that are computed at a time, times pairs: what is computed on stays in a cache.
_PIECE = 16_384
# Bars that are looked at for it, times pairs, to bound memory.
_CELLS = 100_000

_KEY = ("pair", "timeframe", "window_bars", "lookback_bars", "time", "symbol_a", "symbol_b")
_COLUMNS = (*_KEY, "price_a", "price_b", *NUMBERS)
_INSERT = (
    f"INSERT OR REPLACE INTO pair_analytics({', '.join(_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)


@dataclass(frozen=True)
class PairPlan:
    """What is computed for every pair."""

    pairs: tuple[Pair, ...]
    windows: tuple[int, ...]
    lookbacks: tuple[int, ...]
    max_stale: int
    noise: Noise

    @property
    def reach(self) -> int:
        """Bars that a row depends on, itself included."""
        return bars_needed(self.windows, self.lookbacks, self.max_stale)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The legs, each once."""
        return tuple(sorted({leg for pair in self.pairs for leg in pair}))


class Analyser:
    """Computes and stores rows of one timeframe; runs inside the caller's transaction."""

    def __init__(
        self, db: sqlite3.Connection, bars: BarStore, timeframe: str, plan: PairPlan
    ) -> None:
        self._db = db
        self._bars = bars
        self.timeframe = timeframe
        self._length = bars.lengths[timeframe]
        self._plan = plan
        self._panel: CloseMatrix | None = None

    def append(self, start: int, end: int) -> Iterator[PairRows]:
        """Stores the rows of the bars that became final when the seconds [start, end) did."""
        low, high = start // self._length, end // self._length
        if low >= high or not self._plan.pairs:
            return
        panel = self._panel_up_to(low, high)
        yield from self._store(panel, self._plan.pairs, high - low)

    def repair(self, changes: Sequence[Changed], final: int) -> Iterator[tuple[PairRows, ...]]:
        """Stores the rows that depend on the changed bars again, in order of time for each pair."""
        self._panel = None
        for ranges, pairs in self._touched(changes, final // self._length).items():
            size = max(1, _CELLS // sum(high - low for low, high in ranges))
            for at in range(0, len(pairs), size):
                for low, high in ranges:
                    yield tuple(self.compute(pairs[at : at + size], low, high))

    def compute(
        self, pairs: Sequence[Pair], low: int, high: int, plan: PairPlan | None = None
    ) -> Iterator[PairRows]:
        """Stores the rows of `pairs` at the absolute bars [low, high), a piece at a time."""
        plan = replace(plan or self._plan, pairs=tuple(pairs))
        step = max(1, _PIECE // max(1, len(pairs)))
        for at in range(low, high, step):
            end = min(at + step, high)
            panel = self._load(plan.symbols, at - plan.reach, end)
            yield from self._store(panel, pairs, end - at, plan)

    def forget(self) -> None:
        """Drops what was read from the bars."""
        self._panel = None

    def bar_number(self, time: int) -> int:
        """Absolute number of the bar that holds the second `time`."""
        return time // self._length

    def _touched(
        self, changes: Sequence[Changed], last: int
    ) -> dict[tuple[tuple[int, int], ...], list[Pair]]:
        """Ranges of rows to store again, in order, with the pairs that have the same ones."""
        touched: dict[tuple[tuple[int, int], ...], list[Pair]] = {}
        for pair in self._plan.pairs:
            ranges = [self._affected(c, last) for c in changes if c.symbol in pair]
            if ranges:
                ranges.append((last - 1, last))  # what the pair's status is taken from
            if merged := _merged([r for r in ranges if r[0] < r[1]]):
                touched.setdefault(tuple(merged), []).append(pair)
        return touched

    def _affected(self, change: Changed, last: int) -> tuple[int, int]:
        """Rows that depend on changed seconds: up to `reach` bars after the last changed bar."""
        low = change.start // self._length
        high = (change.end - 1) // self._length + self._plan.reach
        return low, min(high, last)

    def _store(
        self, panel: CloseMatrix, pairs: Sequence[Pair], rows: int, plan: PairPlan | None = None
    ) -> Iterator[PairRows]:
        plan = plan or self._plan
        size = max(1, _CELLS // panel.close.shape[1])
        groups = [pairs[at : at + size] for at in range(0, len(pairs), size)]
        for group, lookback in product(groups, plan.lookbacks):
            for result in pair_rows(
                panel, group, plan.windows, lookback, plan.max_stale, plan.noise, rows
            ):
                self._write(result)
                yield result

    def _write(self, result: PairRows) -> None:
        frame = result.frame()
        key = (self.timeframe, result.window, result.lookback)
        self._db.executemany(_INSERT, ((row[0], *key, *row[1:]) for row in frame.iter_rows()))

    def _panel_up_to(self, low: int, high: int) -> CloseMatrix:
        """The panel that ends with the new bars [low, high); extended if it ended before them."""
        reach = self._plan.reach + high - low
        if self._panel is None or self._panel.end != low:
            self._panel = self._load(self._plan.symbols, high - reach, high)
        else:
            self._panel = self._panel.joined(self._load(self._plan.symbols, low, high), reach)
        return self._panel

    def _load(self, symbols: tuple[str, ...], low: int, high: int) -> CloseMatrix:
        firsts = self._bars.first_bars(self.timeframe)
        first = np.array(
            [firsts[s] // self._length if s in firsts else NEVER for s in symbols], dtype=np.int64
        )
        frame = self._bars.read(self.timeframe, low * self._length, high * self._length, symbols)
        return CloseMatrix.of(frame, symbols, self._length, low, high, first)


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges in order, those that overlap or touch as one."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], high))
        else:
            merged.append((low, high))
    return merged
