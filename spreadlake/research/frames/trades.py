"""Trades of a lake as a frame that reads what is asked of it: symbols, days and columns."""

from collections.abc import Iterator, Sequence
from contextlib import closing

import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.files import values_in
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.ticks.klines import symbols_of_klines_alone
from spreadlake.lake.ticks.removal import refuse_removed
from spreadlake.lake.ticks.symbols import symbols_with_trades
from spreadlake.lake.ticks.trades import read_trades, trade_days
from spreadlake.research.frames.lazy import Asked, lazy_frame, with_datetimes
from spreadlake.research.frames.predicates import symbols_meeting
from spreadlake.research.spans import Span
from spreadlake.schemas import TICKS_SCHEMA, UTC_TIME
from spreadlake.status.snapshots import snapshot
from spreadlake.words import listed

TRADES_FRAME = pl.Schema(
    [
        ("symbol", pl.String()),
        ("time", UTC_TIME),
        *((name, kind) for name, kind in TICKS_SCHEMA.items() if name not in ("symbol", "time_ms")),
    ]
)

_NEEDED = {"symbol", "trade_id", "time_ms"}  # to tell trades apart, and to put them in order
_EVER_MS = (-(2**52), 2**52)


def trades_frame(lake: Lake, symbols: Sequence[str] | None, span: Span) -> pl.LazyFrame:
    """Trades of `span` by symbol, time and id, each once; None: of all symbols.

    InputError for a symbol that the lake has no trades of. When it is collected: RemovedError where
    the span begins, or lies, before what is kept, MissingFileError where files are gone.
    """
    names = _with_trades(lake, symbols)

    def read(asked: Asked) -> Iterator[pl.DataFrame]:
        for symbol in symbols_meeting(asked.predicate, names):
            yield from _of_symbol(lake, symbol, span, asked)

    return lazy_frame(TRADES_FRAME, read)


def _of_symbol(lake: Lake, symbol: str, span: Span, asked: Asked) -> Iterator[pl.DataFrame]:
    """A day at a time, each as the lake is then: a trade is not moved from one to another."""
    first, last = span.whole(1e-3)
    _refuse_removed(lake, symbol, first, last)
    start = max(_EVER_MS[0] if first is None else first, asked.low // 1000)
    end = min(_EVER_MS[1] if last is None else last, -(-asked.high // 1000))
    kept = {name: kind for name, kind in TICKS_SCHEMA.items() if name in asked.columns | _NEEDED}
    for day in trade_days(lake, symbol, start, end) if start < end else ():
        low, high = max(day, start), min(day + DAY_MS, end)
        schema = pl.Schema(kept)
        trades = read_trades(lake, low, high, [symbol], schema=schema, removed_too=first is None)
        yield with_datetimes(trades.rename({"time_ms": "time"}), "ms")


def _refuse_removed(lake: Lake, symbol: str, first: int | None, last: int | None) -> None:
    """Where no start was asked for, it is the first day that is kept."""
    if first is None and last is None:
        return
    end = _EVER_MS[1] if last is None else last
    start = end - 1 if first is None else first
    with explaining(lake.ticks_db), closing(open_reader(lake.ticks_db)) as db:
        refuse_removed(db, lake, [symbol], start, end)


def _with_trades(lake: Lake, symbols: Sequence[str] | None) -> list[str]:
    with snapshot(lake.ticks_db) as db:
        stored = set() if db is None else symbols_with_trades(db)
        klines = set() if db is None else set(symbols_of_klines_alone(db)) - stored
    filed = values_in(lake, lake.ticks_dir, "symbol") if lake.ticks_db.exists() else ()
    known = sorted(stored.union(filed))
    for symbol in symbols or ():
        if symbol in klines:
            raise InputError(
                f"the lake has no trades of {symbol}: of it there are klines alone, which are bars"
            )
        if symbol not in known:
            there = f"it has those of {listed(known)}" if known else "it has none of any symbol"
            raise InputError(f"the lake has no trades of {symbol}; {there}")
    return known if symbols is None else list(dict.fromkeys(symbols))
