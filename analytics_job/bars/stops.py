"""Ends the bars of symbols that are away, and keeps where that was and where they go on."""

from collections.abc import Callable, Iterable
from contextlib import closing

import numpy as np
import polars as pl

from analytics_job.bars.spans import SpanStore
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.universe import UniverseChange, universe_changes
from spreadlake.quant.absences import Absences

# (start, end, symbol) → its 1s bars of that time.
_Read = Callable[[int, int, str], pl.DataFrame]


class Stops:
    """What is carried of symbols that are away; writes inside the caller's transaction."""

    def __init__(self, lake: Lake, spans: SpanStore, read: _Read) -> None:
        """With all that the lake has on record by now."""
        self._spans = spans
        self._read = read
        self._limit = spans.spans.limit
        self._absences = Absences(self._limit)
        self.seq = 0  # of the last change that was taken
        # Of symbols that are away: their last trade before a second.
        self._last: dict[str, tuple[int, int]] = {}
        if lake.ticks_db.exists():
            with closing(open_reader(lake.ticks_db)) as db:
                self.take(universe_changes(db, 0))

    def take(self, changes: Iterable[UniverseChange]) -> None:
        """Who left and who came back, in the order of the record; from its start on anew."""
        for change in changes:
            if change.seq <= self.seq:
                self._absences.clear()
            self.seq = change.seq
            self._absences.take(
                change.symbol, change.time_ms // 1000, captured=bool(change.captured)
            )

    def forget(self) -> None:
        """Bars were written again."""
        self._last.clear()

    def cut(self, bars: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        """1s bars of [start, end) without those that are carried too far."""
        there = set(bars["symbol"].unique())
        dropped = [
            self._cut(symbol, bars.filter(pl.col("symbol") == symbol), start, end)
            for symbol in self._absences.away(start)
            if symbol in there
        ]
        if not any(frame.height for frame in dropped):
            return bars
        return bars.join(
            pl.concat(dropped), on=["symbol", "time"], how="anti", maintain_order="left"
        )

    def _cut(self, symbol: str, bars: pl.DataFrame, start: int, end: int) -> pl.DataFrame:
        times, trades = bars["time"].to_numpy(), bars["trades"].to_numpy()
        before = self._traded_before(symbol, start)
        stay = self._absences.stay(symbol, times, trades, before)
        traded = times[trades > 0]
        self._last[symbol] = (end, int(traded[-1]) if len(traded) else before)
        was = np.concatenate([[True], stay[:-1]])
        ended = times[was & ~stay].tolist()
        self._spans.stop(symbol, start, end, ended)
        again = times[stay & ~was].tolist()
        self._spans.join((symbol, time) for time in again)
        return bars.filter(~pl.Series(stay)).select("symbol", "time")

    def carried_until(self, symbol: str, start: int, end: int) -> int:
        """Up to where its close before `start` is carried, which is no trade's before `end`."""
        until = end
        if self._absences.of(symbol, start):
            last = np.array([self._traded_before(symbol, start)])
            until = min(end, max(start, int(self._absences.stops(symbol, start, last)[0])))
        self._spans.stop(symbol, start, end, [until] if until < end else [])
        return until

    def _traded_before(self, symbol: str, second: int) -> int:
        """Second of a symbol's last trade before another, as far back as it matters; else -1."""
        at, last = self._last.get(symbol, (-1, -1))
        if at == second:
            return last
        bars = self._read(second - self._limit, second, symbol)
        traded = bars.filter(pl.col("trades") > 0)["time"]
        return int(traded.max()) if len(traded) else -1  # type: ignore[arg-type]
