"""A real lake that tests write trades into, and the real job that reads them."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings, load_settings
from spreadlake.lake import Lake, atomic, open_reader, open_ticks_writer
from spreadlake.trades import Trade

TABLES = ("bars", "first_bars", "pair_analytics", "pair_status", "alert_events")


class TestLake:
    """Stands in for the collector: stores trades with rising seq, each once."""

    __test__ = False

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.db = open_ticks_writer(self.lake)
        self.db.execute("PRAGMA synchronous=OFF")
        self._seq = 0

    def store(self, trades: Iterable[Trade]) -> None:
        with atomic(self.db):
            for trade in trades:
                self._seq += 1
                self.db.execute(
                    "INSERT OR IGNORE INTO ticks VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self._seq, *trade),
                )

    def has_table(self, name: str) -> bool:
        if not self.lake.analytics_db.exists():
            return False
        with closing(open_reader(self.lake.analytics_db)) as db:
            rows = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchall()
        return bool(rows)

    def table(self, name: str) -> list[dict[str, Any]]:
        with closing(open_reader(self.lake.analytics_db)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(f"SELECT * FROM {name}").fetchall()]

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        return {name: self.table(name) for name in TABLES}

    def close(self) -> None:
        self.db.close()


def settings(**values: Any) -> Settings:
    return load_settings(None, **values)


def run_job(root: Path, config: Settings, batches: Sequence[Sequence[Trade]]) -> TestLake:
    """One job over all batches, a step after each."""
    lake = TestLake(root)
    job = AnalyticsJob(lake.lake, config)
    for batch in batches:
        lake.store(batch)
        job.step()
    job.close()
    return lake


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Polls until `condition` holds; AssertionError when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
