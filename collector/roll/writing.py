"""Puts the partitions of an hour in place; one that cannot be costs only itself."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.hot import HotHour, HotPart, hot_parts
from spreadlake.lake.ticks.rolls import RolledHour, missing_error, rolled_rows


@dataclass(frozen=True)
class WrittenHour:
    """The symbols whose partition is in place, with the rows it has, and why others have none.

    The rows of those others stay in SQLite.
    """

    parts: list[tuple[HotPart, int]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def symbols(self) -> list[str]:
        """Those whose rows may be deleted."""
        return [part.symbol for part, _ in self.parts]


def write_hour(lake: Lake, hour: HotHour, stop: threading.Event) -> WrittenHour:
    """Puts the partitions of all symbols of an hour in place, as far as that can be.

    Reads by a connection of its own, so that it can run beside the writer. Between two symbols
    it looks at `stop`, and then raises InterruptedError. OSError where the disk is full.
    """
    # Polars is needed once an hour, and not small.
    from spreadlake.lake.ticks.partitions import (  # noqa: PLC0415
        hot_trades,
        merged,
        partition_or_none,
        write_partition,
    )

    written = WrittenHour()
    with closing(open_reader(lake.ticks_db)) as db:
        for part in hot_parts(db, hour):
            if stop.is_set():
                raise InterruptedError
            hot = hot_trades(db, hour, part)
            path = lake.tick_partition(part.symbol, hour.hour_ms)
            try:
                _refuse_missing(lake, db, part.symbol, hour.hour_ms, path)
                rows = merged(hot, partition_or_none(path))
                write_partition(path, rows, hot, part)
                written.parts.append((part, rows.height))
            except LakeError as error:
                written.left.append(str(error))
    return written


def _refuse_missing(
    lake: Lake, db: sqlite3.Connection, symbol: str, hour_ms: int, path: Path
) -> None:
    """A new file in the place of one that is gone would hide that its trades are missing."""
    rows = 0 if path.exists() else rolled_rows(db, symbol, hour_ms)
    if rows:
        raise missing_error(lake, [RolledHour(symbol, hour_ms, rows)])
