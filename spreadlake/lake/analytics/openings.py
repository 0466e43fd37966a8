"""What was known of a spread at the bar at which an alert opened, for who tells of alerts.

Rows that are in SQLite no more, and what an older lake does not have, are left out.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from spreadlake.lake.analytics.screen_alerts import said_of
from spreadlake.lake.databases.meta import columns_of
from spreadlake.series import PAIR_ANALYTICS, PAIR_TESTS, Prices, SeriesKey


class Opening(NamedTuple):
    """`spread_bps`: how far the spread was from its mean, in bps of A; `half_life` in bars."""

    prices: Prices
    spread_bps: float | None = None
    half_life: float | None = None


class OpenedAt(NamedTuple):
    """An event, its series and the bar (s) at which it opened, at which z-score."""

    id: int
    key: SeriesKey
    time: int
    zscore: float


_AT = f"""SELECT a.spread - a.spread_mean, a.price_a, a.prices FROM pair_analytics AS a
WHERE {PAIR_ANALYTICS.is_series} AND a.time = ?"""
_TESTED = f"""SELECT half_life FROM pair_tests
WHERE {PAIR_TESTS.is_series} AND time <= ? ORDER BY time DESC LIMIT 1"""
_SCREENED = """SELECT zscore * spread_std_bps FROM screen_pairs
WHERE timeframe = ? AND lookback_bars = ? AND window_bars = ? AND time = ?
AND symbol_a = ? AND symbol_b = ?"""


def openings(db: sqlite3.Connection, events: Iterable[OpenedAt]) -> dict[int, Opening]:
    """By id of the event; of one that a screen opened as the screen saw it."""
    every = list(events)
    screened = said_of(db, [one.id for one in every])
    prices_are_kept = "prices" in columns_of(db, "pair_analytics")
    found = {}
    for one in every:
        if one.id in screened:
            found[one.id] = _of_screen(db, one, screened[one.id][1])
        else:
            found[one.id] = _of_series(db, one, prices_are_kept)
    return found


def _of_series(db: sqlite3.Connection, one: OpenedAt, prices_are_kept: bool) -> Opening:
    sql = _AT if prices_are_kept else _AT.replace("a.prices", "NULL")
    row = db.execute(sql, (*one.key, one.time)).fetchone()
    tested = db.execute(_TESTED, (*one.key.stationarity, one.time)).fetchone()
    deviation, price, stored = row or (None, None, None)
    on_log = stored == "log"
    bps = None
    if deviation is not None and (on_log or price):
        bps = 1e4 * deviation if on_log else 1e4 * deviation / price
    return Opening("log" if on_log else "raw", bps, tested[0] if tested else None)


def _of_screen(db: sqlite3.Connection, one: OpenedAt, half_life: float | None) -> Opening:
    key = one.key
    values = (key.timeframe, key.lookback, key.window, one.time, *key.legs)
    row = db.execute(_SCREENED, values).fetchone()
    return Opening("log", row[0] if row else None, half_life)
