"""What the job says of itself: a line in its database, and how far long work is."""

import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any

from analytics_job.pipeline import Pipeline
from spreadlake.lake import add_counters, atomic, beat, set_status
from spreadlake.work import Estimate, Work

_BEAT_SECONDS = 1.0
_TOLD_SECONDS = 0.2
_LEAST_HOURS = 0.05  # of trades: fewer are no history


class WorkReporter:
    """Hands on how far the job is, a few times a second, and each new stage at once."""

    def __init__(self) -> None:
        self.tell: Callable[[Work], None] = lambda _: None
        self._estimate = Estimate()
        self._stage, self._due = "", 0.0
        self._work: Work | None = None

    def forget(self) -> None:
        """Nothing is left to be done."""
        self._stage, self._work, self._estimate = "", None, Estimate()

    def is_due(self, stage: str) -> bool:
        """Whether it is time to say how far `stage` is: finding out costs something as well."""
        return stage != self._stage or time.monotonic() >= self._due

    def take(self, work: Work) -> None:
        """Hands on how far the work is."""
        now = time.monotonic()
        self._stage, self._due, self._work = work.stage, now + _TOLD_SECONDS, work
        self._estimate.take(work, now)
        self.tell(work)

    def line(self) -> dict[str, Any] | None:
        """The same for the status; None where there is nothing worth telling."""
        work = self._work
        if work is None or (work.unit == "hour" and (work.left or 0.0) < _LEAST_HOURS):
            return None
        left = self._estimate.seconds_left(work.stage)
        return {
            "stage": work.stage,
            "detail": work.detail,
            "left": work.left,
            "unit": work.unit,
            "seconds": left,
        }


class Heartbeat:
    """The job's line in its database, about once a second, and the counters beside it."""

    def __init__(self) -> None:
        self.refused = ""  # why an edited configuration is not what goes on
        self.screen = ""  # what came of the last screen
        self.work = WorkReporter()
        self.due = 0.0  # of the monotonic clock
        self._started_ms = time.time_ns() // 1_000_000
        self._steps, self._seconds, self._last_seconds = 0, 0.0, 0.0

    @property
    def is_due(self) -> bool:
        """Whether the last one is old enough."""
        return time.monotonic() >= self.due

    def count_step(self, seconds: float) -> None:
        """A step took so long."""
        self._steps += 1
        self._seconds += seconds
        self._last_seconds = seconds

    def write(
        self, db: sqlite3.Connection, pipeline: Pipeline, state: str, error: str, archive: str
    ) -> None:
        """Status, counters, and what was seen of the trades, in one transaction."""
        self.due = time.monotonic() + _BEAT_SECONDS
        now_ms = time.time_ns() // 1_000_000
        status = {
            "pid": os.getpid(),
            "beat": beat(),
            "state": state,
            "started_ms": self._started_ms,
            "last_step_ms": now_ms,
            "last_step_seconds": self._last_seconds,
            "watermark_ms": pipeline.position.watermark_ms,
            "final_time": pipeline.position.final,
            "error": error,
            "work": self.work.line(),
            "refused": self.refused,
            "archive": archive,
            "screen": self.screen,
        }
        with atomic(db):
            set_status(db, now_ms, {"job": status})
            db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", _seen(pipeline))
            add_counters(db, {("steps", ""): self._steps, ("step_seconds", ""): self._seconds})
        self._steps, self._seconds = 0, 0.0


def _seen(pipeline: Pipeline) -> list[tuple[str, int]]:
    """What was seen of the trades, whether or not a bar became final with it."""
    seen = [("read_seq", pipeline.done_seq)]
    if pipeline.position.final is not None:
        seen.append(("watermark_ms", pipeline.position.watermark_ms))
    return seen
