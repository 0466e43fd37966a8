"""Bars from klines, where a symbol has no trades of its own: before it joins, at first or again.

Klines are taken symbol by symbol, when there are new ones; those of a symbol without a trade wait
for its first.
"""

import sqlite3
from collections.abc import Callable, Sequence

import polars as pl

from analytics_job.bars.spans import SpanStore
from analytics_job.bars.store import BarStore, ChangedBars
from analytics_job.ticks.tail import TickTail
from spreadlake.quant.resample import bars_before


class KlineBars:
    """Writes bars of a symbol's klines; runs inside the caller's transaction."""

    def __init__(self, bars: BarStore, spans: SpanStore) -> None:
        self._bars = bars
        self._spans = spans

    def write(self, timeframe: str, symbol: str, klines: pl.DataFrame) -> list[ChangedBars]:
        """Bars of a timeframe from a symbol's 1m klines, where no own trade made one."""
        length = self._bars.lengths[timeframe]
        if length % 60 or klines.is_empty():
            return []
        made = [self._made(symbol, length, run) for run in self._runs(klines)]
        bars = self._without_own(symbol, length, pl.concat(made))
        if bars.is_empty():
            return []
        low, high = int(bars["time"][0]), int(bars["time"][-1]) + length
        known = self._bars.read(timeframe, low, high, [symbol])
        new = bars.join(known, on=bars.columns, how="anti", maintain_order="left")
        if new.is_empty():
            return []
        self._bars.write(timeframe, new)
        return [ChangedBars(symbol, int(new["time"][0]), int(new["time"][-1]) + length)]

    def _runs(self, klines: pl.DataFrame) -> Sequence[pl.DataFrame]:
        """Klines with no more than a break's limit missing between them."""
        hole = pl.col("time").diff().fill_null(60) - 60 > self._spans.spans.limit
        return (
            klines.sort("time")
            .with_columns(run=hole.cum_sum())
            .partition_by("run", include_key=False, maintain_order=True)
        )

    def _made(self, symbol: str, length: int, run: pl.DataFrame) -> pl.DataFrame:
        end = int(run["time"][-1]) + 60
        join = self._spans.next_join(symbol, end)
        if join is not None and join - end <= self._spans.spans.limit:
            return bars_before(run, symbol, length, join // length * length)
        return bars_before(run, symbol, length, -(-end // length) * length)

    def _without_own(self, symbol: str, length: int, bars: pl.DataFrame) -> pl.DataFrame:
        if bars.is_empty():
            return bars
        join = self._spans.joined(symbol, 2**62)
        bars = bars.filter(pl.col("time") < join // length * length)
        if bars.is_empty():
            return bars
        low, high = int(bars["time"].min()), int(bars["time"].max()) + length  # type: ignore[arg-type]
        for start, end in self._spans.own(symbol, low, high):
            inside = (pl.col("time") + length > start) & (pl.col("time") < end)
            bars = bars.filter(~inside)
        return bars


class KlineReader:
    """Reads the klines of a symbol again only when some of it were stored, or it joined anew."""

    def __init__(
        self,
        db: sqlite3.Connection,
        tail: TickTail,
        bars: BarStore,
        spans: SpanStore,
        take: Callable[[str, pl.DataFrame, int], None],
    ) -> None:
        """`take` is given a symbol, all of its klines, and their version."""
        self._db = db
        self._tail = tail
        self._bars = bars
        self._spans = spans
        self._take = take
        self._version = 0
        self._waiting: dict[str, int] = {}

    def take(self) -> None:
        """What can be taken now; the rest waits for its symbol's first trade."""
        version = self._tail.klines_version()
        if version != self._version or (version and self._spans.joined_lately):
            self._spans.joined_lately = False
            taken = self._taken()
            found = self._tail.kline_versions()
            self._waiting = {s: n for s, n in found.items() if taken.get(s) != n}
            self._version = version
        for symbol, number in list(self._waiting.items()):
            if self._bars.has(symbol):
                self._take(symbol, self._tail.klines(symbol), number)
                del self._waiting[symbol]

    def _taken(self) -> dict[str, int]:
        """Of each symbol whose klines were taken, which ones."""
        rows = self._db.execute("SELECT key, value FROM progress WHERE key GLOB 'klines:*'")
        return {key.removeprefix("klines:"): value for key, value in rows.fetchall()}
