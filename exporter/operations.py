"""Metrics for whoever runs the pipeline: the job's steps, the services, the files. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import Metric

from exporter.families import counter, gauge
from spreadlake.status import FileReport, ServiceReport, TestsBacklog


@dataclass(frozen=True)
class Job:
    """What `analytics.db` tells about the job's own work; `backlog` are trades yet to be seen."""

    counters: Mapping[tuple[str, str], float] = field(default_factory=dict)
    progress: Mapping[str, int] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)
    backlog: int | None = None
    slow_tests: TestsBacklog = field(default_factory=TestsBacklog)


@dataclass(frozen=True)
class Storage:
    """Sizes of the lake's files, and the room on their disk in bytes."""

    files: Sequence[FileReport] = ()
    free: int | None = None
    total: int | None = None


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


def service_families(services: Sequence[ServiceReport]) -> Iterator[Metric]:
    """Whether each service is alive, by the signs of life it leaves in the lake."""
    yield gauge(
        "spreadlake_service_up",
        "1 while the service runs, 0 when it stopped or shows no sign of life.",
        [((s.name,), float(s.state == "running")) for s in services],
        ["service"],
    )
    yield gauge(
        "spreadlake_service_heartbeat_timestamp_seconds",
        "Last sign of life of the service.",
        [((s.name,), s.heartbeat_at) for s in services],
        ["service"],
    )
    yield gauge(
        "spreadlake_service_heartbeat_age_seconds",
        "Since the last sign of life of the service, though the wall clock was set.",
        [((s.name,), s.heartbeat_age_seconds) for s in services],
        ["service"],
    )
    yield gauge(
        "spreadlake_service_start_timestamp_seconds",
        "When the service was started.",
        [((s.name,), s.started_at) for s in services],
        ["service"],
    )


def storage_families(storage: Storage) -> Iterator[Metric]:
    """Sizes of the databases and their write-ahead logs, and what the disk has left."""
    sizes = {file.name: file.bytes for file in storage.files}
    for metric, text, suffix in (
        ("spreadlake_database_bytes", "Size of the database file.", ".db"),
        ("spreadlake_database_wal_bytes", "Size of its write-ahead log.", ".db-wal"),
    ):
        samples = [((name,), sizes.get(f"{name}{suffix}")) for name in ("ticks", "analytics")]
        yield gauge(metric, text, samples, ["database"])
    yield gauge("spreadlake_disk_free_bytes", "Room left on the lake's disk.", [((), storage.free)])
    yield gauge("spreadlake_disk_size_bytes", "Size of the lake's disk.", [((), storage.total)])


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
