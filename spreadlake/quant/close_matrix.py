"""The closes of many symbols side by side: what pair analytics are computed on. Pure."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from spreadlake.quant.rolling import Floats, Ints

__all__ = ["NEVER", "CloseMatrix"]

# First bar of a symbol that has none: later than any bar.
NEVER = 2**62


@dataclass(frozen=True)
class CloseMatrix:
    """Bars of one timeframe; a row per symbol, a column per bar, the columns without a hole.

    `start` is the absolute number (time // length) of column 0, `first` (symbols,) the absolute
    number of each symbol's first bar ever; columns before it hold NaN closes.
    """

    length: int
    start: int
    symbols: tuple[str, ...]
    close: Floats
    traded: NDArray[np.bool_]
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
        first: Ints,
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
        return cls(length, start, symbols, close, traded, quote, first)

    @property
    def end(self) -> int:
        """Absolute number of the bar after the last column."""
        return self.start + int(self.close.shape[1])

    def joined(self, later: Self, keep: int) -> Self:
        """This panel, then `later`, which begins where this one ends; the last `keep` bars."""
        drop = max(0, self.close.shape[1] + later.close.shape[1] - keep)

        def join(x: NDArray[np.generic], y: NDArray[np.generic]) -> NDArray[np.generic]:
            return np.concatenate(
                [x[:, min(drop, x.shape[1]) :], y[:, max(0, drop - x.shape[1]) :]], axis=1
            )

        return type(self)(
            self.length,
            self.start + drop,
            self.symbols,
            join(self.close, later.close),  # type: ignore[arg-type]
            join(self.traded, later.traded),  # type: ignore[arg-type]
            join(self.quote_volume, later.quote_volume),  # type: ignore[arg-type]
            later.first,
        )

    def rows(self, symbols: list[str]) -> Ints:
        """Row number of each symbol."""
        place = {symbol: row for row, symbol in enumerate(self.symbols)}
        return np.array([place[symbol] for symbol in symbols], dtype=np.int64)


def _positions(column: pl.Series, symbols: tuple[str, ...]) -> Ints:
    mapping = pl.DataFrame(
        {"symbol": list(symbols), "row": np.arange(len(symbols), dtype=np.int64)}
    )
    frame = column.to_frame("symbol").join(mapping, on="symbol", how="left", maintain_order="left")
    return frame["row"].fill_null(-1).to_numpy()
