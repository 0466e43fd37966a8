"""What a service is doing, from the last sign of life it left in its database."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from spreadlake.lake import read_status, seconds_since
from spreadlake.status.heartbeats import Heartbeats, Judgement
from spreadlake.status.log import log_in_words
from spreadlake.status.model import ServiceReport
from spreadlake.status.snapshots import snapshot
from spreadlake.status.uploads import uploads_in_words
from spreadlake.times import iso_utc
from spreadlake.words import count, duration, words_of_work
from spreadlake.work import Work

T = TypeVar("T")

_STATUS_KEYS = {
    "collector": "collector",
    "analytics-job": "job",
    "notifier": "notifier",
    "uploader": "uploader",
}
# Clocks of machines that share a lake may differ so much; a sign from farther ahead has no date.
_AHEAD_SECONDS = 2.0
# One look cannot tell whether such a sign changes; services leave one every second.
_WATCH_SECONDS = 5.0
_LOOK_SECONDS = 0.25


def read_service(
    path: Path, name: str, now: float, heartbeats: Heartbeats | None = None
) -> ServiceReport:
    """The state of the service `name`, which is the one writer of the database at `path`."""
    with snapshot(path) as db:
        return never_started(name) if db is None else service_in(db, name, now, heartbeats)


def service_in(
    db: sqlite3.Connection, name: str, now: float, heartbeats: Heartbeats | None = None
) -> ServiceReport:
    """The same from a connection to its database.

    `heartbeats` remembers between looks: without it a sign that cannot be dated counts as new.
    """
    status = read_status(db)
    if not status:
        return never_started(name)
    heartbeat_ms = max(updated_ms for _, updated_ms in status.values())
    value = status_of(status, _STATUS_KEYS[name])
    if value.get("state") == "stopped":
        return describe_service(name, value, heartbeat_ms, None)
    sign, age = (heartbeat_ms, value.get("beat")), _age(value, heartbeat_ms, now)
    judged = (heartbeats or Heartbeats()).judge(name, sign, age, time.monotonic())
    return describe_service(name, value, heartbeat_ms, judged)


def status_of(status: Mapping[str, tuple[Any, int]], key: str) -> dict[str, Any]:
    """What a service said of itself under `key` in what `read_status` gives; empty: nothing."""
    value = status.get(key, ({}, 0))[0]
    return value if isinstance(value, dict) else {}


def look_until_sure(look: Callable[[Heartbeats], T]) -> T:
    """What `look` says once it is sure: for those who look once, and must not trust the date."""
    heartbeats = Heartbeats(_WATCH_SECONDS)
    while True:
        heartbeats.unsure = False
        seen = look(heartbeats)
        if not heartbeats.unsure:
            return seen
        time.sleep(_LOOK_SECONDS)


def _age(status: dict[str, Any], heartbeat_ms: int, now: float) -> float | None:
    """By the monotonic clock where that can be compared, else by the wall clocks."""
    age = seconds_since(status.get("beat"))
    if age is None:
        age = now - heartbeat_ms / 1000
    return age if age >= -_AHEAD_SECONDS else None


def never_started(name: str) -> ServiceReport:
    """The report on a service that left no sign in this lake."""
    return ServiceReport(name, "never started", "has not run on this lake")


def describe_service(
    name: str, status: dict[str, Any], heartbeat_ms: int, judged: Judgement | None
) -> ServiceReport:
    """The report on a service that said `status`; `judged` is None where it stopped."""
    heartbeat = heartbeat_ms / 1000
    started_ms = status.get("started_ms")
    started = started_ms / 1000 if isinstance(started_ms, int | float) else None
    pid = status.get("pid")
    if judged is None:
        return ServiceReport(
            name, "stopped", f"stopped at {_at(heartbeat)}", pid, started, heartbeat
        )
    age = max(0.0, judged.seconds)
    if judged.late:
        since = f"no sign of life since {_at(heartbeat)}"
        if judged.undated:
            since = f"its sign of life is dated {_at(heartbeat)}, ahead of now, and stays the same"
        message = f"{since}: it hangs, or it was killed"
        return ServiceReport(name, "late", message, pid, started, heartbeat, age)
    trouble, reason = _trouble(status)
    if trouble:
        message = f"running, but {trouble}{reason}"
    else:
        message = f"running since {_at(started)}" if started is not None else "running"
    message += "".join(_notes(status))
    return ServiceReport(name, "running", message, pid, started, heartbeat, age, trouble)


def _notes(status: dict[str, Any]) -> Iterator[str]:
    """What else a service has to say while it works."""
    if isinstance(work := status.get("work"), dict):
        yield f"; still to do: {_work(work)}"
    if history := status.get("history"):
        yield f"; recent history: {history}"
    if refused := status.get("refused"):
        yield f"; the edited configuration is refused: {'; '.join(str(refused).splitlines())}"
    if isinstance(log := status.get("log"), dict):
        yield f"; {log_in_words(log)}"
    if isinstance(upload := status.get("upload"), dict):
        yield f"; {uploads_in_words(upload)}"
    for key in ("archive", "screen"):
        if said := status.get(key):
            yield f"; {said}"


def _trouble(status: dict[str, Any]) -> tuple[str, str]:
    """Why a service that lives does not do its work, in a few words, and the reason it gave."""
    if status.get("error"):
        return "its last step failed", f": {status['error']}"
    upload = status.get("upload")
    if isinstance(upload, dict) and upload.get("trouble"):
        return "finished days are not uploaded", f": {upload['trouble']}"
    if status.get("trouble"):
        return "cannot store trades", f": {status['trouble']}"
    # One that carries no symbol is not meant to be open.
    sessions = [one for one in status.get("sessions", []) if one.get("streams")]
    connected = sum(bool(one.get("connected")) for one in sessions)
    if sessions and not connected:
        return "not connected to the exchange", ""
    if connected < len(sessions):
        return f"only {connected} of {count(len(sessions), 'connection')} open", ""
    return "", ""


def _work(work: dict[str, Any]) -> str:
    """What the analytics job is catching up with."""
    try:
        left, seconds = float(work["left"]), work["seconds"]
        text = words_of_work(Work(str(work["stage"]), str(work["unit"]), left, str(work["detail"])))
        return text if seconds is None else f"{text}, about {duration(float(seconds))}"
    except (KeyError, TypeError, ValueError):
        return "history"


def _at(seconds: float) -> str:
    return iso_utc(int(seconds))
