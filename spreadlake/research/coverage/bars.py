"""What a lake has of the bars of each symbol, and where there are none."""

import sqlite3
from collections.abc import Iterator

import polars as pl

from spreadlake.errors import DamagedFileError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.archive import Piece, days
from spreadlake.lake.analytics.breaks import read_breaks, read_kline_runs, read_stops
from spreadlake.lake.analytics.removal import removed_before
from spreadlake.lake.analytics.rows import last_time, read_frame
from spreadlake.lake.files import is_there
from spreadlake.lake.reading import ask
from spreadlake.research.coverage.stretches import BarsKnown, Extent, Stretch
from spreadlake.series import BARS, BarKey
from spreadlake.times import timeframe_seconds

_BREAK = "no symbol traded: nothing was captured then, or other times were imported"
_AWAY = "it was not captured, or had ended, and no trade of it came"
_REMOVED = "removed to make room (storage.keep_days, storage.max_gib)"
_EVER = 2**40


def bars_known(db: sqlite3.Connection, lake: Lake) -> BarsKnown:
    """Of all symbols; of a lake of any age. `db` is a snapshot of its `analytics.db`."""
    known = BarsKnown()
    rows = db.execute("SELECT symbol, timeframe, time FROM first_bars ORDER BY 1, 2").fetchall()
    for symbol, timeframe, first in rows:
        key, length = BarKey(symbol, timeframe), timeframe_seconds(timeframe)
        last = last_time(db, lake, key, _EVER)
        if last is None:
            continue
        span = Extent(first * 1000, (last + length) * 1000)
        held = _count(db, lake, key)
        known.stretches.append(Stretch(symbol, "bars", *span, "", None, held, timeframe))
        before = known.extents.get(symbol, span)
        known.extents[symbol] = Extent(min(before.start, span.start), max(before.end, span.end))
        if end := removed_before(db, BARS, timeframe):
            why = Stretch(symbol, "removed", None, end * 1000, _REMOVED, timeframe=timeframe)
            known.stretches.append(why)
    for symbol, start, end in read_kline_runs(db):
        known.kline_runs.setdefault(symbol, []).append(Extent(start * 1000, end * 1000))
    known.stretches += _stopped(db, known)
    known.stretches += _breaks(db, known)
    return known


def _count(db: sqlite3.Connection, lake: Lake, key: BarKey) -> int:
    """How many bars there are, each once, by the footers of files where nothing else is beside."""
    low, held = db.execute(
        f"SELECT min(time), count(*) FROM bars WHERE {BARS.is_series}", key
    ).fetchone()
    for day in days(lake, BARS, key.timeframe, key.symbol, 0, _EVER):
        rows = _rows_of(lake, day) if low is None or day.end <= low else None
        if rows is None:  # some may be in two places
            both = read_frame(db, lake, key, day.start, day.end, ("time",)).height
            (hot,) = db.execute(
                f"SELECT count(*) FROM bars WHERE {BARS.is_series} AND time >= ? AND time < ?",
                (*key, day.start, day.end),
            ).fetchone()
            rows = both - hot
        held += rows
    return int(held)


def _rows_of(lake: Lake, day: Piece) -> int | None:
    """By the footers of its files; None where they have to be read."""
    hours, whole = day.hours(lake), is_there(lake, day.path(lake))
    if hours and whole:
        return None
    try:
        paths = [day.path(lake)] if whole else [hour.path(lake) for hour in hours]
        return sum(ask(lake, path, _rows_in) for path in paths)
    except DamagedFileError:
        return None


def _rows_in(file: pl.LazyFrame) -> int:
    return int(file.select(pl.len()).collect().item())


def _stopped(db: sqlite3.Connection, known: BarsKnown) -> Iterator[Stretch]:
    """From where a symbol's bars stop to where they go on."""
    ends = [span.end for span in known.extents.values()]
    for symbol, start, back in read_stops(db):
        if back is None:
            known.away[symbol] = start * 1000
        end = back * 1000 if back is not None else max([start * 1000, *ends])
        yield Stretch(symbol, "away", start * 1000, end, _AWAY)


def _breaks(db: sqlite3.Connection, known: BarsKnown) -> Iterator[Stretch]:
    """Within each symbol's time."""
    breaks = [Extent(start * 1000, end * 1000) for start, end in read_breaks(db)]
    for symbol, own in known.extents.items():
        for one in breaks:
            if own.start < one.end and one.start < own.end:
                yield Stretch(symbol, "break", *one, _BREAK)
