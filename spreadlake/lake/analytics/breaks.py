"""Breaks in trading, as `analytics.db` keeps them, for whoever computes over its bars."""

import sqlite3

from spreadlake.quant.breaks import cuts_of


def read_breaks(db: sqlite3.Connection) -> list[tuple[int, int]]:
    """Seconds [start, end) in which no symbol traded and no bars are, in order."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'breaks'").fetchone() is None:
        return []  # an older lake that its job has not opened since
    return db.execute('SELECT "start", "end" FROM breaks ORDER BY "start"').fetchall()


def read_cuts(db: sqlite3.Connection, length: int, low: int, high: int) -> list[int]:
    """Bars of `length` seconds in [low, high) before which no window reaches, after a break.

    Only those that no missing bar shows anyway; see `CloseMatrix.stretches`.
    """
    return cuts_of(read_breaks(db), length, low, high)
