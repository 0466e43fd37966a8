"""Reads what `ticks.db` tells about capture; the cost depends on symbols, not on history."""

import sqlite3

from spreadlake.lake import Lake, read_counters, read_status
from spreadlake.lake.databases.meta import read_meta
from spreadlake.lake.ticks.gaps import Gap, gap_counts, newest_gaps
from spreadlake.lake.ticks.rolls import hour_spans, missing_hours
from spreadlake.lake.ticks.symbols import newest_trade_ms, read_symbols
from spreadlake.status.model import (
    ConnectionReport,
    GapReport,
    MissingReport,
    SymbolReport,
    WarmStartReport,
)
from spreadlake.status.snapshots import snapshot

MOST_GAPS = 100


def read_identity(db: sqlite3.Connection) -> tuple[str | None, str | None]:
    """(origin, kind of trades) of the lake; None where it holds nothing yet."""
    return read_meta(db, "origin"), read_meta(db, "trade_kind")


def report_symbols(db: sqlite3.Connection) -> list[SymbolReport]:
    """All symbols of the lake, with the gaps that are not repaired."""
    opened, lost = gap_counts(db, "open"), gap_counts(db, "lost")
    return [
        SymbolReport(
            row.symbol,
            row.last_price,
            row.ticks,
            row.last_time_ms / 1000,
            opened.get(row.symbol, 0),
            lost.get(row.symbol, 0),
        )
        for row in read_symbols(db)
    ]


def read_not_trading(db: sqlite3.Connection) -> dict[str, str]:
    """Captured symbols that do not trade at the exchange, each with the exchange's status."""
    status = read_status(db).get("collector", ({}, 0))[0]
    held = status.get("not_trading") if isinstance(status, dict) else None
    return dict(held) if isinstance(held, dict) else {}


def report_connections(db: sqlite3.Connection) -> list[ConnectionReport]:
    """The connections that carry the same symbols; none where there is one only."""
    counters = read_counters(db)
    numbers = sorted(int(label) for name, label in counters if name == "first")
    return [
        ConnectionReport(
            number,
            *(
                int(counters.get((name, str(number)), 0))
                for name in ("first", "repeated", "single_gaps")
            ),
        )
        for number in numbers
    ]


def read_warm_start(db: sqlite3.Connection) -> WarmStartReport | None:
    """How far the collector is with recent history; None where nothing of it is missing."""
    status = read_status(db).get("collector", ({}, 0))[0]
    left = status.get("warm_start") if isinstance(status, dict) else None
    return WarmStartReport(**left) if isinstance(left, dict) else None


def report_gaps(db: sqlite3.Connection) -> list[GapReport]:
    """The newest gaps that are open or lost, open ones first."""
    gaps = [*newest_gaps(db, "open", MOST_GAPS), *newest_gaps(db, "lost", MOST_GAPS)]
    return [_report(gap) for gap in gaps[:MOST_GAPS]]


def _report(gap: Gap) -> GapReport:
    found_at = gap.found_ms / 1000
    return GapReport(
        gap.symbol, *gap.range, gap.range.size, gap.state, found_at, gap.cause, gap.message
    )


def read_missing(db: sqlite3.Connection, lake: Lake) -> list[MissingReport]:
    """Hours that were rolled to Parquet, and whose files are gone."""
    return [
        MissingReport(symbol, start_ms // 1000, end_ms // 1000, rows)
        for symbol, start_ms, end_ms, rows in hour_spans(missing_hours(db, lake))
    ]


def last_trade_ms(lake: Lake) -> int | None:
    """Exchange time of the latest trade in the lake, Unix ms; None where there is none."""
    with snapshot(lake.ticks_db) as db:
        if db is None:
            return None
        return newest_trade_ms(db)
