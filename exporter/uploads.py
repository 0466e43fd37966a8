"""Metrics of the uploader: what is in object storage, and what waits to get there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.core import Metric

from exporter.families import counter, gauges
from spreadlake.lake import read_counters, read_status
from spreadlake.status import LakeSnapshot

_GAUGES = (
    ("failures", "spreadlake_cold_failures", "Requests that object storage did not do."),
    ("waiting", "spreadlake_cold_waiting_files", "Finished files that wait to be uploaded."),
    ("waiting_bytes", "spreadlake_cold_waiting_bytes", "Bytes of those."),
    (
        "oldest",
        "spreadlake_cold_oldest_waiting_timestamp_seconds",
        "When the day or month of the oldest of those was over.",
    ),
    ("objects", "spreadlake_cold_files", "Files that are in object storage."),
    ("bytes", "spreadlake_cold_bytes", "Bytes of those."),
)


@dataclass(frozen=True)
class Uploads:
    """What `cold.db` tells: counters, and the uploader's own words (none where it never ran)."""

    counters: Mapping[tuple[str, str], float] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)


def read_uploads(look: LakeSnapshot) -> Uploads:
    """What the uploader has done, and what it says of the rest."""
    with look.database(look.lake.cold_db) as db:
        if db is None:
            return Uploads()
        told = read_status(db).get("uploader", ({}, 0))[0]
        return Uploads(read_counters(db), told.get("upload", {}))


def upload_families(uploads: Uploads) -> Iterator[Metric]:
    """Counts that begin at 0, also where nothing is uploaded; of the rest nothing is there then."""
    for name, metric, text in (
        ("uploaded", "spreadlake_cold_uploaded_files", "Files that were uploaded and verified."),
        ("bytes", "spreadlake_cold_uploaded_bytes", "Bytes of files that were uploaded."),
        ("left", "spreadlake_cold_left_files", "Files that left the disk, as the bucket has them."),
    ):
        yield counter(metric, text, [((), uploads.counters.get((name, ""), 0.0))])
    yield from gauges(uploads.told, _GAUGES)
