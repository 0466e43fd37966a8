"""Keeps `pair_rollups`: a row for every 60 bars of each series, written with the last of them.

What new bars bring is held until their span is over. After a start, and where rows of that span
were computed again, the span is read once.
"""

import sqlite3
from collections.abc import Sequence

import polars as pl

from analytics_job.pairs.plan import PairPlan
from spreadlake.lake import Lake
from spreadlake.lake.analytics.rollups import remove_rollups, rows_to_roll, save_rollups
from spreadlake.quant.rollups import ROLLED_SCHEMA, roll_up, span_seconds
from spreadlake.series import SeriesKey


class RollupStore:
    """Rolls up rows of one timeframe; runs inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, lake: Lake, timeframe: str, length: int) -> None:
        self._db = db
        self._lake = lake
        self._timeframe = timeframe
        self._length = length
        self._span = span_seconds(length)
        # All rows of the bars that open in [since, until): None where they are not known.
        self._since: int | None = None
        self._until = 0
        self._held: list[pl.DataFrame] = []

    def append(self, plan: PairPlan, rows: Sequence[pl.DataFrame], start: int, end: int) -> None:
        """Takes all rows of the bars that became final when the seconds [start, end) did."""
        if self._since is None or self._until != start:
            self._since, self._held = start // self._length * self._length, []
        self._held += rows
        self._until = end
        over = end // self._span * self._span
        if over <= self._since:
            return
        begun = -(-self._since // self._span) * self._span
        if self._since < begun:
            self._save(self._read(plan, begun - self._span))
        held = _joined(self._held)
        self._save(held.filter((pl.col("time") >= begun) & (pl.col("time") < over)))
        self._since, self._held = over, [held.filter(pl.col("time") >= over)]

    def again(
        self, plan: PairPlan, rows: Sequence[pl.DataFrame], start: int, end: int, until: int
    ) -> None:
        """Takes all rows of the plan at the bars that open in [start, end), computed again.

        Of the spans that they touch those that end at or before `until` are rolled up; others have
        no roll-up until the rest of their rows has been computed.
        """
        if self._since is not None and end > self._since:
            self._since, self._held = None, []
        first, last = start // self._span * self._span, -(-end // self._span) * self._span
        keys = [key for pair in plan.pairs for key in self._keys(plan, pair.name)]
        remove_rollups(self._db, keys, first, last)
        over = min(last, until // self._span * self._span)
        whole = -(-start // self._span) * self._span, end // self._span * self._span
        for part in {first, last - self._span}:
            if part < over and not whole[0] <= part < whole[1]:
                self._save(self._read(plan, part))
        inside = (pl.col("time") >= whole[0]) & (pl.col("time") < min(whole[1], over))
        self._save(_joined(rows).filter(inside))

    def _save(self, rows: pl.DataFrame) -> None:
        if rows.height:
            save_rollups(self._db, roll_up(rows, self._length))

    def _read(self, plan: PairPlan, span: int) -> pl.DataFrame:
        """The rows of all series of a plan in one span."""
        end = span + self._span
        rows = [
            rows_to_roll(
                self._db, self._lake, (pair.name, self._timeframe), keys, span, end
            ).filter(
                pl.col("window_bars").is_in(plan.windows),
                pl.col("lookback_bars").is_in(plan.lookbacks),
            )
            for pair in plan.pairs
            for keys in [self._keys(plan, pair.name)]
        ]
        return _joined(rows)

    def _keys(self, plan: PairPlan, pair: str) -> list[SeriesKey]:
        return [
            SeriesKey(pair, self._timeframe, window, lookback)
            for window in plan.windows
            for lookback in plan.lookbacks
        ]


def _joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat([ROLLED_SCHEMA.to_frame(), *frames])
