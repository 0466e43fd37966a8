"""Bars from klines, where a symbol has no trades of its own: before, between, after, or none."""

from collections.abc import Iterator, Sequence

import polars as pl

from analytics_job.bars.kline_runs import KlineRuns
from analytics_job.bars.old import OldBars
from analytics_job.bars.spans import SpanStore
from analytics_job.bars.store import BarStore, ChangedBars
from spreadlake.quant.resample import bars_before


class KlineBars:
    """Writes bars of a symbol's klines; runs inside the caller's transaction."""

    def __init__(self, bars: BarStore, spans: SpanStore, runs: KlineRuns, old: OldBars) -> None:
        self._bars = bars
        self._old = old
        self._spans = spans
        self._runs = runs

    def margin(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last kline that bars which touch the seconds [start, end) are made of.

        A hole before them may be carried over up to them, and one after them up to what follows.
        """
        longest = max((n for n in self._bars.lengths.values() if n % 60 == 0), default=60)
        reach = 2 * (longest + self._spans.spans.limit + 60)
        return start - reach, end + reach

    def take(
        self, symbol: str, klines: pl.DataFrame, start: int, end: int, final: int
    ) -> dict[str, list[ChangedBars]]:
        """Bars of every timeframe that touch [start, end), of 1m klines that reach over `margin`.

        Bars that end after the second `final` are left for later.
        """
        inside = klines.filter((pl.col("time") >= start) & (pl.col("time") < end))
        self._runs.add(symbol, ((t, t + 60) for t in inside["time"].to_list()))
        runs = list(self._pieces(klines))
        return {
            timeframe: self._write(timeframe, symbol, runs, (start, end, final))
            for timeframe, length in self._bars.lengths.items()
            if length % 60 == 0 and runs
        }

    def _write(
        self,
        timeframe: str,
        symbol: str,
        runs: Sequence[pl.DataFrame],
        span: tuple[int, int, int],
    ) -> list[ChangedBars]:
        length, (start, end, final) = self._bars.lengths[timeframe], span
        # Carried bars before and after them, too: as many as are no break.
        limit, time = self._spans.spans.limit, pl.col("time")
        low, high = (start - limit) // length * length, -(-(end + limit) // length) * length
        made = pl.concat([self._made(symbol, length, run) for run in runs])
        wanted = made.filter((time >= low) & (time < high) & (time + length <= final))
        bars = self._without_own(symbol, length, wanted)
        if bars.is_empty():
            return []
        low, high = int(bars["time"][0]), int(bars["time"][-1]) + length
        known = self._bars.read(timeframe, low, high, [symbol])
        new = bars.join(known, on=bars.columns, how="anti", maintain_order="left")
        if new.is_empty():
            return []
        hot, archived = self._old.take(timeframe, symbol, new, final)
        self._bars.note_firsts(timeframe, archived)
        self._bars.write(timeframe, hot)
        return [ChangedBars(symbol, int(new["time"][0]), int(new["time"][-1]) + length)]

    def _pieces(self, klines: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Klines with no more than a break's limit missing between them."""
        hole = pl.col("time").diff().fill_null(60) - 60 > self._spans.spans.limit
        yield from (
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
        low, high = int(bars["time"][0]), int(bars["time"][-1]) + length
        for start, end in self._spans.own(symbol, low, high):
            inside = (pl.col("time") + length > start) & (pl.col("time") < end)
            bars = bars.filter(~inside)
        return bars
