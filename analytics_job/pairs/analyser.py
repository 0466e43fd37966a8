"""Keeps `pair_analytics`: computes the rows that changed bars touch, and no others."""

import sqlite3
from collections.abc import Iterator

import polars as pl

from analytics_job.bars.store import BarStore
from analytics_job.pairs.plan import PairPlan
from analytics_job.pairs.rollups import RollupStore
from spreadlake.lake import Lake
from spreadlake.pairs import Pair
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.pair_rows import NUMBERS, PairRows, pair_rows
from spreadlake.quant.rollups import ROLLED_SCHEMA
from spreadlake.series import PAIR_ANALYTICS

# Bars that are computed at a time, times pairs: what is computed on stays in a cache.
_PIECE = 16_384

_COLUMNS = (
    *PAIR_ANALYTICS.key, "time", "symbol_a", "symbol_b", "price_a", "price_b", *NUMBERS, "prices"
)  # fmt: skip
_INSERT = (
    f"INSERT OR REPLACE INTO pair_analytics({', '.join(_COLUMNS)}) "
    f"VALUES ({', '.join('?' * len(_COLUMNS))})"
)


def insert_rows(db: sqlite3.Connection, timeframe: str, result: PairRows) -> pl.DataFrame:
    """Writes the rows of a timeframe, in the caller's transaction; what is rolled up of them."""
    rows = result.frame().with_columns(
        timeframe=pl.lit(timeframe),
        window_bars=pl.lit(result.window, pl.Int64),
        lookback_bars=pl.lit(result.lookback, pl.Int64),
    )
    db.executemany(_INSERT, rows.select(_COLUMNS).rows())
    return rows.select(ROLLED_SCHEMA.names())


class Analyser:
    """Computes and stores rows of one timeframe; runs inside the caller's transaction."""

    def __init__(
        self, db: sqlite3.Connection, lake: Lake, bars: BarStore, timeframe: str, plan: PairPlan
    ) -> None:
        self._db = db
        self._bars = bars
        self._rollups = RollupStore(db, lake, timeframe, bars.lengths[timeframe])
        self.timeframe = timeframe
        self.length = bars.lengths[timeframe]
        self.plan = plan
        self._closes: CloseMatrix | None = None
        self._run_starts: dict[str, tuple[int, int]] = {}  # and up to which bar that is known

    def append(self, start: int, end: int) -> Iterator[PairRows]:
        """Stores the rows of the bars that became final when the seconds [start, end) did."""
        if not self.plan.pairs:
            return
        rows: list[pl.DataFrame] = []
        for low, high in self._bars.bar_ranges(self.length, start, end):
            for result in self._rows(self._closes_up_to(low, high), self.plan, high - low):
                rows.append(insert_rows(self._db, self.timeframe, result))
                yield result
        self._rollups.append(self.plan, rows, start, end)

    def compute_again(self, plan: PairPlan, low: int, high: int, until: int) -> Iterator[PairRows]:
        """Stores the rows of the plan's pairs at the absolute bars [low, high).

        Rows that were there and are none any more go. Spans of them are rolled up again where they
        end at or before `until` (s); the others are once the rest of their rows is computed.
        """
        if not plan.pairs or low >= high:
            return
        rows: list[pl.DataFrame] = []
        for result in self._rows(self._load(plan, low, high), plan, high - low):
            self._delete_warming(result)
            rows.append(insert_rows(self._db, self.timeframe, result))
            yield result
        self._rollups.again(plan, rows, low * self.length, high * self.length, until)

    def forget(self) -> None:
        """Drops what was read from the bars: they changed, or a break came."""
        self._closes = None
        self._run_starts.clear()

    def bars_in_a_row(self, pair: Pair, last: int, have: int) -> int:
        """Bars that both legs of a pair have in a row up to the bar `last`, at least `have`."""
        for leg in pair:
            start, known = self._run_starts.get(leg, (0, -1))
            if not last - have < known <= last:
                start = self._bars.run_start(self.timeframe, leg, last)
            self._run_starts[leg] = start, last
        return last + 1 - max(self._run_starts[leg][0] for leg in pair)

    def _rows(self, closes: CloseMatrix, plan: PairPlan, rows: int) -> Iterator[PairRows]:
        closes = closes.above_zero() if plan.prices == "log" else closes
        cuts = self._bars.cuts(self.length, closes.start + 1, closes.end)
        for part, part_rows in closes.stretches(rows, cuts):
            yield from self._rows_of_stretch(part, plan, part_rows)

    def _delete_warming(self, result: PairRows) -> None:
        """Rows that a window had before a break was found in it."""
        warming = (result.have < result.window).sum(axis=1)
        self._db.executemany(
            f"DELETE FROM pair_analytics WHERE {PAIR_ANALYTICS.is_series} "
            "AND time >= ? AND time < ?",
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

    def _rows_of_stretch(
        self, closes: CloseMatrix, plan: PairPlan, rows: int
    ) -> Iterator[PairRows]:
        """A piece of the rows at a time, in order of time for each pair."""
        step = max(min(plan.reach, _PIECE), _PIECE // len(plan.pairs), 1)
        for at in range(closes.end - rows, closes.end, step):
            end = min(at + step, closes.end)
            part = closes.columns(max(closes.start, at - plan.reach), end)
            yield from pair_rows(
                part,
                plan.pairs,
                plan.windows,
                plan.lookbacks,
                plan.max_stale,
                plan.noise,
                end - at,
                plan.prices,
            )

    def _closes_up_to(self, low: int, high: int) -> CloseMatrix:
        """The closes that end with the new bars [low, high); extended if they ended before."""
        reach = self.plan.reach + high - low
        if self._closes is None or self._closes.end != low:
            self._closes = self._load(self.plan, low, high)
        else:
            later = self._read(self.plan.symbols, low, high)
            self._closes = self._closes.joined(later, reach)
        return self._closes

    def _load(self, plan: PairPlan, low: int, high: int) -> CloseMatrix:
        """The bars [low, high) and those that their rows depend on."""
        return self._read(plan.symbols, low - plan.reach, high)

    def _read(self, symbols: tuple[str, ...], low: int, high: int) -> CloseMatrix:
        frame = self._bars.read(self.timeframe, low * self.length, high * self.length, symbols)
        return CloseMatrix.of(frame, symbols, self.length, low, high)
