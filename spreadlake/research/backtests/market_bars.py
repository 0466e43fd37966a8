"""Bars of many symbols of a lake, for the histories of one pair of them after another."""

from collections import OrderedDict
from contextlib import closing
from typing import NamedTuple

import numpy as np

from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.breaks import read_cuts
from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.pair_rows import bars_needed
from spreadlake.research.backtests.pair_history import PairHistory, Stretch
from spreadlake.research.bar_source import BarSource

_PIECE = 1_000  # bars read at a time
_CELLS = 8_000_000  # bars of single symbols that are kept


class _Piece(NamedTuple):
    """Opens, closes and whether there was a trade, (symbols, bars); NaN where there is no bar."""

    open: Floats
    close: Floats
    traded: Bools


class MarketBars:
    """Each piece of time is read once for all pairs, as long as they come in its order."""

    def __init__(
        self, lake: Lake, source: BarSource, longest: int, max_stale_bars: int, low: int, high: int
    ) -> None:
        """For histories within the absolute bars [low, high) and windows up to `longest`."""
        self._lake, self._source, self._max_stale = lake, source, max_stale_bars
        self._row = {symbol: row for row, symbol in enumerate(sorted(source.first))}
        self._reach = bars_needed((longest,), (longest,), max_stale_bars)
        self._pieces: OrderedDict[int, _Piece] = OrderedDict()
        with closing(open_reader(lake.analytics_db)) as db:
            self._cuts = read_cuts(db, source.length, low - self._reach, high)

    def history(self, pair: Pair, low: int, high: int) -> PairHistory:
        """Of a pair at the absolute bars [low, high), with what its windows reach back to."""
        begin = low - self._reach
        legs = [self._row[symbol] for symbol in pair]
        opens, close, traded = self._read(legs, begin, high)
        closes = CloseMatrix(
            self._source.length,
            begin,
            tuple(pair),
            close,
            traded,
            np.zeros(close.shape),
            np.full(2, begin),  # of parts of the matrix it is found anew
        )
        cuts = [cut for cut in self._cuts if begin <= cut < high]
        stretch = Stretch(closes, opens, low - begin)
        return PairHistory([stretch], self._reach, cuts, self._max_stale)

    def numbers(self, low: int, high: int) -> Ints:
        """The absolute bars of [low, high) that any symbol has."""
        there = []
        for at in range(low, high, _PIECE):
            close = self._read(list(self._row.values()), at, min(at + _PIECE, high)).close
            there.append(at + np.flatnonzero(~np.isnan(close).all(axis=0)))
        return np.concatenate([np.empty(0, dtype=np.int64), *there])

    def _read(self, rows: list[int], low: int, high: int) -> _Piece:
        parts = []
        for number in range(low // _PIECE, (high - 1) // _PIECE + 1):
            begin = number * _PIECE
            some = slice(max(low - begin, 0), min(high - begin, _PIECE))
            parts.append([array[rows, some] for array in self._piece(number)])
        return _Piece(*(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True)))

    def _piece(self, number: int) -> _Piece:
        """The bars from `number` · _PIECE on; those used longest ago go."""
        if number in self._pieces:
            self._pieces.move_to_end(number)
            return self._pieces[number]
        piece = self._pieces[number] = self._read_piece(number * _PIECE)
        while len(self._pieces) > max(2, _CELLS // (_PIECE * len(self._row))):
            self._pieces.popitem(last=False)
        return piece

    def _read_piece(self, low: int) -> _Piece:
        shape = len(self._row), _PIECE
        piece = _Piece(np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, np.bool_))
        with closing(open_reader(self._lake.analytics_db)) as db:
            db.execute("BEGIN")  # all symbols as of one instant
            for symbol, row in self._row.items():
                bars = self._source.read_prices(
                    db, symbol, low, min(low + _PIECE, self._source.end)
                )
                columns = bars.number - low
                piece.open[row, columns] = bars.open
                piece.close[row, columns] = bars.close
                piece.traded[row, columns] = bars.traded
        return piece
