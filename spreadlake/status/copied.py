"""Services as a back-up has them: what they last said is of the lake that was copied."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from spreadlake.lake import Lake
from spreadlake.status.model import ServiceReport
from spreadlake.times import iso_utc


class Copied(NamedTuple):
    """Of which lake a folder was backed up, and before which Unix second all in it was said."""

    of: str
    before: float


def read_copied(lake: Lake) -> Copied | None:
    """What `backup.json` says; None where there is none, or it is no whole one."""
    try:
        said = json.loads(lake.backup_json.read_bytes())
        # It names a second in which a service still may have said something.
        return Copied(str(said["of"]), datetime.fromisoformat(said["ended"]).timestamp() + 1.0)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def as_copied(services: Sequence[ServiceReport], copied: Copied | None) -> list[ServiceReport]:
    """The reports, with those stopped that have said nothing here since the copy was made."""
    if copied is None:
        return list(services)
    return [_stopped(one, copied) if _is_old(one, copied) else one for one in services]


def _is_old(report: ServiceReport, copied: Copied) -> bool:
    told = report.heartbeat_at is not None and report.heartbeat_at < copied.before
    return told and report.state in ("running", "late")


def _stopped(report: ServiceReport, copied: Copied) -> ServiceReport:
    at = iso_utc(int(copied.before - 1.0))
    message = f"does not run here: it ran on {copied.of}, backed up at {at}"
    return replace(report, state="stopped", message=message, pid=None, trouble="")
