"""Backs up a lake while its services write it, and again with only what is new.

A moment of a lake is a moment of `ticks.db`: what is not in it is in files that it knows of. So
files are copied before it and after it, and what a roll or a compaction moved in between is in the
one place or the other, as after a crash at that moment. The databases go in last: whatever kills
a back-up, the folder is no lake yet, or one of an earlier moment and some files more.
"""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from spreadlake.errors import LakeError
from spreadlake.lake.backup.databases import beside, discard, put_in_place, read_copy, snapshot
from spreadlake.lake.backup.files import Copies, bring, bring_file, prune
from spreadlake.lake.backup.folder import Mark, check_folders
from spreadlake.lake.cold.note import check_record
from spreadlake.lake.cold.recorded import recorded
from spreadlake.lake.databases.connections import open_reader, writer_lock
from spreadlake.lake.layout import Lake
from spreadlake.lake.parquet import sync_folder
from spreadlake.lake.sizes import COLD, FOLDERS
from spreadlake.lake.ticks.rolls import RolledHour, missing_hours, rolled_of
from spreadlake.lake.ticks.symbols import newest_trade_ms

_TRIES = 10


@dataclass(frozen=True)
class BackUp:
    """What a back-up did: `until_ms` is the time of the newest trade in it."""

    until_ms: int | None
    files: int
    bytes: int
    unchanged: int
    removed: int
    databases: tuple[str, ...]
    missing: int
    """Hours of which the lake itself has no file any more."""


def back_up(lake: Lake, to: Lake, look: Callable[[], None] = lambda: None) -> BackUp:
    """Makes `to` a copy of the lake as it is now; of what is there already only the rest.

    `look` is called again and again, and may raise. InputError where `to` is another lake or holds
    other things; LakeError where it is in use, newer, or the lake is not whole or has lost its
    `cold.db`.
    """
    check_record(lake)  # else it would replace the last good one, which is in the back-up
    check_folders(lake, to)
    to.root.mkdir(parents=True, exist_ok=True)
    mark = Mark.of(to)
    with writer_lock(to, "backup"):
        mark.begin(lake)
        copies, missing = _copy(lake, to, look)
        # One sync for all of them: one for each would take many times as long.
        os.sync()
        done = _put_in_place(lake, to)
        removed = _prune(lake, to)
        with closing(read_copy(to.ticks_db)) as db:
            until_ms = newest_trade_ms(db)
        mark.end(lake, until_ms)
    return BackUp(
        until_ms, copies.files, copies.bytes, copies.unchanged, removed, done, len(missing)
    )


def _copy(lake: Lake, to: Lake, look: Callable[[], None]) -> tuple[Copies, set[RolledHour]]:
    """All files, and the databases beside their places."""
    first = _bring(lake, to, look)
    for _ in range(_TRIES):
        # The notifier knows no event that the job has not, nor the job a trade that the collector
        # has not: so each is taken before the one that it reads.
        for name in ("notify.db", "analytics.db", "ticks.db"):
            _snapshot(lake, to, name)
        again = _bring(lake, to, look)
        # After the files: what left the disk meanwhile is in the bucket, and on record there.
        if _snapshot(lake, to, "cold.db"):
            put_in_place(to.cold_db)
        first.files += again.files
        first.bytes += again.bytes
        with closing(open_reader(lake.ticks_db)) as db:
            lost = set(missing_hours(db, lake))
        with closing(read_copy(beside(to.ticks_db))) as db:
            missing = set(missing_hours(db, to))
        if missing <= lost:
            _snapshot(lake, to, "backtests.db")
            return first, missing
    raise LakeError(
        f"files of {lake.root} come and go faster than they can be copied to {to.root}; try again "
        "when finished days are compacted"
    )


def _bring(lake: Lake, to: Lake, look: Callable[[], None]) -> Copies:
    all_copies = Copies()
    for name in FOLDERS:
        copies = bring(lake.root / name, to.root / name, look)
        all_copies.files += copies.files
        all_copies.bytes += copies.bytes
        all_copies.unchanged += copies.unchanged
    return all_copies


def _snapshot(lake: Lake, to: Lake, name: str) -> bool:
    there = (lake.root / name).exists()
    if there:
        snapshot(lake.root / name, to.root / name)
    else:
        discard(beside(to.root / name))
    return there


def _put_in_place(lake: Lake, to: Lake) -> tuple[str, ...]:
    for path in (lake.added_pairs, lake.added_rules):
        bring_file(path, to.root / path.name)
    done = ["ticks.db", "analytics.db", "notify.db", "backtests.db"]
    if not to.ticks_db.exists():
        done.reverse()  # until it is there, the folder is no lake
    # Else the job's must not be the newer one for a moment: it would know of trades to come.
    done = [name for name in done if beside(to.root / name).exists()]
    for name in done:
        put_in_place(to.root / name)
    sync_folder(to.root)
    return tuple(done)


def _prune(lake: Lake, to: Lake) -> int:
    with closing(read_copy(to.ticks_db)) as db:

        def is_needed(path: Path) -> bool:
            """Whether the back-up knows of what only this file holds.

            A file that came to the bucket, and left the disk, since its record was copied is on
            record in the lake alone.
            """
            if recorded(to).has(path):
                return False
            if not path.is_relative_to(to.ticks_dir):
                return recorded(lake).has(lake.root / path.relative_to(to.root))
            symbol, start_ms, end_ms = to.partition_span(path)
            hours = rolled_of(db, symbol, start_ms, end_ms).values()
            if path == to.tick_day(symbol, start_ms):
                return any(hour.day_rows for hour in hours)
            return any(hour.rows > hour.day_rows for hour in hours)

        return sum(prune(lake.root / name, to.root / name, is_needed) for name in COLD)
