"""Puts the partitions of an hour in place; one that cannot be costs only itself."""

import threading
from contextlib import closing
from dataclasses import dataclass, field

from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.hot import HotHour, HotPart, hot_parts
from spreadlake.lake.ticks.rolls import refuse_missing


@dataclass(frozen=True)
class WrittenHour:
    """The symbols whose trades are in place, with how many there are, and why others have none.

    Of those trades the second number says how many the file of the whole day holds.

    The rows of those others stay in SQLite.
    """

    parts: list[tuple[HotPart, int, int]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    @property
    def symbols(self) -> list[str]:
        """Those whose rows may be deleted."""
        return [part.symbol for part, *_ in self.parts]


def write_hour(lake: Lake, hour: HotHour, stop: threading.Event) -> WrittenHour:
    """Puts the partitions of all symbols of an hour in place, as far as that can be.

    Reads by a connection of its own, so that it can run beside the writer. Between two symbols
    it looks at `stop`, and then raises InterruptedError. OSError where the disk is full.
    """
    # Polars is needed once an hour, and not small.
    from spreadlake.lake.ticks.partitions import (  # noqa: PLC0415
        cold_hour,
        hot_trades,
        merged,
        write_hour_of,
    )

    written = WrittenHour()
    with closing(open_reader(lake.ticks_db)) as db:
        for part in hot_parts(db, hour):
            if stop.is_set():
                raise InterruptedError
            hot = hot_trades(db, hour, part)
            try:
                refuse_missing(lake, db, part.symbol, hour.hour_ms)
                cold = cold_hour(lake, part.symbol, hour.hour_ms)
                rows = merged(hot, cold.trades)
                write_hour_of(cold, rows, hot, part)
                written.parts.append((part, rows.height, cold.compacted.height))
            except LakeError as error:
                written.left.append(str(error))
    return written
