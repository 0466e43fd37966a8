"""What a lake takes on its disk, how fast that grows, and what retention makes of it."""

import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from spreadlake.config.storing import StorageSettings
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.keeping import age_cutoff, before, day_name, growth, removable_before
from spreadlake.lake.sizes import COLD, ColdKind, Sizes, measure
from spreadlake.status.ticks import last_trade_ms

# Every page of a database is read to tell its tables apart.
_TABLES_BYTES = 256 * 2**20


@dataclass(frozen=True)
class KindReport:
    """One kind of data: a database with its log, or a folder of files; bytes a day where known."""

    kind: str
    bytes: int
    files: int
    wal_bytes: int
    bytes_per_day: float | None


@dataclass(frozen=True)
class KeepReport:
    """What is kept of a kind: days by age, the first day there is, and what is due to go.

    `due_bytes` are of days before `due_before` (`YYYY-MM-DD`), by age or by `storage.max_gib`.
    """

    kind: str
    keep_days: float | None
    first_day: str | None
    due_before: str | None
    due_bytes: int


@dataclass(frozen=True)
class StorageReport:
    """All of it; times are Unix seconds, `days_left` None where nothing grows or is not known yet.

    `symbols` are the largest symbols and pairs, `tables` those of `analytics.db` (None: not
    counted, `tables_note` says why), `growth_days` over how many finished days growth was measured.
    """

    lake: str
    reported_at: float
    seconds: float
    folders: int
    bytes: int
    disk_free: int
    disk_size: int
    growth_days: int
    bytes_per_day: float | None
    days_left: float | None
    max_gib: float | None
    kinds: list[KindReport] = field(default_factory=list)
    tables: dict[str, int] | None = None
    tables_note: str = ""
    symbols: dict[str, int] = field(default_factory=dict)
    keep: list[KeepReport] = field(default_factory=list)


def report_storage(
    lake: Lake, storage: StorageSettings, top: int, pause: Callable[[], None] = lambda: None
) -> StorageReport:
    """Measures a lake, beside whatever runs on it; `top` symbols are named."""
    begin = time.perf_counter()
    sizes = measure(lake, pause)
    seconds = time.perf_counter() - begin
    disk = shutil.disk_usage(lake.root)
    newest_ms = last_trade_ms(lake)
    now = int(time.time()) if newest_ms is None else newest_ms // 1000
    grown = growth(sizes.days, day_name(now))
    daily = grown.total if grown.days else None
    tables, note = _tables(lake.analytics_db)
    symbols: Counter[str] = Counter()
    for (_, name), size in sizes.symbols.items():
        symbols[name] += size
    return StorageReport(
        str(lake.root),
        time.time(),
        seconds,
        sizes.folders,
        sizes.total,
        disk.free,
        disk.total,
        grown.days,
        daily,
        disk.free / daily if daily else None,
        storage.max_gib,
        [
            KindReport(
                kind, room.bytes, room.files, sizes.wal.get(kind, 0), grown.by_kind.get(kind)
            )
            for kind, room in sizes.kinds.items()
        ],
        tables,
        note,
        dict(symbols.most_common(top)),
        [_kept(kind, sizes, storage, now) for kind in COLD],
    )


def _kept(kind: ColdKind, sizes: Sizes, storage: StorageSettings, now: int) -> KeepReport:
    keep = (storage.keep_days or {}).get(kind)
    cutoff = max(age_cutoff(now, keep), removable_before(sizes, storage.max_gib, now))
    own = sorted(day for of, day in sizes.days if of == kind)
    due = before(sizes.days, kind, cutoff)
    return KeepReport(kind, keep, own[0] if own else None, day_name(cutoff) if due else None, due)


def _tables(path: Path) -> tuple[dict[str, int] | None, str]:
    if not path.exists():
        return None, "there is none yet"
    if path.stat().st_size > _TABLES_BYTES:
        return None, "not counted: every page of so large a file would have to be read"
    try:
        with closing(open_reader(path)) as db:
            rows = db.execute(
                "SELECT m.tbl_name, sum(s.pgsize) FROM dbstat AS s "
                "JOIN sqlite_master AS m ON m.name = s.name GROUP BY 1 ORDER BY 2 DESC"
            ).fetchall()
    except (sqlite3.Error, LakeError) as error:
        return None, f"not counted: {error}"
    return dict(rows), ""
