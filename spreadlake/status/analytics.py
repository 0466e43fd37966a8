"""Reads the latest analytics; the cost depends on the number of series, not on history."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from spreadlake.lake.analytics.definition import lake_prices
from spreadlake.lake.databases.meta import columns_of
from spreadlake.quant.stationarity_schedule import RECENT_SECONDS
from spreadlake.series import PAIR_ANALYTICS, stored_prices
from spreadlake.status.model import AlertReport, PairReport, TestsBacklog
from spreadlake.times import timeframe_seconds

# The inner max(time) is one seek at the end of the series' key range.
_LATEST = """
SELECT {columns}
FROM pair_status AS s LEFT JOIN pair_analytics AS a
  ON a.pair = s.pair AND a.timeframe = s.timeframe
  AND a.window_bars = s.window_bars AND a.lookback_bars = s.lookback_bars
  AND a.time = (
    SELECT max(time) FROM pair_analytics AS newest
    WHERE newest.pair = s.pair AND newest.timeframe = s.timeframe
      AND newest.window_bars = s.window_bars AND newest.lookback_bars = s.lookback_bars)
  {kind}
{only}
ORDER BY s.pair, s.timeframe, s.window_bars, s.lookback_bars
"""
_ONLY = "WHERE (s.timeframe, s.window_bars, s.lookback_bars) IN (VALUES {keys})"
_LATEST_TESTS = """
SELECT DISTINCT {columns}
FROM pair_status AS s JOIN pair_tests AS t
  ON t.pair = s.pair AND t.timeframe = s.timeframe AND t.lookback_bars = s.lookback_bars
  AND t.time = (
    SELECT max(time) FROM pair_tests AS newest
    WHERE newest.pair = s.pair AND newest.timeframe = s.timeframe
      AND newest.lookback_bars = s.lookback_bars)
  {kind}
"""
# With + no index serves the order, which would be one of all events there ever were.
_OPEN_ALERTS = """
SELECT rule, pair, timeframe, window_bars, lookback_bars, threshold, opened_at, opened_zscore,
  peak_zscore
FROM alert_events WHERE closed_at IS NULL ORDER BY +opened_at, rule, pair
"""

_REPORTED = (
    *PAIR_ANALYTICS.key, "state", "bars_have", "bars_need", "message", "time", "price_a", "price_b",
    "beta", "spread", "spread_std", "zscore", "correlation", "return_correlation", "hedge_bars",
)  # fmt: skip

# Series of every pair that somebody looks at: timeframe, window and lookback of each.
Looked = Sequence[tuple[str, int, int]]


def read_latest_pairs(db: sqlite3.Connection, looked: Looked = ()) -> list[PairReport]:
    """Every configured series with its state and latest row; of each pair only those `looked` at.

    Without any all are read.
    """
    return [PairReport(*row) for row in read_latest(db, _REPORTED, looked)]


def read_latest(
    db: sqlite3.Connection, columns: Sequence[str], looked: Looked = ()
) -> list[tuple[Any, ...]]:
    """`columns` of every configured series: what `pair_status` has of them, else its latest row.

    The z-score is None unless the state is ready, and so is what a lake of before does not have,
    and a row on other prices than the lake's are now, until it is computed again.
    """
    status, rows = columns_of(db, "pair_status"), columns_of(db, "pair_analytics")
    only = _ONLY.format(keys=", ".join(["(?, ?, ?)"] * len(looked))) if looked else ""
    names = [
        "CASE s.state WHEN 'ready' THEN a.zscore END"
        if name == "zscore"
        else f"s.{name}"
        if name in status
        else f"a.{name}"
        if name in rows
        else "NULL"
        for name in columns
    ]
    kind, values = _of_a_kind(db, "a", rows)
    sql = _LATEST.format(columns=", ".join(names), kind=kind, only=only)
    return db.execute(sql, [*values, *(value for key in looked for value in key)]).fetchall()


def read_latest_tests(db: sqlite3.Connection, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    """`columns` of the latest slow statistics of every configured series."""
    known = columns_of(db, "pair_tests")
    names = [f"t.{name}" if name in known else "NULL" for name in columns]
    kind, values = _of_a_kind(db, "t", known)
    return db.execute(_LATEST_TESTS.format(columns=", ".join(names), kind=kind), values).fetchall()


def read_tests_backlog(db: sqlite3.Connection, final: int | None) -> TestsBacklog:
    """The backlog where bars are final up to the second `final`."""
    due, oldest = db.execute("SELECT count(*), min(time) FROM tests_due").fetchone()
    if final is None:
        return TestsBacklog(due, oldest)
    names = [row[0] for row in db.execute("SELECT DISTINCT timeframe FROM pair_status").fetchall()]
    ages = [0.0]
    for name in names:
        length = timeframe_seconds(name)
        row = db.execute(
            "SELECT min(time) FROM tests_due WHERE timeframe = ? AND time >= ?",
            (name, final - RECENT_SECONDS - length),
        ).fetchone()
        if row[0] is not None:
            ages.append(float(final - row[0] - length))
    return TestsBacklog(due, oldest, max(ages))


def read_open_alerts(db: sqlite3.Connection) -> list[AlertReport]:
    """The alert events that are open, oldest first."""
    return [AlertReport(*row) for row in db.execute(_OPEN_ALERTS)]


def read_progress(db: sqlite3.Connection) -> dict[str, int]:
    """How far the analytics job has come.

    `read_seq` is the last trade read, `seq` the one a restart goes on from; `watermark_ms`,
    `final_time`.
    """
    return dict(db.execute("SELECT key, value FROM progress").fetchall())


def _of_a_kind(
    db: sqlite3.Connection, table: str, known: Sequence[str]
) -> tuple[str, list[str | None]]:
    """The condition that rows of a table are on the lake's prices, and its value."""
    prices = lake_prices(db)
    if prices is None or "prices" not in known:
        return "", []
    return f"AND {table}.prices IS ?", [stored_prices(prices)]
