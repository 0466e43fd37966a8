"""The closes of many symbols side by side: what pair analytics are computed on. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spreadlake.quant.arrays import Bools, Floats, Ints

# First bar of a symbol that has none: later than any bar.
NEVER = 2**62


@dataclass(frozen=True)
class CloseMatrix:
    """Bars of one timeframe; a row per symbol, a column per bar, NaN where a symbol has no bar.

    `start` is the absolute number (time // length) of column 0, `first` (symbols,) the absolute
    number of the first of each symbol's last bars in a row, at the most as far back as column 0;
    NEVER for one without a bar in the last column.
    """

    length: int
    start: int
    symbols: tuple[str, ...]
    close: Floats
    traded: Bools
    quote_volume: Floats
    first: Ints

    @classmethod
    def of(
        cls,
        bars: pl.DataFrame,
        symbols: tuple[str, ...],
        length: int,
        start: int,
        end: int,
    ) -> Self:
        """From bars (symbol, time, close, trades, quote_volume); absolute bars [start, end)."""
        shape = (len(symbols), end - start)
        close, quote = np.full(shape, np.nan), np.zeros(shape)
        traded = np.zeros(shape, dtype=np.bool_)
        rows = _positions(bars["symbol"], symbols)
        columns = bars["time"].to_numpy() // length - start
        inside = (rows >= 0) & (columns >= 0) & (columns < shape[1])
        at = rows[inside], columns[inside]
        close[at] = bars["close"].to_numpy()[inside]
        quote[at] = bars["quote_volume"].to_numpy()[inside]
        traded[at] = bars["trades"].to_numpy()[inside] > 0
        return cls(length, start, symbols, close, traded, quote, _in_a_row(close, start))

    @property
    def end(self) -> int:
        """Absolute number of the bar after the last column."""
        return self.start + int(self.close.shape[1])

    def joined(self, later: Self, keep: int) -> Self:
        """This matrix, then `later`, which begins where this one ends; the last `keep` bars."""
        drop = max(0, self.close.shape[1] + later.close.shape[1] - keep)

        def join(x: NDArray[np.generic], y: NDArray[np.generic]) -> NDArray[np.generic]:
            return np.concatenate(
                [x[:, min(drop, x.shape[1]) :], y[:, max(0, drop - x.shape[1]) :]], axis=1
            )

        close = join(self.close, later.close)
        return type(self)(
            self.length,
            self.start + drop,
            self.symbols,
            close,  # type: ignore[arg-type]
            join(self.traded, later.traded),  # type: ignore[arg-type]
            join(self.quote_volume, later.quote_volume),  # type: ignore[arg-type]
            _in_a_row(close, self.start + drop),  # type: ignore[arg-type]
        )

    def above_zero(self) -> Self:
        """Without the bars whose close has no logarithm: none where it is not above 0."""
        if not (self.close <= 0).any():
            return self
        close = np.where(self.close > 0, self.close, np.nan)
        return replace(self, close=close, first=_in_a_row(close, self.start))

    def columns(self, low: int, high: int) -> Self:
        """The absolute bars [low, high) of it."""
        part = slice(low - self.start, high - self.start)
        close = self.close[:, part]
        return type(self)(
            self.length,
            low,
            self.symbols,
            close,
            self.traded[:, part],
            self.quote_volume[:, part],
            _in_a_row(close, low),
        )

    def stretches(self, rows: int, cuts: Sequence[int] = ()) -> Iterator[tuple[Self, int]]:
        """The last `rows` columns in pieces whose windows reach over no hole: (matrix, its rows).

        Each matrix ends with its piece and reaches back to where windows begin anew at the most:
        after a column without any bar, or at one of `cuts` (absolute bars). Within a piece a
        symbol has bars in a row from its `first` on, or none.
        """
        there = ~np.isnan(self.close)
        low = self.end - rows
        for begin, end in pairwise(_borders(there, self.start, self.end, cuts)):
            if end > low:
                whole = there[:, begin - self.start : end - self.start]
                inner = begin + _resumed(whole)
                at = max(low, begin)
                for stop in [*inner[inner > at].tolist(), end]:
                    yield self.columns(begin, stop), stop - at
                    at = stop

    def rows(self, symbols: list[str]) -> Ints:
        """Row number of each symbol."""
        place = {symbol: row for row, symbol in enumerate(self.symbols)}
        return np.array([place[symbol] for symbol in symbols], dtype=np.int64)


def _in_a_row(close: Floats, start: int) -> Ints:
    """(symbols,) absolute number of the first of the bars in a row that the last column ends."""
    if close.shape[1] == 0:
        return np.full(len(close), NEVER, dtype=np.int64)
    holes = np.isnan(close[:, ::-1])
    back = np.where(holes.any(axis=1), holes.argmax(axis=1), close.shape[1])
    return np.where(back > 0, start + close.shape[1] - back, NEVER)


def _borders(there: Bools, start: int, end: int, cuts: Sequence[int]) -> list[int]:
    """`start`, where windows begin anew because nothing was there or of `cuts`, and `end`."""
    some = np.asarray(there.any(axis=0))
    begun = np.flatnonzero(some[1:] & ~some[:-1]) + 1
    inside = [cut for cut in cuts if start < cut < end]
    return sorted({start, end, *inside, *(start + begun).tolist()})


def _resumed(there: Bools) -> Ints:
    """Columns where a symbol's bars end, or go on after a hole."""
    ended = there[:, :-1] & ~there[:, 1:]
    if not ended.any():
        return np.empty(0, dtype=np.int64)
    holed = np.logical_or.accumulate(ended, axis=1)
    again = there[:, 1:] & ~there[:, :-1] & holed
    return np.asarray(np.flatnonzero((ended | again).any(axis=0)) + 1, dtype=np.int64)


def _positions(column: pl.Series, symbols: tuple[str, ...]) -> Ints:
    mapping = pl.DataFrame(
        {"symbol": list(symbols), "row": np.arange(len(symbols), dtype=np.int64)}
    )
    frame = column.to_frame("symbol").join(mapping, on="symbol", how="left", maintain_order="left")
    return frame["row"].fill_null(-1).to_numpy()
