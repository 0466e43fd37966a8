"""Keeps screens: what each found, its first rows, for an hour which pairs passed, and of the newest
how its symbols correlate.
"""

import json
import sqlite3

from analytics_job.alerts.screened import store_found
from analytics_job.screens.taking import COLUMNS, TakenScreen
from spreadlake.lake.analytics.screens import PERSISTENCE_SECONDS, ScreenKey, newest_screens
from spreadlake.quant.correlation_map import CORRELATION_MAP_SCHEMA

_KEY = "timeframe, lookback_bars, window_bars, time"
_SUMMARY = (
    f"INSERT OR REPLACE INTO screens({_KEY}, symbols, pairs, cointegrated, seconds) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_PASSED = f"INSERT OR REPLACE INTO screen_passed({_KEY}, pairs) VALUES (?, ?, ?, ?, ?)"
_ROW = (
    f"INSERT OR REPLACE INTO screen_pairs({_KEY}, {', '.join(COLUMNS)}) "
    f"VALUES ({', '.join('?' * (4 + len(COLUMNS)))})"
)
_CORRELATIONS = (
    f"INSERT INTO screen_correlations({_KEY}, {', '.join(CORRELATION_MAP_SCHEMA.names())}) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_OLD = "timeframe = ? AND lookback_bars = ? AND window_bars = ? AND time < ?"


def store_screen(
    db: sqlite3.Connection, key: ScreenKey, taken: TakenScreen, keep_seconds: float
) -> None:
    """Writes a screen and the alerts that it opened or closed, in the caller's transaction.

    Those that are older than is kept are forgotten.
    """
    time, *found = taken.summary
    at = (*key, time)
    db.execute(_SUMMARY, (*at, *found))
    db.execute(_PASSED, (*at, json.dumps(taken.passed, separators=(",", ":"))))
    db.executemany(_ROW, [(*at, *row) for row in taken.rows])
    db.execute("DELETE FROM screen_correlations")
    db.executemany(_CORRELATIONS, [(*at, *row) for row in taken.correlations])
    store_found(db, time, taken.alerts)
    for one in newest_screens(db):  # those of other settings grow old as well
        for table, kept in _kept(keep_seconds):
            db.execute(f"DELETE FROM {table} WHERE {_OLD}", (*one, time - kept))


def _kept(seconds: float) -> list[tuple[str, float]]:
    """How long each table keeps its rows; `screens` last, as it says which there are."""
    passed = float(PERSISTENCE_SECONDS)
    return [("screen_passed", passed), ("screen_pairs", seconds), ("screens", seconds)]
