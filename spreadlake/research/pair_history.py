"""The bars of one pair, read once, and the signals of any window and lookback on them."""

import math
from contextlib import closing
from dataclasses import dataclass
from typing import Self

import numpy as np

from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.breaks import read_cuts
from spreadlake.lake.analytics.removal import refuse_removed_rows
from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Bools, Floats
from spreadlake.quant.backtest import Bars, Signals
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.pair_rows import bars_needed
from spreadlake.quant.pair_signals import PairSignals, pair_signals, spread_adf_pvalues
from spreadlake.research.bar_source import BarSource
from spreadlake.series import BARS, Prices
from spreadlake.times import iso_utc

_READ = 20_000  # bars of a leg read at a time: a short transaction each
_PIECE = 5_000  # rows computed at a time, to bound memory


@dataclass(frozen=True)
class PairHistory:
    """The bars of both legs of a pair, and those before them that windows reach back to.

    The last `rows` columns of `closes` (a matrix of A and B) are the time asked for, `opens` lie
    beside them; what is of one leg alone is no row of `bars`. No window reaches over `cuts`
    (absolute bars), and no further back than `reach` bars.
    """

    closes: CloseMatrix
    opens: Floats
    rows: int
    reach: int
    cuts: list[int]
    max_stale_bars: int

    @classmethod
    def read(
        cls,
        lake: Lake,
        pair: Pair,
        timeframe: str,
        longest: int,
        max_stale_bars: int,
        start: float | None = None,
        end: float | None = None,
    ) -> Self:
        """Bars with start <= time < end (Unix seconds; None: all), for windows up to `longest`.

        InputError for a symbol without bars, a timeframe that the stored bars do not divide, or
        a time without a bar of both; RemovedError for bars that were removed to make room.
        """
        with closing(open_reader(lake.analytics_db)) as db:
            source = BarSource.of(db, lake, timeframe, pair)
            refuse_removed_rows(db, BARS, source.stored, start)
            low, high = _span(source, pair, start, end)
            reach = bars_needed((longest,), (longest,), max_stale_bars)
            cuts = read_cuts(db, source.length, low - reach, high)
        closes, opens = _read(lake, source, pair, low - reach, high)
        history = cls(closes, opens, high - low, reach, cuts, max_stale_bars)
        if not history._there.any():
            raise InputError(_no_bars(source, pair, timeframe, start, end))
        return history

    @property
    def bars(self) -> Bars:
        """The bars (rows,) that both legs have."""
        there, closes, rows = self._there, self.closes, slice(self._first, None)
        time = (closes.start + self._first + np.flatnonzero(there)) * closes.length
        open_a, open_b = self.opens[:, rows][:, there]
        close_a, close_b = closes.close[:, rows][:, there]
        traded_a, traded_b = closes.traded[:, rows][:, there]
        return Bars(closes.length, time, open_a, open_b, close_a, close_b, traded_a, traded_b)

    def signals(
        self, window: int, lookback: int, prices: Prices, tested_from: float | None = None
    ) -> Signals:
        """On the rows of `bars`, the numbers of `pair_analytics`.

        The spread is tested (adf_pvalue) where |z| >= tested_from; nowhere if that is None.
        """
        found = self._computed(window, lookback, prices)
        there = self._there
        zscore, beta, correlation = (x[there] for x in found[:3])
        if tested_from is None:
            return Signals(zscore, beta, correlation, None, prices)
        at = np.flatnonzero(np.abs(found.zscore) >= tested_from)
        adf = np.full(self.rows, np.nan)
        adf[at] = spread_adf_pvalues(
            self.closes.close, self._first + at, found.hedge_bars[at], prices
        )
        return Signals(zscore, beta, correlation, adf[there], prices)

    @property
    def _first(self) -> int:
        """The column of the first of the rows."""
        return int(self.closes.close.shape[1]) - self.rows

    @property
    def _there(self) -> Bools:
        """(rows,) where both legs have a bar."""
        return np.asarray(~np.isnan(self.closes.close[:, self._first :]).any(axis=0))

    def _computed(self, window: int, lookback: int, prices: Prices) -> PairSignals:
        """(rows,) each."""
        closes = self.closes.above_zero() if prices == "log" else self.closes
        parts = [
            pair_signals(part, window, lookback, self.max_stale_bars, count, prices)
            for at in range(closes.end - self.rows, closes.end, _PIECE)
            for stop in [min(at + _PIECE, closes.end)]
            for part, count in closes.columns(at - self.reach, stop).stretches(stop - at, self.cuts)
        ]
        if not parts:
            return PairSignals(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64))
        return PairSignals(*map(np.concatenate, zip(*parts, strict=True)))


def _span(source: BarSource, pair: Pair, start: float | None, end: float | None) -> tuple[int, int]:
    """Absolute bars [low, high) that both legs may have and whose opens lie in the time."""
    low, high = max(source.first[symbol] for symbol in pair), source.end
    if start is not None:
        low = max(low, math.ceil(start / source.length))
    if end is not None:
        high = min(high, math.ceil(end / source.length))
    return low, max(low, high)


def _no_bars(
    source: BarSource, pair: Pair, timeframe: str, start: float | None, end: float | None
) -> str:
    low = max(source.first[symbol] for symbol in pair)
    asked = "".join(
        f" {word} {iso_utc(time)}"
        for word, time in (("from", start), ("before", end))
        if time is not None
    )
    nothing = f"no finished {timeframe} bar of both {pair.a} and {pair.b}{asked}"
    if source.end <= low:
        return f"{nothing}: the lake has none yet, let it run on, or name a shorter timeframe"
    first, last = iso_utc(low * source.length), iso_utc((source.end - 1) * source.length)
    return f"{nothing}: the lake has bars from {first} to {last}"


def _read(
    lake: Lake, source: BarSource, pair: Pair, low: int, high: int
) -> tuple[CloseMatrix, Floats]:
    """Closes and opens at the absolute bars [low, high), NaN where a leg has no bar."""
    shape = (2, high - low)
    opens, closes = np.full(shape, np.nan), np.full(shape, np.nan)
    traded = np.zeros(shape, dtype=np.bool_)
    for at in range(low, high, _READ):
        with closing(open_reader(lake.analytics_db)) as db:
            legs = [source.read_prices(db, symbol, at, min(at + _READ, high)) for symbol in pair]
        for row, bars in enumerate(legs):
            columns = bars.number - low
            opens[row, columns] = bars.open
            closes[row, columns] = bars.close
            traded[row, columns] = bars.traded
    first = np.full(2, low)  # of parts of the matrix it is found anew
    return (
        CloseMatrix(source.length, low, tuple(pair), closes, traded, np.zeros(shape), first),
        opens,
    )
