"""Who is captured and why, as the collector left it in the lake; it need not run.

The field names are the keys of `spreadlake symbols --json`.
"""

import sqlite3
from dataclasses import dataclass, field

from spreadlake.lake.ticks.universe import (
    UniverseLook,
    UniverseRow,
    captured_symbols,
    read_universe,
)

_OF_BEFORE = "captured when a collector of an earlier version last ran"


@dataclass(frozen=True)
class SymbolChoice:
    """A symbol that is captured or not, and why; times are Unix seconds.

    `status`, `contract` and `quote` are as the exchange calls them, empty where they are not known;
    `quote_volume` is of 24 hours. `listed_at` is when it first traded or will, `delivery_at` when
    it ends, once that is announced, `since` when it last came in or went out.
    """

    symbol: str
    captured: bool
    reason: str
    status: str
    contract: str
    quote: str
    quote_volume: float | None
    rank: int | None
    listed_at: float | None
    delivery_at: float | None
    since: float | None


@dataclass(frozen=True)
class UniverseReport:
    """How many symbols are captured of those that are known, and by which rules.

    `looked_at` is when the exchange's list was last read, `trouble` why a later one did not count.
    `deliveries` are the captured symbols whose end is announced, with its time. `trading` says of
    captured symbols whether trades are to be expected at any time, where the exchange told. Times
    are Unix seconds, None: never.
    """

    captured: int = 0
    known: int = 0
    rules: str = ""
    looked_at: float | None = None
    trouble: str = ""
    deliveries: dict[str, float] = field(default_factory=dict)
    trading: dict[str, bool] = field(default_factory=dict)


def read_choices(db: sqlite3.Connection) -> tuple[UniverseReport, list[SymbolChoice]]:
    """The report, and every symbol, those captured first; of a lake of any age."""
    look = read_universe(db)
    if not look.rows:
        # Not in the order of the names: it is that of the pairs.
        of_before = enumerate(captured_symbols(db) or ())
        look = UniverseLook([UniverseRow(s, place, _OF_BEFORE) for place, s in of_before])
    return _report(look), [_choice(row) for row in look.rows]


def report_universe(db: sqlite3.Connection) -> UniverseReport:
    """The report alone."""
    return read_choices(db)[0]


def _report(look: UniverseLook) -> UniverseReport:
    captured = [row for row in look.rows if row.captured]
    ends = sorted((row.delivery_ms, row.symbol) for row in captured if row.delivery_ms is not None)
    return UniverseReport(
        len(captured),
        len(look.rows),
        look.rules,
        _seconds(look.looked_ms),
        look.trouble,
        {symbol: at_ms / 1000 for at_ms, symbol in ends},
        {row.symbol: bool(row.trading) for row in captured if row.trading is not None},
    )


def _choice(row: UniverseRow) -> SymbolChoice:
    return SymbolChoice(
        row.symbol,
        row.captured,
        row.reason,
        row.status,
        row.contract,
        row.quote,
        row.quote_volume,
        row.rank,
        _seconds(row.listed_ms),
        _seconds(row.delivery_ms),
        _seconds(row.since_ms),
    )


def _seconds(time_ms: int | None) -> float | None:
    return None if time_ms is None else time_ms / 1000
