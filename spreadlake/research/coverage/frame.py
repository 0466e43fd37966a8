"""What a lake has of each symbol, from when to when, what is missing, and why."""

from collections.abc import Iterator, Sequence

import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.ticks.universe import UniverseRow
from spreadlake.research.coverage.bars import bars_known
from spreadlake.research.coverage.stretches import HELD, BarsKnown, Extent, Stretch, TradesKnown
from spreadlake.research.coverage.trades import trades_known
from spreadlake.research.frames.lazy import with_datetimes
from spreadlake.schemas import UTC_TIME
from spreadlake.status.snapshots import snapshot
from spreadlake.times import iso_utc

COVERAGE_FRAME = pl.Schema(
    [
        ("symbol", pl.String()),
        ("kind", pl.String()),
        ("timeframe", pl.String()),
        ("start", UTC_TIME),
        ("end", UTC_TIME),
        ("trades", pl.Int64()),
        ("bars", pl.Int64()),
        ("missing", pl.Boolean()),
        ("reason", pl.String()),
    ]
)

_QUIET_MS = 900_000  # a symbol that is silent for less is no news: as long as a break is


def coverage_frame(lake: Lake, symbols: Sequence[str] | None) -> pl.DataFrame:
    """A row for what is there of each symbol, and one for each stretch that is missing.

    `kind` is `trades`, or `bars` of a `timeframe`, where they are there. Where they are `missing`
    it says how: `gap` (ids that are missing between two trades), `files` (they were there and are
    gone), `removed` (on purpose, to make room), `break` (nothing was captured), `away` (the symbol
    was not captured, or had ended), `klines` (bars, and no trades), `before`, `after` and `nothing`
    (compared with all that the lake has), `unprocessed` (trades of which there are no bars yet).
    InputError for a symbol of which it knows nothing.
    """
    with snapshot(lake.ticks_db) as db:
        trades = TradesKnown() if db is None else trades_known(db, lake)
    with snapshot(lake.analytics_db) as db:
        bars = BarsKnown() if db is None else bars_known(db, lake)
    told = [_told(row, trades, bars) for row in bars.stretches]
    rows = [*trades.stretches, *told, *_compared(trades, bars)]
    there = {row.symbol for row in rows}
    wanted = there if symbols is None else set(symbols)
    if unknown := wanted - there:
        known = ", ".join(sorted(there)) or "none yet"
        raise InputError(f"the lake has nothing of {', '.join(map(str, unknown))}; it has {known}")
    return _frame(row for row in rows if row.symbol in wanted)


def _frame(rows: Iterator[Stretch]) -> pl.DataFrame:
    ordered = sorted(
        rows,
        key=lambda row: (row.symbol, row.kind not in HELD, row.start or 0, row.end or 0, row.kind),
    )
    values = [
        (
            row.symbol, row.kind, row.timeframe, row.start, row.end, row.trades, row.bars,
            row.kind not in HELD, row.reason,
        )
        for row in ordered
    ]  # fmt: skip
    kinds = COVERAGE_FRAME | {"start": pl.Int64(), "end": pl.Int64()}
    frame = pl.DataFrame(values, schema=kinds, orient="row")
    return with_datetimes(with_datetimes(frame, "ms", "start"), "ms", "end")


def _compared(trades: TradesKnown, bars: BarsKnown) -> Iterator[Stretch]:
    """What is seen only beside the other symbols, or beside the other database."""
    every = {*trades.extents, *bars.extents, *trades.klines, *_captured(trades)}
    held = {symbol: _extent(symbol, trades, bars) for symbol in every}
    spans = [span for span in held.values() if span is not None]
    lake = Extent.around(spans)
    for symbol, span in held.items():
        chosen = trades.universe.get(symbol)
        if lake is None or span is None:
            why = "it is captured, and no trade of it has come yet"
            yield Stretch(symbol, "nothing", None, None, why)
            continue
        yield from _outside(symbol, span, lake, chosen, bars.away.get(symbol))
        yield from _of_klines_alone(symbol, trades, bars)
        yield from _unprocessed(symbol, trades, bars)


def _captured(trades: TradesKnown) -> set[str]:
    return {symbol for symbol, row in trades.universe.items() if row.captured}


def _extent(symbol: str, trades: TradesKnown, bars: BarsKnown) -> Extent | None:
    known = (trades.extents.get(symbol), bars.extents.get(symbol), *trades.klines.get(symbol, ()))
    return Extent.around([one for one in known if one is not None])


def _outside(
    symbol: str, span: Extent, lake: Extent, chosen: UniverseRow | None, away: int | None
) -> Iterator[Stretch]:
    """Before its first and after its last, where others have something."""
    if span.start - lake.start > _QUIET_MS:
        why = f"captured, or imported, from {iso_utc(span.start // 1000)} on"
        listed = None if chosen is None else chosen.listed_ms
        if listed is not None and lake.start < listed <= span.start:
            why = f"it was listed at {iso_utc(listed // 1000)}"
        yield Stretch(symbol, "before", lake.start, span.start, why)
    if away is None and lake.end - span.end > _QUIET_MS:
        yield Stretch(symbol, "after", span.end, lake.end, _why_silent(chosen))


def _told(row: Stretch, trades: TradesKnown, bars: BarsKnown) -> Stretch:
    """Of a symbol that is away now the collector knows why."""
    chosen = trades.universe.get(row.symbol)
    if row.kind != "away" or row.start != bars.away.get(row.symbol) or chosen is None:
        return row
    return row if chosen.captured else row._replace(reason=_why_silent(chosen))


def _why_silent(chosen: UniverseRow | None) -> str:
    if chosen is None:
        return "nothing came since then; the lake does not say why"
    if not chosen.captured:
        return f"it is not captured: {chosen.reason}"
    if chosen.trading == 0:
        return f"it does not trade at any time: its status is {chosen.status or 'not known'}"
    return "it is captured, and no trade of it came since then"


def _of_klines_alone(symbol: str, trades: TradesKnown, bars: BarsKnown) -> Iterator[Stretch]:
    own = trades.extents.get(symbol)
    for run in bars.kline_runs.get(symbol) or trades.klines.get(symbol) or []:
        end = run.end if own is None else min(run.end, own.start)
        if run.start < end:
            why = "klines alone: bars of whole minutes, and no trades"
            yield Stretch(symbol, "klines", run.start, end, why)


def _unprocessed(symbol: str, trades: TradesKnown, bars: BarsKnown) -> Iterator[Stretch]:
    own, done = trades.extents.get(symbol), bars.extents.get(symbol)
    if own is None or bars.away.get(symbol) is not None:
        return
    start = own.start if done is None else done.end
    if own.end - start > _QUIET_MS:
        why = "no bars yet: the analytics job has not taken these trades in"
        yield Stretch(symbol, "unprocessed", start, own.end, why)
