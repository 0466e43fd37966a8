"""Bars of a lake as a frame that reads what is asked of it: symbols, times and columns."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.breaks import read_breaks
from spreadlake.lake.analytics.removal import refuse_removed_rows, removed_before
from spreadlake.quant.breaks import between_breaks
from spreadlake.research.bar_source import BarSource
from spreadlake.research.frames.lazy import Asked, lazy_frame, with_datetimes
from spreadlake.research.frames.predicates import symbols_meeting
from spreadlake.research.spans import Span
from spreadlake.schemas import BARS_SCHEMA, UTC_TIME
from spreadlake.series import BARS
from spreadlake.status.snapshots import snapshot

BARS_FRAME = pl.Schema(
    [(name, UTC_TIME if name == "time" else kind) for name, kind in BARS_SCHEMA.items()]
)
WIDE = tuple(name for name in BARS_SCHEMA if name not in ("symbol", "time"))
"""What a bar has one value of, which may stand in the columns of symbols."""

_CELLS = 500_000  # bars read at a time, of all symbols together


@contextmanager
def analytics_of(lake: Lake) -> Iterator[sqlite3.Connection]:
    """A reader of the lake's bars; InputError where there are none yet."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            raise InputError(
                f"the lake {lake.root} has no bars yet; run spreadlake analyse --once on it"
            )
        yield db


class _Bars(NamedTuple):
    """Bars of `source` with `low` <= absolute number < `high`, but for those within `breaks` (s).

    No others are there: none is final beyond `high`, and those before `low` are not asked for.
    """

    source: BarSource
    low: int
    high: int
    breaks: list[tuple[int, int]]

    @classmethod
    def of(cls, db: sqlite3.Connection, lake: Lake, source: BarSource, span: Span) -> "_Bars":
        """RemovedError where the span begins, or lies, before what is kept."""
        refuse_removed_rows(db, lake, BARS, source.stored, span.start, _last(span.end))
        length, (first, last) = source.length, span.whole(source.length)
        low = -(-removed_before(db, BARS, source.stored) // length) if first is None else first
        low = max([low, min(source.first.values(), default=low)])
        high = source.end if last is None else min(last, source.end)
        return cls(source, low, high, read_breaks(db))

    def pieces(self, asked: Asked, symbols: int) -> Iterator[tuple[int, int]]:
        """[low, high) of so many bars at a time, as far as they are asked for, in order."""
        length, step = self.source.length, max(1, _CELLS // max(1, symbols))
        start, end = asked.seconds(self.low * length, self.high * length)
        low, high = max(self.low, start // length), min(self.high, -(-end // length))
        at = low
        for begin, stop in between_breaks(self.breaks, low * length, high * length):
            # A long bar may hold both ends of a break.
            at, end = max(at, begin // length), -(-stop // length)
            while at < end:
                yield at, min(at + step, end)
                at = min(at + step, end)


def bars_frame(
    lake: Lake, symbols: Sequence[str] | None, timeframe: str, span: Span
) -> pl.LazyFrame:
    """Bars of `span` by symbol and time; None: of all symbols that have such bars.

    InputError for a symbol without bars, and for a timeframe that those there are do not divide.
    When it is collected: RemovedError where the span begins, or lies, before what is kept.
    """
    source = _source(lake, symbols, timeframe)

    def read(asked: Asked) -> Iterator[pl.DataFrame]:
        with analytics_of(lake) as db:
            bars = _Bars.of(db, lake, _now(db, source, timeframe), span)
        for symbol in symbols_meeting(asked.predicate, list(source.first)):
            for low, high in bars.pieces(asked, 1):
                with analytics_of(lake) as db:
                    rows = bars.source.read(db, symbol, low, high, asked.columns)
                yield with_datetimes(rows)

    return lazy_frame(BARS_FRAME, read)


def wide_bars_frame(
    lake: Lake, symbols: Sequence[str] | None, timeframe: str, span: Span, value: str
) -> pl.LazyFrame:
    """One value of the same bars: a row a time at which any of them has a bar, a column a symbol.

    A symbol without a bar then has no value; none is carried on but those that bars carry.
    """
    if not isinstance(value, str) or value not in WIDE:
        raise InputError(f"wide={value!r}: bars have one of {', '.join(WIDE)}")
    source = _source(lake, symbols, timeframe)
    names = list(source.first)
    schema = pl.Schema([("time", UTC_TIME), *((name, BARS_SCHEMA[value]) for name in names)])

    def read(asked: Asked) -> Iterator[pl.DataFrame]:
        with analytics_of(lake) as db:
            bars = _Bars.of(db, lake, _now(db, source, timeframe), span)
        for low, high in bars.pieces(asked, len(names)):
            with analytics_of(lake) as db:
                # Whoever is not asked for has times nevertheless: the rows are the same.
                columns = [
                    _column(db, bars.source, name, (low, high), asked.columns, value)
                    for name in names
                ]
            rows = pl.concat([one.select("time") for one in columns]).unique().sort("time")
            for column in columns:
                if column.width > 1:
                    rows = rows.join(column, on="time", how="left", maintain_order="left")
            yield with_datetimes(rows)

    return lazy_frame(schema, read)


def _column(
    db: sqlite3.Connection,
    source: BarSource,
    symbol: str,
    numbers: tuple[int, int],
    symbols: Collection[str],
    value: str,
) -> pl.DataFrame:
    """The times of a symbol's bars, and their values where it is among the `symbols`."""
    if symbol not in symbols:
        return source.read(db, symbol, *numbers, ("time",)).select("time")
    bars = source.read(db, symbol, *numbers, ("time", value))
    return bars.select("time", pl.col(value).alias(symbol))


def _source(lake: Lake, symbols: Sequence[str] | None, timeframe: str) -> BarSource:
    """Of the symbols in the order given, each once."""
    with analytics_of(lake) as db:
        if symbols is None:
            return BarSource.of_those_with_bars(db, lake, timeframe, None)[0]
        return BarSource.of(db, lake, timeframe, list(dict.fromkeys(symbols)))


def _now(db: sqlite3.Connection, source: BarSource, timeframe: str) -> BarSource:
    """The same with the bars that are final by now."""
    return BarSource.of(db, source.lake, timeframe, list(source.first))


def _last(end: float | None) -> float | None:
    """A time within what ends before `end`, for whoever asks whether it is kept."""
    return None if end is None else end - 1e-3
