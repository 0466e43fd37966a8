"""What a service is doing, from the last sign of life it left in its database."""

import sqlite3
from pathlib import Path
from typing import Any

from spreadlake.lake import read_status
from spreadlake.report.model import ServiceReport
from spreadlake.report.snapshot import snapshot
from spreadlake.times import iso_utc

__all__ = [
    "LATE_AFTER_SECONDS",
    "describe_service",
    "never_started",
    "read_service",
    "service_in",
]

# Services leave a sign at least every few seconds, also when no trade comes.
LATE_AFTER_SECONDS = 15.0

_STATUS_KEYS = {"collector": "collector", "analytics-job": "job", "notifier": "notifier"}


def read_service(path: Path, name: str, now: float) -> ServiceReport:
    """The state of the service `name`, which is the one writer of the database at `path`."""
    with snapshot(path) as db:
        return never_started(name) if db is None else service_in(db, name, now)


def service_in(db: sqlite3.Connection, name: str, now: float) -> ServiceReport:
    """The same from a connection to its database."""
    status = read_status(db)
    if not status:
        return never_started(name)
    heartbeat_ms = max(updated_ms for _, updated_ms in status.values())
    value = status.get(_STATUS_KEYS[name], ({}, 0))[0]
    return describe_service(name, value if isinstance(value, dict) else {}, heartbeat_ms, now)


def never_started(name: str) -> ServiceReport:
    """The report on a service that left no sign in this lake."""
    return ServiceReport(name, "never started", "has not run on this lake")


def describe_service(
    name: str, status: dict[str, Any], heartbeat_ms: int, now: float
) -> ServiceReport:
    """The report on a service that said `status` and was last heard of at `heartbeat_ms`."""
    heartbeat = heartbeat_ms / 1000
    started_ms = status.get("started_ms")
    started = started_ms / 1000 if isinstance(started_ms, int | float) else None
    pid = status.get("pid")
    if status.get("state") == "stopped":
        return ServiceReport(
            name, "stopped", f"stopped at {_at(heartbeat)}", pid, started, heartbeat
        )
    if now - heartbeat > LATE_AFTER_SECONDS:
        message = f"no sign of life since {_at(heartbeat)}: it hangs, or it was killed"
        return ServiceReport(name, "late", message, pid, started, heartbeat)
    message = f"running since {_at(started)}" if started is not None else "running"
    error = status.get("error")
    if error:
        message = f"running, but its last step failed: {error}"
    if refused := status.get("refused"):
        message += f"; the edited configuration is refused: {'; '.join(str(refused).splitlines())}"
    return ServiceReport(name, "running", message, pid, started, heartbeat)


def _at(seconds: float) -> str:
    return iso_utc(int(seconds))
