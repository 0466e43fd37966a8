"""The bars of one pair, read once, and the signals of any window and lookback on them."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.breaks import read_breaks
from spreadlake.lake.analytics.removal import refuse_removed_rows
from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Bools, Floats
from spreadlake.quant.backtest import Bars, Signals
from spreadlake.quant.breaks import cuts_of
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.pair_rows import bars_needed
from spreadlake.quant.pair_signals import PairSignals, pair_signals, spread_adf_pvalues
from spreadlake.research.bar_source import BarSource
from spreadlake.series import BARS, Prices
from spreadlake.times import iso_utc

_READ = 20_000  # bars of a leg read at a time: a short transaction each
_PIECE = 16_384  # rows computed at a time: what is computed on stays in a cache


@dataclass(frozen=True)
class Stretch:
    """Bars in a row, more or less: where there are none for long another stretch begins.

    closes: a matrix of A and B; `opens` (2, columns) lie beside it. Its rows are the columns from
    `first` on: those before are for windows to reach back into.
    """

    closes: CloseMatrix
    opens: Floats
    first: int

    @property
    def there(self) -> Bools:
        """(rows,) where both legs have a bar."""
        return np.asarray(~np.isnan(self.closes.close[:, self.first :]).any(axis=0))

    @property
    def bars(self) -> Bars:
        """The rows that both legs have."""
        there, closes, rows = self.there, self.closes, slice(self.first, None)
        time = (closes.start + self.first + np.flatnonzero(there)) * closes.length
        legs = (x[:, rows][:, there] for x in (self.opens, closes.close, closes.traded))
        return Bars(closes.length, time, *(leg for both in legs for leg in both))

    def computed(self, series: "_Series", reach: int, cuts: list[int]) -> PairSignals:
        """(rows,) each."""
        closes = self.closes.above_zero() if series.prices == "log" else self.closes
        parts = [
            pair_signals(
                part, series.window, series.lookback, series.max_stale, rows, series.prices
            )
            for at in range(closes.start + self.first, closes.end, _PIECE)
            for stop in [min(at + _PIECE, closes.end)]
            for piece in [closes.columns(max(closes.start, at - reach), stop)]
            for part, rows in piece.stretches(stop - at, cuts)
        ]
        if not parts:
            return PairSignals(np.empty(0), np.empty(0), np.empty(0), np.empty(0, np.int64))
        return PairSignals(*map(np.concatenate, zip(*parts, strict=True)))

    def signals(self, series: "_Series", reach: int, cuts: list[int]) -> Signals:
        """On the rows that both legs have."""
        found, there = self.computed(series, reach, cuts), self.there
        adf = None
        if series.tested_from is not None:
            at = np.flatnonzero(np.abs(found.zscore) >= series.tested_from)
            whole = np.full(len(there), np.nan)
            whole[at] = spread_adf_pvalues(
                self.closes.close, self.first + at, found.hedge_bars[at], series.prices
            )
            adf = whole[there]
        zscore, beta, correlation = (x[there] for x in found[:3])
        return Signals(zscore, beta, correlation, adf, series.prices)


class _Series(NamedTuple):
    window: int
    lookback: int
    prices: Prices
    max_stale: int
    tested_from: float | None


@dataclass(frozen=True)
class PairHistory:
    """The bars of both legs of a pair, and those before them that windows reach back to.

    What is of one leg alone is no row of `bars`. No window reaches over `cuts` (absolute bars), and
    none further back than `reach` bars. Where there are no bars for long, no memory is taken.
    """

    stretches: list[Stretch]
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
            refuse_removed_rows(db, lake, BARS, source.stored, start)
            low, high = _span(source, pair, start, end)
            reach = bars_needed((longest,), (longest,), max_stale_bars)
            breaks = read_breaks(db)
        cuts = cuts_of(breaks, source.length, low - reach, high)
        pieces = _pieces(lake, source, pair, _covered(breaks, source.length, low - reach, high))
        stretches = [_stretch(source.length, pair, run, low) for run in _in_a_row(pieces)]
        stretches = [stretch for stretch in stretches if stretch.there.any()]
        if not stretches:
            raise InputError(_no_bars(source, pair, timeframe, start, end))
        return cls(stretches, reach, cuts, max_stale_bars)

    @property
    def bars(self) -> Bars:
        """The bars (rows,) that both legs have."""
        return Bars.joined([stretch.bars for stretch in self.stretches])

    def signals(
        self, window: int, lookback: int, prices: Prices, tested_from: float | None = None
    ) -> Signals:
        """On the rows of `bars`, the numbers of `pair_analytics`.

        The spread is tested (adf_pvalue) where |z| >= tested_from; nowhere if that is None.
        """
        series = _Series(window, lookback, prices, self.max_stale_bars, tested_from)
        return Signals.joined(
            [stretch.signals(series, self.reach, self.cuts) for stretch in self.stretches]
        )


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


class _Piece(NamedTuple):
    """Closes, opens and whether there are trades, (2, columns) each, from a bar on."""

    start: int
    closes: Floats
    opens: Floats
    traded: Bools

    @property
    def end(self) -> int:
        return self.start + int(self.closes.shape[1])


def _covered(
    breaks: Sequence[tuple[int, int]], length: int, low: int, high: int
) -> Iterator[tuple[int, int]]:
    """Absolute bars [low, high) as spans [start, end) of a few, without those within breaks."""
    starts = [start for start, _ in breaks]
    for at in range(low, high, _READ):
        end = min(at + _READ, high)
        before = bisect_right(starts, at * length) - 1
        if before < 0 or breaks[before][1] < end * length:
            yield at, end


def _pieces(
    lake: Lake, source: BarSource, pair: Pair, spans: Iterator[tuple[int, int]]
) -> Iterator[_Piece]:
    """The absolute bars of each span; what has no bar at all is left out."""
    for at, end in spans:
        shape = (2, end - at)
        opens, closes = np.full(shape, np.nan), np.full(shape, np.nan)
        piece = _Piece(at, closes, opens, np.zeros(shape, dtype=np.bool_))
        with closing(open_reader(lake.analytics_db)) as db:
            db.execute("BEGIN")  # both legs as of one instant
            legs = [source.read_prices(db, symbol, at, end) for symbol in pair]
        for row, bars in enumerate(legs):
            columns = bars.number - at
            piece.closes[row, columns] = bars.close
            piece.opens[row, columns] = bars.open
            piece.traded[row, columns] = bars.traded
        if any(len(bars.number) for bars in legs):
            yield piece


def _in_a_row(pieces: Iterator[_Piece]) -> Iterator[list[_Piece]]:
    """Pieces of which each begins where the one before ends."""
    run: list[_Piece] = []
    for piece in pieces:
        if run and piece.start != run[-1].end:
            yield run
            run = []
        run.append(piece)
    if run:
        yield run


def _stretch(length: int, pair: Pair, run: list[_Piece], low: int) -> Stretch:
    """Rows are the bars from `low` on."""
    start = run[0].start
    closes, opens, traded = (
        np.concatenate([piece[field] for piece in run], axis=1) for field in (1, 2, 3)
    )
    first = np.full(2, start)  # of parts of the matrix it is found anew
    matrix = CloseMatrix(length, start, tuple(pair), closes, traded, np.zeros((2, 0)), first)
    return Stretch(matrix, opens, min(max(low - start, 0), closes.shape[1]))
