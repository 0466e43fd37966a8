"""Screens as `analytics.db` keeps them: what each found, its first rows, which pairs passed."""

import json
import sqlite3
from typing import NamedTuple

from spreadlake.lake.databases.meta import has_table

PERSISTENCE_SECONDS = 3_600
"""How far back `persistence` looks."""


class ScreenKey(NamedTuple):
    """Screens of bars of one length, over so many bars; they are of logarithms of prices."""

    timeframe: str
    lookback: int
    window: int


class ScreenSummary(NamedTuple):
    """One screen at the bar `time`: symbols and pairs tested, how many are cointegrated.

    `seconds` is how long it took.
    """

    time: int
    symbols: int
    pairs: int
    cointegrated: int
    seconds: float


_OF_KEY = "timeframe = ? AND lookback_bars = ? AND window_bars = ?"
_COLUMNS = "time, symbols, pairs, cointegrated, seconds"


def newest_screen(db: sqlite3.Connection, key: ScreenKey) -> ScreenSummary | None:
    """The last screen of `key`; None where there is none."""
    if not has_table(db, "screens"):
        return None
    row = db.execute(
        f"SELECT {_COLUMNS} FROM screens WHERE {_OF_KEY} ORDER BY time DESC LIMIT 1", key
    ).fetchone()
    return None if row is None else ScreenSummary(*row)


def newest_screens(db: sqlite3.Connection) -> dict[ScreenKey, ScreenSummary]:
    """The last screen of each key that there is."""
    if not has_table(db, "screens"):
        return {}
    keys = db.execute("SELECT DISTINCT timeframe, lookback_bars, window_bars FROM screens")
    found = {key: newest_screen(db, key) for key in (ScreenKey(*row) for row in keys.fetchall())}
    return {key: summary for key, summary in found.items() if summary is not None}


class ScreenedPair(NamedTuple):
    """A pair of a screen, as the screen had it; None where a number has no meaning."""

    rank: int
    symbol_a: str
    symbol_b: str
    coint_pvalue: float | None
    qvalue: float | None
    zscore: float | None
    half_life: float | None
    edge_bps: float | None
    persistence: float | None


def best_pairs(db: sqlite3.Connection, key: ScreenKey, time: int, most: int) -> list[ScreenedPair]:
    """The first rows of the screen at the bar `time`, of those that are kept."""
    rows = db.execute(
        f"SELECT {', '.join(ScreenedPair._fields)} FROM screen_pairs "
        f"WHERE {_OF_KEY} AND time = ? ORDER BY rank LIMIT ?",
        (*key, time, most),
    )
    return [ScreenedPair(*row) for row in rows]


def passed_before(db: sqlite3.Connection, key: ScreenKey, time: int) -> list[list[str]]:
    """The pairs that passed each screen of the hour before the bar `time`, by name."""
    if not has_table(db, "screens"):
        return []
    rows = db.execute(
        f"SELECT pairs FROM screen_passed WHERE {_OF_KEY} AND time >= ? AND time < ?",
        (*key, time - PERSISTENCE_SECONDS, time),
    )
    return [json.loads(pairs) for (pairs,) in rows.fetchall()]
