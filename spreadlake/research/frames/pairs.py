"""Pair analytics of a lake as a frame: rows that it keeps, or the same computed from its bars."""

import sqlite3
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import polars as pl

from spreadlake.arguments import bars_of, prices_of
from spreadlake.lake import Lake
from spreadlake.lake.analytics.breaks import read_breaks
from spreadlake.lake.analytics.definition import definition_of
from spreadlake.lake.analytics.removal import refuse_removed_rows, removed_before
from spreadlake.lake.analytics.rows import first_rows, last_time, read_frame
from spreadlake.pairs import parse_pair
from spreadlake.quant.breaks import between_breaks
from spreadlake.quant.pair_rows import NUMBERS, bars_needed
from spreadlake.research.bar_source import BarSource
from spreadlake.research.frames.bars import analytics_of
from spreadlake.research.frames.lazy import Asked, lazy_frame, with_datetimes
from spreadlake.research.pair_series import computed_rows
from spreadlake.research.spans import Span
from spreadlake.schemas import UTC_TIME
from spreadlake.series import BARS, PAIR_ANALYTICS, Prices, SeriesKey

_FIRST = ("price_a", "price_b", "spread", "zscore")
_OTHERS = tuple(name for name in NUMBERS if name not in _FIRST)
_KINDS = {"hedge_bars": pl.Int64(), "prices": pl.String(), "time": UTC_TIME, "close_time": UTC_TIME}

PAIR_FRAME = pl.Schema(
    [
        (name, _KINDS.get(name, pl.Float64()))
        for name in ("time", *_FIRST, "close_time", *_OTHERS, "prices")
    ]
)
"""As `spreadlake csv` writes them."""

_ROWS = 50_000  # stored rows read at a time
_EVER = 2**62  # µs


class PairRequest(NamedTuple):
    """A series and the times asked of it; `prices` None: as the lake's own are computed."""

    key: SeriesKey
    prices: Prices | None
    span: Span


def pair_request(
    a: str,
    b: str,
    timeframe: str,
    window: int,
    lookback: int,
    prices: Prices | None,
    span: Span,
) -> PairRequest:
    """InputError for two of the same symbol, and for bars that no series has."""
    window, lookback = (
        bars_of(name, bars, sign="=") for name, bars in (("window", window), ("lookback", lookback))
    )
    prices = None if prices is None else prices_of(prices)
    pair = parse_pair(f"{a}/{b}")
    return PairRequest(SeriesKey(pair.name, timeframe, window, lookback), prices, span)


def pair_frame(lake: Lake, request: PairRequest) -> pl.LazyFrame:
    """The rows of a pair, in order of time, with the numbers that the analytics job stores.

    InputError for a symbol without bars, and for a timeframe that those there are do not divide.
    When it is collected: RemovedError where the span begins, or lies, before what is kept.
    """
    with analytics_of(lake) as db:
        length = BarSource.of(db, lake, request.key.timeframe, request.key.legs).length

    def read(asked: Asked) -> Iterator[pl.DataFrame]:
        for rows in _Reading.of(lake, request).pieces(asked):
            known = rows.with_columns(
                close_time=((pl.col("time") + length) * 1_000_000).cast(UTC_TIME)
            )
            yield with_datetimes(known)

    return lazy_frame(PAIR_FRAME, read)


def pair_pieces(lake: Lake, request: PairRequest) -> Iterator[pl.DataFrame]:
    """The same rows a piece at a time, without `close_time`; `time` is in Unix seconds."""
    names = [name for name in PAIR_FRAME if name != "close_time"]
    for rows in _Reading.of(lake, request).pieces(Asked(frozenset(names), -_EVER, _EVER)):
        yield rows.select(names)


class _Reading(NamedTuple):
    """Seconds [start, end) of a series: those before `computed` as stored, the others computed."""

    lake: Lake
    request: PairRequest
    source: BarSource
    breaks: list[tuple[int, int]]
    start: int
    computed: int
    end: int

    @classmethod
    def of(cls, lake: Lake, request: PairRequest) -> "_Reading":
        """RemovedError where the span begins, or lies, before what is kept."""
        key, span = request.key, request.span
        first, last = span.whole()
        within = None if last is None else last - 1
        with analytics_of(lake) as db:
            source = BarSource.of(db, lake, key.timeframe, key.legs)
            begin = max(source.first.values()) * source.length
            end = source.end * source.length if last is None else last
            bars_from = removed_before(db, BARS, source.stored)
            stored = _Stored(db, lake, key, 0 if first is None else first)
            if request.prices is None and stored.kept:
                refuse_removed_rows(db, lake, PAIR_ANALYTICS, key.timeframe, first, within)
                start, computed = stored.first_time(end), end
            elif request.prices is None and stored.first_time(bars_from) < bars_from:
                # Rows may be kept for longer than bars, and so may those that reach back to them.
                start = stored.first_time(bars_from)
                reach = bars_needed(
                    (key.window,), (key.lookback,), definition_of(db).max_stale_bars
                )
                last_kept = last_time(db, lake, key, bars_from + reach * source.length) or 0
                computed = min(max(last_kept + source.length, bars_from), end)
            else:
                refuse_removed_rows(db, lake, BARS, source.stored, first, within)
                start = computed = max(begin if first is None else first, bars_from)
            return cls(lake, request, source, read_breaks(db), start, computed, end)

    def pieces(self, asked: Asked) -> Iterator[pl.DataFrame]:
        """Rows of PAIR_FRAME, as far as they are asked for; times are still seconds."""
        start, end = asked.seconds(self.start, self.end)
        yield from self._stored(start, min(end, self.computed), asked.columns)
        start = max(start, self.computed)
        if start >= end:
            return
        with analytics_of(self.lake) as db:
            definition = definition_of(db)
        definition = definition._replace(prices=self.request.prices or definition.prices)
        kalman = "kalman_beta" in asked.columns
        key = self.request.key
        for rows in computed_rows(self.lake, key, definition, start, end - 1, kalman=kalman):
            yield rows.with_columns(prices=pl.lit(definition.prices))

    def _stored(self, start: int, end: int, columns: AbstractSet[str]) -> Iterator[pl.DataFrame]:
        step = _ROWS * self.source.length
        for begin, stop in between_breaks(self.breaks, start, end):
            for at in range(begin, stop, step):
                span = (at, min(at + step, stop))
                with analytics_of(self.lake) as db:
                    rows = read_frame(db, self.lake, self.request.key, *span, columns)
                # A lake of before lacks what is newer.
                lacking = [name for name in PAIR_FRAME if name in columns - {*rows.columns}]
                yield rows.with_columns(
                    pl.lit(None, PAIR_FRAME[name]).alias(name) for name in lacking
                ).with_columns(pl.col(name).fill_null("raw") for name in columns & {"prices"})


class _Stored(NamedTuple):
    """What a lake has of the rows of a series from the second `start` on."""

    db: sqlite3.Connection
    lake: Lake
    key: SeriesKey
    start: int

    @property
    def kept(self) -> bool:
        """Whether the job keeps them up to date, so that all of them are there."""
        query = f"SELECT 1 FROM pair_status WHERE {PAIR_ANALYTICS.is_series}"
        return self.db.execute(query, self.key).fetchone() is not None

    def first_time(self, end: int) -> int:
        """The time of the first of them, as far as any is asked for; `end` where none is before."""
        rows = first_rows(self.db, self.lake, self.key, ["time"], self.start, end, 1)
        return int(rows[0][0]) if rows else end
