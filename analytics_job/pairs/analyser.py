"""Keeps `pair_analytics`: computes the rows that changed bars touch, and no others."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from analytics_job.bars.store import BarStore
from spreadlake.pairs import Pair
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.pair_rows import NUMBERS, Noise, PairRows, bars_needed, pair_rows

# Bars that are computed at a time, times pairs: what is computed on stays in a cache.
_PIECE = 16_384

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
    def series(self) -> int:
        """Rows of a pair at each bar."""
        return len(self.windows) * len(self.lookbacks)

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
        self.length = bars.lengths[timeframe]
        self.plan = plan
        self._panel: CloseMatrix | None = None
        self._run_starts: dict[str, int] = {}

    def append(self, start: int, end: int) -> Iterator[PairRows]:
        """Stores the rows of the bars that became final when the seconds [start, end) did."""
        if not self.plan.pairs:
            return
        for low, high in self._bars.bar_ranges(self.length, start, end):
            yield from self._store(self._panel_up_to(low, high), self.plan, high - low)

    def compute(
        self, plan: PairPlan, low: int, high: int, *, again: bool = False
    ) -> Iterator[PairRows]:
        """Stores the rows of the plan's pairs at the absolute bars [low, high).

        `again`: rows that were there and are none any more go.
        """
        if plan.pairs and low < high:
            yield from self._store(self._load(plan, low, high), plan, high - low, again=again)

    def forget(self) -> None:
        """Drops what was read from the bars: they changed, or a break came."""
        self._panel = None
        self._run_starts.clear()

    def bars_in_a_row(self, pair: Pair, last: int) -> int:
        """Bars that both legs of a pair have in a row up to the bar `last`."""
        for leg in pair:
            if leg not in self._run_starts:
                start = self._bars.run_start(self.timeframe, leg, last)
                self._run_starts[leg] = start
        return last + 1 - max(self._run_starts[leg] for leg in pair)

    def bar_number(self, time: int) -> int:
        """Absolute number of the bar that holds the second `time`."""
        return time // self.length

    def _store(
        self, panel: CloseMatrix, plan: PairPlan, rows: int, *, again: bool = False
    ) -> Iterator[PairRows]:
        cuts = self._bars.cuts(self.length, panel.start + 1, panel.end)
        for part, part_rows in panel.stretches(rows, cuts):
            for result in self._store_stretch(part, plan, part_rows):
                if again:
                    self._delete_warming(result)
                self._write(result)
                yield result

    def _delete_warming(self, result: PairRows) -> None:
        """Rows that a window had before a break was found in it."""
        warming = (result.have < result.window).sum(axis=1)
        self._db.executemany(
            "DELETE FROM pair_analytics WHERE pair = ? AND timeframe = ? AND window_bars = ? "
            "AND lookback_bars = ? AND time >= ? AND time < ?",
            [
                (
                    pair.name,
                    self.timeframe,
                    result.window,
                    result.lookback,
                    result.start * self.length,
                    (result.start + int(count)) * self.length,
                )
                for pair, count in zip(result.pairs, warming, strict=True)
                if count
            ],
        )

    def _store_stretch(self, panel: CloseMatrix, plan: PairPlan, rows: int) -> Iterator[PairRows]:
        """A piece of the rows at a time, in order of time for each pair."""
        step = max(min(plan.reach, _PIECE), _PIECE // len(plan.pairs), 1)
        for at in range(panel.end - rows, panel.end, step):
            end = min(at + step, panel.end)
            part = panel.columns(max(panel.start, at - plan.reach), end)
            yield from pair_rows(
                part,
                plan.pairs,
                plan.windows,
                plan.lookbacks,
                plan.max_stale,
                plan.noise,
                end - at,
            )

    def _write(self, result: PairRows) -> None:
        frame = result.frame()
        key = (self.timeframe, result.window, result.lookback)
        self._db.executemany(_INSERT, ((row[0], *key, *row[1:]) for row in frame.rows()))

    def _panel_up_to(self, low: int, high: int) -> CloseMatrix:
        """The panel that ends with the new bars [low, high); extended if it ended before them."""
        reach = self.plan.reach + high - low
        if self._panel is None or self._panel.end != low:
            self._panel = self._load(self.plan, low, high)
        else:
            later = self._read(self.plan.symbols, low, high)
            self._panel = self._panel.joined(later, reach)
        return self._panel

    def _load(self, plan: PairPlan, low: int, high: int) -> CloseMatrix:
        """The bars [low, high) and those that their rows depend on."""
        return self._read(plan.symbols, low - plan.reach, high)

    def _read(self, symbols: tuple[str, ...], low: int, high: int) -> CloseMatrix:
        frame = self._bars.read(self.timeframe, low * self.length, high * self.length, symbols)
        return CloseMatrix.of(frame, symbols, self.length, low, high)
