"""What a lake has of the trades of each symbol, and which of them are missing."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import polars as pl

from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.ticks.gaps import IMPORT, Gap, newest_gaps
from spreadlake.lake.ticks.id_times import times_of_ids
from spreadlake.lake.ticks.klines import kline_changes
from spreadlake.lake.ticks.removal import RemovedSpan, removed_days, removed_spans
from spreadlake.lake.ticks.rolls import hour_spans, missing_hours
from spreadlake.lake.ticks.symbols import (
    SymbolRow,
    first_trade_ms,
    read_symbols,
    symbols_with_trades,
)
from spreadlake.lake.ticks.trades import read_trades, trade_days
from spreadlake.lake.ticks.universe import read_universe
from spreadlake.research.coverage.stretches import Extent, Stretch, TradesKnown
from spreadlake.research.frames.trades import trades_frame
from spreadlake.research.spans import Span
from spreadlake.schemas import TRADES_SCHEMA

_EVER_MS = 2**52
_TIMES = pl.Schema({name: TRADES_SCHEMA[name] for name in ("symbol", "trade_id", "time_ms")})
_REMOVED = "removed to make room (storage.keep_days, storage.max_gib)"
_GONE = "their files were there and are gone; put them back, or import these days again"


def trades_known(db: sqlite3.Connection, lake: Lake) -> TradesKnown:
    """Of all symbols; of a lake of any age. `db` is a snapshot of its `ticks.db`."""
    known = TradesKnown()
    known.universe = {row.symbol: row for row in read_universe(db).rows}
    for change in kline_changes(db, 0):
        span = Extent(change.first * 1000, (change.last + 60) * 1000)
        before = known.klines.get(change.symbol, [])
        known.klines[change.symbol] = [one for one in [Extent.around([*before, span])] if one]
    gone = list(hour_spans(missing_hours(db, lake)))
    lost = Counter[str]()
    for symbol, start, end, rows in gone:
        lost[symbol] += rows
        known.stretches.append(Stretch(symbol, "files", start, end, _GONE, rows))
    removed = removed_spans(db, None, 0, _EVER_MS)
    for one in removed:
        lost[one.symbol] += one.rows
    known.stretches += _removed(db, removed)
    for row in read_symbols(db):
        extent = _extent(db, lake, row)
        known.extents[row.symbol] = extent
        held = max(0, row.ticks - lost[row.symbol])
        known.stretches.append(Stretch(row.symbol, "trades", *extent, trades=held))
    for symbol in symbols_with_trades(db) - known.extents.keys():
        known.stretches += _not_on_record(known, lake, symbol)
    known.stretches += _gaps(db, lake)
    return known


def _extent(db: sqlite3.Connection, lake: Lake, row: SymbolRow) -> Extent:
    """From its first trade to just after its last."""
    try:
        start = _first_ms(lake, row.symbol)
    except LakeError:  # a file that is gone or damaged: about when it was
        start = first_trade_ms(db, row.symbol)
    return Extent(row.last_time_ms if start is None else start, row.last_time_ms + 1)


def _first_ms(lake: Lake, symbol: str) -> int | None:
    for day in trade_days(lake, symbol, -_EVER_MS, _EVER_MS):
        times = read_trades(lake, day, day + DAY_MS, [symbol], schema=_TIMES, removed_too=True)
        if times.height:
            return int(times["time_ms"][0])
    return None


def _not_on_record(known: TradesKnown, lake: Lake, symbol: str) -> Iterator[Stretch]:
    """Of a symbol whose trades another program has put into SQLite."""
    time = pl.col("time").dt.epoch("ms")
    trades = trades_frame(lake, [symbol], Span(None, None))
    first, last, held = (
        trades.select(time.min(), time.max().alias("last"), pl.len()).collect().row(0)
    )
    extent = known.extents[symbol] = Extent(first, last + 1)
    yield Stretch(symbol, "trades", *extent, trades=held)


def _removed(db: sqlite3.Connection, spans: Sequence[RemovedSpan]) -> Iterator[Stretch]:
    """Days in a row that are not back; how many trades they had, where all of them went."""
    rows = {(one.symbol, one.start_ms, one.end_ms): one.rows for one in spans}
    days = sorted((day.symbol, day.day_ms) for day in removed_days(db, None, 0, _EVER_MS))
    for symbol, own in groupby(days, lambda day: day[0]):
        starts = [start for _, start in own]
        runs: list[list[int]] = []
        for start in starts:
            if runs and runs[-1][1] == start:
                runs[-1][1] = start + DAY_MS
            else:
                runs.append([start, start + DAY_MS])
        for start, end in runs:
            yield Stretch(symbol, "removed", start, end, _REMOVED, rows.get((symbol, start, end)))


def _gaps(db: sqlite3.Connection, lake: Lake) -> Iterator[Stretch]:
    """Each between the times of the trades around it."""
    gaps = sorted(
        [*newest_gaps(db, "open"), *newest_gaps(db, "lost")],
        key=lambda gap: (gap.symbol, gap.range),
    )
    for symbol, own in groupby(gaps, lambda gap: gap.symbol):
        runs = list(_runs(list(own)))
        around = {one for run in runs for one in (run[0].range.first - 1, run[-1].range.last + 1)}
        times = times_of_ids(db, lake, symbol, around)
        for run in runs:
            start = times.get(run[0].range.first - 1)
            end = times.get(run[-1].range.last + 1)
            for gap in run:
                yield Stretch(symbol, "gap", start, end, _why(gap), gap.range.size)


def _runs(gaps: Sequence[Gap]) -> Iterator[list[Gap]]:
    """Those with no id between them."""
    run: list[Gap] = []
    for gap in gaps:
        if run and gap.range.first > run[-1].range.last + 1:
            yield run
            run = []
        run.append(gap)
    if run:
        yield run


def _why(gap: Gap) -> str:
    if gap.cause == IMPORT:
        return gap.message
    state = "being repaired" if gap.state == "open" else "beyond repair"
    return f"{state} ({gap.cause})" + (f": {gap.message}" if gap.message else "")
