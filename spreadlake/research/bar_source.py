"""Bars of any timeframe of a lake, those that are stored or made of shorter ones."""

import sqlite3
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.reach import reach_key
from spreadlake.lake.analytics.rows import read_bars, read_rows
from spreadlake.quant.arrays import Bools, Floats, Ints
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.resample import longer_bars
from spreadlake.schemas import BARS_SCHEMA
from spreadlake.series import BarKey
from spreadlake.times import length_of, timeframe_seconds

_PRICES = ("time", "open", "close", "trades")


class BarPrices(NamedTuple):
    """(bars,) each: absolute number (time // length), open, close, and whether it has a trade."""

    number: Ints
    open: Floats
    close: Floats
    traded: Bools


class BarSource(NamedTuple):
    """Bars of `length` seconds, read from the stored ones of `stored`, which divides it.

    `first` holds the absolute number (time // length) of each symbol's first bar, `traded` the
    time of the first stored bar that its trades made (earlier ones are klines), `end` the number
    after the last bar that is final.
    """

    lake: Lake
    stored: str
    length: int
    first: dict[str, int]
    traded: dict[str, int]
    end: int

    @classmethod
    def of(
        cls, db: sqlite3.Connection, lake: Lake, timeframe: str, symbols: Sequence[str]
    ) -> "BarSource":
        """InputError for a symbol without bars, or a timeframe that none stored divides."""
        length = length_of(timeframe)
        known = db.execute("SELECT timeframe, symbol, time FROM first_bars").fetchall()
        _require_symbols({symbol for _, symbol, _ in known}, symbols)
        stored = _longest_divisor({name for name, symbol, _ in known if symbol in symbols}, length)
        firsts = {symbol: time for name, symbol, time in known if name == stored}
        if missing := [symbol for symbol in symbols if symbol not in firsts]:
            raise InputError(_none_yet(stored, missing))
        step = timeframe_seconds(stored)
        seconds = {s: time for name, s, time in known if name == "1s"}
        traded = {s: seconds[s] // step * step for s in symbols if s in seconds}
        first = {s: _first(firsts[s], traded.get(s), length) for s in symbols}
        return cls(lake, stored, length, first, traded, _final(db, stored) // length)

    @classmethod
    def of_those_with_bars(
        cls, db: sqlite3.Connection, lake: Lake, timeframe: str, symbols: Sequence[str] | None
    ) -> tuple["BarSource", dict[str, str]]:
        """Of the symbols (None: all of the lake) that have bars, and why others are left out.

        InputError for symbols that the lake does not know, and for a timeframe of none.
        """
        length = length_of(timeframe)
        known = db.execute("SELECT timeframe, symbol FROM first_bars ORDER BY symbol").fetchall()
        everyone = {symbol for _, symbol in known}
        wanted = everyone if symbols is None else set(symbols)
        _require_symbols(everyone, sorted(wanted) or ["any symbol"])
        stored = _longest_divisor({name for name, symbol in known if symbol in wanted}, length)
        there = {symbol for name, symbol in known if name == stored} & wanted
        late = dict.fromkeys(sorted(wanted - there), f"no {stored} bars{_by_klines(stored)}")
        return cls.of(db, lake, timeframe, sorted(there)), late

    def matrix(
        self, db: sqlite3.Connection, symbols: tuple[str, ...], low: int, high: int
    ) -> CloseMatrix:
        """The closes of `symbols` at the absolute bars [low, high)."""
        wanted = ("close", "quote_volume", "trades")
        read = [self.read(db, symbol, low, high, wanted) for symbol in symbols]
        bars = pl.concat([frame.select("symbol", "time", *wanted) for frame in read])
        return CloseMatrix.of(bars, symbols, self.length, low, high)

    def read(
        self,
        db: sqlite3.Connection,
        symbol: str,
        low: int,
        high: int,
        wanted: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """Bars of BARS_SCHEMA of one symbol, absolute numbers [low, high), in order of time.

        Where only some columns are `wanted`, the others may be missing.
        """
        low = max(low, self.first[symbol])
        span = (low * self.length, high * self.length)
        if timeframe_seconds(self.stored) == self.length:
            return read_bars(db, self.lake, [symbol], self.stored, *span, wanted)
        bars = read_bars(db, self.lake, [symbol], self.stored, *span)
        return longer_bars(self._of_one_kind(bars, symbol), self.length).cast(BARS_SCHEMA)

    def read_prices(self, db: sqlite3.Connection, symbol: str, low: int, high: int) -> BarPrices:
        """The same bars, and of each what a back-test needs: with less to read."""
        low = max(low, self.first[symbol])
        if timeframe_seconds(self.stored) != self.length:
            frame = self.read(db, symbol, low, high)
            number, opens, close, trades = (frame[name].to_numpy() for name in _PRICES)
            return BarPrices(number // self.length, opens, close, trades > 0)
        span = (low * self.length, high * self.length)
        rows = read_rows(db, self.lake, BarKey(symbol, self.stored), _PRICES, *span)
        kinds = list(zip(_PRICES, ("i8", "f8", "f8", "i8"), strict=True))
        found = np.fromiter(rows, dtype=kinds, count=len(rows))
        number, opens, close, trades = (np.ascontiguousarray(found[name]) for name in _PRICES)
        return BarPrices(number // self.length, opens, close, trades > 0)

    def _of_one_kind(self, bars: pl.DataFrame, symbol: str) -> pl.DataFrame:
        """Without klines in the longer bar that trades begin in: it is made of those alone."""
        if symbol not in self.traded:
            return bars
        traded = self.traded[symbol]
        time = pl.col("time")
        return bars.filter((time >= traded) | (time < traded // self.length * self.length))


def _require_symbols(known: set[str], wanted: Sequence[str]) -> None:
    for symbol in wanted:
        if symbol not in known:
            there = ", ".join(sorted(known)) or "none; run spreadlake analyse --once on it"
            raise InputError(f"the lake has no bars of {symbol}; it has those of {there}")


def _longest_divisor(stored: set[str], length: int) -> str:
    fitting = [name for name in stored if length % timeframe_seconds(name) == 0]
    if not fitting:
        there = ", ".join(sorted(stored, key=timeframe_seconds))
        raise InputError(
            f"bars of {length} s cannot be made of those that the lake has ({there}); "
            f"name a timeframe that is a multiple of one of them{_of_minutes(stored)}"
        )
    return max(fitting, key=timeframe_seconds)


def _of_minutes(stored: set[str]) -> str:
    """Why there are no shorter bars, where no symbol has trades."""
    if "1s" in stored:
        return ""
    return "; all of these are made of klines, and seconds only of trades: capture or import them"


def _none_yet(stored: str, missing: Sequence[str]) -> str:
    names = ", ".join(missing)
    return f"there are no {stored} bars of {names}{_by_klines(stored)}"


def _by_klines(stored: str) -> str:
    if timeframe_seconds(stored) % 60 == 0:
        return " yet"
    return " yet: of it there are klines alone, which make bars of whole minutes, and no trades"


def _first(first: int, traded: int | None, length: int) -> int:
    """Number of the first bar: trades may begin within it; klines that do so are left out."""
    return first // length if first == traded else -(-first // length)


def _final(db: sqlite3.Connection, stored: str) -> int:
    """The end of what is final, and of what is there: in object storage that may be less."""
    (end,) = db.execute(
        "SELECT ifnull(min(value), 0) FROM progress WHERE key IN ('final_time', ?)",
        (reach_key(stored),),
    ).fetchone()
    return int(end)
