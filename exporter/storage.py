"""Metrics of the lake's files, and of the room on their disk."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import Metric

from exporter.families import gauge
from spreadlake.lake import read_status
from spreadlake.status import FileReport, LakeSnapshot, database_sizes


@dataclass(frozen=True)
class Storage:
    """Sizes of the lake's files, and the room on their disk in bytes."""

    files: Sequence[FileReport] = ()
    free: int | None = None
    total: int | None = None
    kinds: Mapping[str, float] = field(default_factory=dict)


def read_storage(look: LakeSnapshot) -> Storage:
    """Sizes of the databases, and the room on their disk."""
    lake = look.lake
    if not lake.root.exists():
        return Storage()
    disk = shutil.disk_usage(lake.root)
    # Of many folders: the collector looks into them once an hour, and not each scrape.
    with look.database(lake.ticks_db) as db:
        told = {} if db is None else read_status(db).get("storage", ({}, 0))[0]
    return Storage(database_sizes(lake), disk.free, disk.total, told.get("bytes", {}))


def storage_families(storage: Storage) -> Iterator[Metric]:
    """Sizes of the databases and their write-ahead logs, and what the disk has left."""
    sizes = {file.name: file.bytes for file in storage.files}
    for metric, text, suffix in (
        ("spreadlake_database_bytes", "Size of the database file.", ".db"),
        ("spreadlake_database_wal_bytes", "Size of its write-ahead log.", ".db-wal"),
    ):
        samples = [((name,), sizes.get(f"{name}{suffix}")) for name in ("ticks", "analytics")]
        yield gauge(metric, text, samples, ["database"])
    yield gauge(
        "spreadlake_lake_bytes",
        "What the lake takes, by kind, as the collector measured it within the last hour.",
        [((kind,), size) for kind, size in storage.kinds.items()],
        ["kind"],
    )
    yield gauge("spreadlake_disk_free_bytes", "Room left on the lake's disk.", [((), storage.free)])
    yield gauge("spreadlake_disk_size_bytes", "Size of the lake's disk.", [((), storage.total)])
