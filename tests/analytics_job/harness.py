"""A real lake that tests write trades into, and the real job that reads them."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings, load_settings
from spreadlake.lake import (
    HOUR_MS,
    TRADES_SCHEMA,
    Lake,
    atomic,
    open_reader,
    open_ticks_writer,
    read_status,
)
from spreadlake.lake.ticks.klines import save_klines
from spreadlake.quant.arrays import Floats
from spreadlake.trades import COLUMNS
from tests.patience import PATIENCE, Deadline
from tests.trades import TICKS, Trade

TABLES = ("bars", "first_bars", "pair_analytics", "pair_rollups", "pair_status", "alert_events")


class TestLake:
    """Stands in for the collector: stores trades with rising seq, each once."""

    __test__ = False

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.db = open_ticks_writer(self.lake)
        self.db.execute("PRAGMA synchronous=OFF")
        last = self.db.execute(
            "SELECT max((SELECT coalesce(max(seq), 0) FROM ticks), "
            "(SELECT coalesce(max(max_seq), 0) FROM rolls))"
        ).fetchone()
        self._seq = int(last[0])

    def store(self, trades: Iterable[Trade]) -> None:
        with atomic(self.db):
            for trade in trades:
                self._seq += 1
                self.db.execute(
                    f"INSERT OR IGNORE INTO {TICKS} VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (self._seq, *trade),
                )

    def change(self, symbol: str, time_ms: int, *, captured: bool) -> None:
        """As the collector notes that a symbol left, or came back."""
        self.db.execute(
            "INSERT INTO universe_changes(symbol, time_ms, captured) VALUES (?, ?, ?)",
            (symbol, time_ms, int(captured)),
        )

    def store_klines(self, klines: Sequence[tuple[Any, ...]]) -> None:
        with atomic(self.db):
            for symbol in dict.fromkeys(row[0] for row in klines):
                save_klines(self.db, symbol, [row for row in klines if row[0] == symbol])

    def roll(self, symbol: str, hour_ms: int) -> None:
        """As the collector does with a finished hour: to its partition, then out of SQLite."""
        where = "symbol = ? AND time_ms >= ? AND time_ms < ?"
        key = (symbol, hour_ms, hour_ms + HOUR_MS)
        rows = self.db.execute(
            f"SELECT {', '.join(COLUMNS)} FROM ticks WHERE {where} ORDER BY time_ms, trade_id", key
        ).fetchall()
        if not rows:
            return
        path = self.lake.tick_partition(symbol, hour_ms)
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pl.DataFrame(rows, schema=TRADES_SCHEMA, orient="row")
        if path.exists():
            frame = pl.concat([pl.read_parquet(path, hive_partitioning=False), frame])
        frame.sort("time_ms", "trade_id").write_parquet(path)
        with atomic(self.db):
            top = self.db.execute(f"SELECT MAX(seq) FROM ticks WHERE {where}", key).fetchone()[0]
            self.db.execute(
                "INSERT OR REPLACE INTO rolls(symbol, hour_ms, rows, max_seq, rolled_ms) "
                "VALUES (?, ?, ?, ?, 0)",
                (symbol, hour_ms, frame.height, top),
            )
            self.db.execute(f"DELETE FROM ticks WHERE {where}", key)

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


def job_status(lake: TestLake) -> dict[str, Any]:
    """What the job says of itself; empty before it has said anything."""
    with closing(open_reader(lake.lake.analytics_db)) as db:
        status, _ = read_status(db).get("job", ({}, 0))
    return dict(status)


def floats(values: Iterable[float]) -> Floats:
    return np.array(list(values), dtype=np.float64)


def wait_until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Polls until `condition` holds; AssertionError when the time is over."""
    deadline = Deadline(seconds)
    while not condition():
        assert not deadline.passed, "it did not come about in time"
        time.sleep(0.02)
