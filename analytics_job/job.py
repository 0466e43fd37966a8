"""The job's work, step by step: what the scheduler calls."""

import logging
import os
import time

from analytics_job.backfill import sync_rules, sync_series
from analytics_job.feed import TickFeed
from analytics_job.pipeline import Pipeline
from spreadlake.config import Settings
from spreadlake.lake import Lake, add_counters, atomic, open_analytics_writer, set_status

__all__ = ["AnalyticsJob"]

log = logging.getLogger(__name__)

_STATUS_SECONDS = 1.0


class AnalyticsJob:
    """Holds the writer's connection to `analytics.db` and does one step after another."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self._lake = lake
        self._db = open_analytics_writer(lake)
        self._feed = TickFeed(lake)
        self._steps, self._seconds, self._last_seconds = 0, 0.0, 0.0
        self._started_ms, self._status_due = _now_ms(), 0.0
        self._error = ""
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Takes on settings: at the start, and again when the file was edited."""
        self._settings = settings
        self._pipeline = Pipeline(self._db, self._lake, settings)
        sync_series(self._db, self._pipeline, settings)
        sync_rules(self._db, self._pipeline, settings)

    def step(self) -> None:
        """Takes in everything that is new."""
        begin = time.perf_counter()
        more = self._take_in()
        while more:
            more = self._take_in()
        self._last_seconds = time.perf_counter() - begin
        self._steps += 1
        self._seconds += self._last_seconds
        self._report()

    def settle(self) -> None:
        """Makes every bar final whose end the watermark has reached: the stream has ended."""
        self._pipeline.finalise(0)

    def close(self) -> None:
        """Leaves a last status and closes the databases."""
        self._status_due = 0.0
        self._report(state="stopped")
        self._feed.close()
        self._db.close()

    def _take_in(self) -> bool:
        new = self._feed.read(self._pipeline.read_seq)
        self._pipeline.ingest(new.trades, new.seq)
        return new.more

    def _report(self, state: str = "running") -> None:
        if time.monotonic() < self._status_due:
            return
        self._status_due = time.monotonic() + _STATUS_SECONDS
        now = _now_ms()
        status = {
            "pid": os.getpid(),
            "state": state,
            "started_ms": self._started_ms,
            "last_step_ms": now,
            "last_step_seconds": self._last_seconds,
            "watermark_ms": self._pipeline.progress.watermark_ms,
            "final_time": self._pipeline.progress.final,
        }
        with atomic(self._db):
            set_status(self._db, now, {"job": status})
            add_counters(
                self._db, {("steps", ""): self._steps, ("step_seconds", ""): self._seconds}
            )
        self._steps, self._seconds = 0, 0.0


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
