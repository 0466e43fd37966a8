"""Breaks in trading, as `analytics.db` keeps them, for whoever computes over its bars."""

import sqlite3

from spreadlake.lake.databases.meta import has_table
from spreadlake.quant.breaks import cuts_of


def read_breaks(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """Seconds [start, end) in which no symbol traded and no bars are, in order."""
    if not has_table(db, "breaks"):
        return []
    return db.execute('SELECT "start", "end" FROM breaks ORDER BY "start"').fetchall()


def read_stops(db: sqlite3.Connection) -> list[tuple[str, int, int | None]]:
    """(symbol, second from which it has no bars, second from which it has them again), in order.

    None: it has none since.
    """
    if not has_table(db, "stops"):
        return []
    return db.execute(
        "SELECT symbol, time, (SELECT min(j.time) FROM joins AS j WHERE j.symbol = s.symbol "
        "AND j.time >= s.time) FROM stops AS s ORDER BY symbol, time"
    ).fetchall()


def read_kline_runs(db: sqlite3.Connection) -> list[tuple[str, int, int]]:
    """(symbol, start, end) of the seconds of which klines are in its bars, in order."""
    if not has_table(db, "kline_runs"):
        return []
    return db.execute(
        'SELECT symbol, "start", "end" FROM kline_runs ORDER BY symbol, "start"'
    ).fetchall()


def read_cuts(db: sqlite3.Connection, length: int, low: int, high: int) -> list[int]:
    """Bars of `length` seconds in [low, high) before which no window reaches, after a break.

    Only those that no missing bar shows anyway; see `CloseMatrix.stretches`.
    """
    return cuts_of(read_breaks(db), length, low, high)
