"""What the job says of itself: a line in its database, and how far long work is."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any

from analytics_job.pipeline import Pipeline
from spreadlake.lake import add_counters, atomic, set_status
from spreadlake.work import Estimate, Work

_TOLD_SECONDS = 0.2
_LEAST_HOURS = 0.05  # of trades: fewer are no history


class WorkTold:
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


def write_status(
    db: sqlite3.Connection,
    now_ms: int,
    status: Mapping[str, Any],
    counts: Mapping[tuple[str, str], float],
    pipeline: Pipeline,
) -> None:
    """The job's status, its counters, and what it has seen of the trades, in one transaction."""
    with atomic(db):
        set_status(db, now_ms, {"job": status})
        db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", _seen(pipeline))
        add_counters(db, counts)


def _seen(pipeline: Pipeline) -> list[tuple[str, int]]:
    """What was seen of the trades, whether or not a bar became final with it."""
    seen = [("read_seq", pipeline.done_seq)]
    if pipeline.progress.final is not None:
        seen.append(("watermark_ms", pipeline.progress.watermark_ms))
    return seen
