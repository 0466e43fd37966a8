"""Metrics of the analytics job: how far it is, what its steps cost, what waits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import Metric

from exporter.families import counter, gauge
from spreadlake.lake import read_counters, read_status
from spreadlake.lake.ticks.rolls import newest_seq
from spreadlake.status import (
    LakeSnapshot,
    TestsBacklog,
    read_progress,
    read_tests_backlog,
    status_of,
)


@dataclass(frozen=True)
class Job:
    """What `analytics.db` tells about the job's own work; `backlog` are trades yet to be seen."""

    counters: Mapping[tuple[str, str], float] = field(default_factory=dict)
    progress: Mapping[str, int] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    backlog: int | None = None
    slow_tests: TestsBacklog = field(default_factory=TestsBacklog)


def read_job(look: LakeSnapshot) -> Job:
    """The job's progress, counters and last step, and what it has yet to do."""
    with look.database(look.lake.ticks_db) as db:
        stored = None if db is None else newest_seq(db)
    with look.database(look.lake.analytics_db) as db:
        if db is None:
            return Job(backlog=stored)
        progress = read_progress(db)
        backlog = None if stored is None else max(0, stored - progress.get("read_seq", 0))
        tests = read_tests_backlog(db, progress.get("final_time"))
        return Job(read_counters(db), progress, status_of(read_status(db), "job"), backlog, tests)


def job_families(job: Job) -> Iterator[Metric]:
    """How far the job is, and what its steps cost."""
    yield gauge(
        "spreadlake_watermark_timestamp_seconds",
        "Greatest trade time analysed: the clock of the pipeline.",
        [((), _seconds(job.progress.get("watermark_ms")))],
    )
    yield gauge(
        "spreadlake_job_duration_seconds",
        "Time the job's last step took.",
        [((), job.status.get("last_step_seconds"))],
    )
    yield gauge(
        "spreadlake_job_last_step_timestamp_seconds",
        "When the job's last step ended.",
        [((), _seconds(job.status.get("last_step_ms")))],
    )
    yield gauge(
        "spreadlake_job_backlog_ticks",
        "Trades stored that the job has yet to see.",
        [((), job.backlog)],
    )
    yield from _slow_test_families(job)
    for name, metric, text in (
        ("steps", "spreadlake_job_steps", "Steps of the job."),
        ("step_seconds", "spreadlake_job_seconds", "Time spent in steps."),
        ("late_trades", "spreadlake_job_late_ticks", "Trades that changed a final bar."),
        (
            "set_aside",
            "spreadlake_job_files_set_aside",
            "Archived files that were found damaged, and set aside.",
        ),
        (
            "tests_given_up",
            "spreadlake_pair_tests_given_up",
            "Slow statistics that were due longest, given up because too many waited.",
        ),
    ):
        yield counter(metric, text, [((), job.counters.get((name, ""), 0.0))])


def _slow_test_families(job: Job) -> Iterator[Metric]:
    known = "final_time" in job.progress
    yield gauge(
        "spreadlake_pair_tests_due",
        "Slow statistics that are yet to be computed, those of history too.",
        [((), job.slow_tests.due if known else None)],
    )
    yield gauge(
        "spreadlake_pair_tests_behind_seconds",
        "Age of the oldest slow statistic that fell due in the last 15 minutes and still is.",
        [((), job.slow_tests.behind_seconds)],
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
