"""Reads what `ticks.db` tells about capture; the cost depends on symbols, not on history."""

import sqlite3
from collections.abc import Iterator
from typing import Literal

from spreadlake.lake import Lake, read_status
from spreadlake.lake.ticks.rolls import hour_spans, missing_hours
from spreadlake.status.model import GapReport, MissingReport, SymbolReport
from spreadlake.status.snapshots import snapshot

MOST_GAPS = 100


def read_identity(db: sqlite3.Connection) -> tuple[str | None, str | None]:
    """(origin, kind of trades) of the lake; None where it holds nothing yet."""
    held = dict(db.execute("SELECT key, value FROM meta").fetchall())
    return held.get("origin"), held.get("trade_kind")


def read_symbols(db: sqlite3.Connection) -> list[SymbolReport]:
    """All symbols of the lake, with the gaps that are not repaired."""
    rows = db.execute(
        """
        SELECT symbol, last_price, ticks, last_time_ms,
          (SELECT count(*) FROM gaps WHERE state = 'open' AND gaps.symbol = symbols.symbol),
          (SELECT count(*) FROM gaps WHERE state = 'lost' AND gaps.symbol = symbols.symbol)
        FROM symbols ORDER BY symbol
        """
    ).fetchall()
    return [
        SymbolReport(symbol, price, ticks, time_ms / 1000, gaps_open, gaps_lost)
        for symbol, price, ticks, time_ms, gaps_open, gaps_lost in rows
    ]


def read_not_trading(db: sqlite3.Connection) -> dict[str, str]:
    """Captured symbols that do not trade at the exchange, each with the exchange's status."""
    status = read_status(db).get("collector", ({}, 0))[0]
    held = status.get("not_trading") if isinstance(status, dict) else None
    return dict(held) if isinstance(held, dict) else {}


def read_gaps(db: sqlite3.Connection) -> list[GapReport]:
    """The newest gaps that are open or lost, open ones first."""
    gaps = [gap for state in ("open", "lost") for gap in _gaps_in_state(db, state)]
    return gaps[:MOST_GAPS]


def _gaps_in_state(db: sqlite3.Connection, state: Literal["open", "lost"]) -> Iterator[GapReport]:
    # The state stands in the text, and the + before id, so that SQLite uses that state's index.
    rows = db.execute(
        f"""
        SELECT symbol, first_id, last_id, last_id - first_id + 1, state, found_ms / 1000.0, cause,
          message
        FROM gaps WHERE state = '{state}' ORDER BY +id DESC LIMIT {MOST_GAPS}
        """
    )
    return (GapReport(*row) for row in rows)


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
        latest: int | None = db.execute("SELECT max(last_time_ms) FROM symbols").fetchone()[0]
    return latest
