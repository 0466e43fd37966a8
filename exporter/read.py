"""Reads from the lake what the metrics show; the cost depends on series, never on history."""

import shutil
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from exporter.alerts import Alerts, Watch
from exporter.capture import Capture
from exporter.notifications import Notifications
from exporter.operations import Job, Storage
from exporter.pairs import PairTests
from spreadlake.lake import Lake, read_counters, read_status
from spreadlake.lake.rolls import newest_seq
from spreadlake.status import (
    Heartbeats,
    PairReport,
    ServiceReport,
    database_sizes,
    read_latest_pairs,
    read_progress,
    read_service,
    read_symbols,
    read_tests_backlog,
    snapshot,
)

_WATCH = "pair, timeframe, window_bars, lookback_bars, rule"

# As for the pairs: one seek at the end of each key range.
_TESTS = """
SELECT DISTINCT t.pair, t.timeframe, t.lookback_bars, t.robust_beta, t.half_life,
  t.adf_statistic, t.adf_pvalue, t.cointegration_pvalue
FROM pair_status AS s JOIN pair_tests AS t
  ON t.pair = s.pair AND t.timeframe = s.timeframe AND t.lookback_bars = s.lookback_bars
  AND t.time = (
    SELECT max(time) FROM pair_tests AS newest
    WHERE newest.pair = s.pair AND newest.timeframe = s.timeframe
      AND newest.lookback_bars = s.lookback_bars)
"""


def read_capture(lake: Lake) -> Capture:
    """Counters, symbols and the collector's status."""
    with snapshot(lake.ticks_db) as db:
        if db is None:
            return Capture()
        status = read_status(db)
        captured = status.get("captured", (None, 0))[0]
        return Capture(read_counters(db), read_symbols(db), _table(status, "collector"), captured)


def read_pairs(lake: Lake) -> list[PairReport]:
    """Every configured series with its latest row."""
    with snapshot(lake.analytics_db) as db:
        return [] if db is None else read_latest_pairs(db)


def read_pair_tests(lake: Lake) -> list[PairTests]:
    """The latest slow statistics of every configured series."""
    with snapshot(lake.analytics_db) as db:
        return [] if db is None else [PairTests(*row) for row in db.execute(_TESTS)]


def read_alerts(lake: Lake) -> Alerts:
    """Thresholds, open alerts and counts."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return Alerts()
        rules = db.execute(f"SELECT {_WATCH}, threshold FROM alert_rules").fetchall()
        active = db.execute(f"SELECT {_WATCH} FROM alert_events WHERE closed_at IS NULL").fetchall()
        counts = db.execute(f"SELECT {_WATCH}, opened FROM alert_counts").fetchall()
    return Alerts(
        {Watch(*row[:5]): row[5] for row in rules},
        frozenset(Watch(*row) for row in active),
        {Watch(*row[:5]): row[5] for row in counts},
    )


def read_job(lake: Lake) -> Job:
    """The job's progress, counters and last step, and what it has yet to do."""
    with snapshot(lake.ticks_db) as db:
        stored = None if db is None else newest_seq(db)
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return Job(backlog=stored)
        progress = read_progress(db)
        backlog = None if stored is None else max(0, stored - progress.get("read_seq", 0))
        tests = read_tests_backlog(db, progress.get("final_time"))
        return Job(read_counters(db), progress, _status(db, "job"), backlog, tests)


def read_services(
    lake: Lake, notifier: bool = False, heartbeats: Heartbeats | None = None
) -> list[ServiceReport]:
    """What the collector and the analytics job are doing, and the notifier where there is one.

    `heartbeats` are those that were seen so far.
    """
    now = time.time()
    services = [
        read_service(lake.ticks_db, "collector", now, heartbeats),
        read_service(lake.analytics_db, "analytics-job", now, heartbeats),
    ]
    return services + [read_service(lake.notify_db, "notifier", now, heartbeats)] * notifier


def read_notifications(lake: Lake) -> Notifications:
    """What the notifier has told, and what waits."""
    with snapshot(lake.notify_db) as db:
        if db is None:
            return Notifications()
        waiting = db.execute("SELECT COUNT(*) FROM news WHERE state = 'waiting'").fetchone()[0]
        return Notifications(read_counters(db), waiting)


def read_storage(lake: Lake) -> Storage:
    """Sizes of the databases, and the room on their disk."""
    if not lake.root.exists():
        return Storage()
    disk = shutil.disk_usage(lake.root)
    return Storage(database_sizes(lake), disk.free, disk.total)


def _status(db: sqlite3.Connection, key: str) -> dict[str, Any]:
    return _table(read_status(db), key)


def _table(status: Mapping[str, tuple[Any, int]], key: str) -> dict[str, Any]:
    value = status.get(key, ({}, 0))[0]
    return value if isinstance(value, dict) else {}
