"""Puts the hours of a finished day of one symbol together in one file."""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from spreadlake.errors import LakeError
from spreadlake.lake.files import local_names
from spreadlake.lake.layout import DAY_MS, Lake
from spreadlake.lake.parts import write_parts
from spreadlake.lake.ticks.compaction import Day
from spreadlake.lake.ticks.partitions import cold_hour
from spreadlake.lake.ticks.rolls import RolledHour, rolled_of


def write_day(lake: Lake, db: sqlite3.Connection, day: Day) -> Iterator[None]:
    """Writes the day's file of all that the record says of its hours; these stay as they are.

    In pieces, between which something else may be done: yields after each. LakeError, and nothing
    is changed, where a file cannot be read, or the files do not hold what is on record: an hour
    would hide in the day what is wrong with it.
    """
    hours = rolled_of(db, day.symbol, day.day_ms, day.day_ms + DAY_MS)
    path = lake.tick_day(day.symbol, day.day_ms)
    _refuse_unknown(lake, path.parent, day, hours)
    yield from write_parts(_parts(lake, hours.values()), path)


def hours_beside(lake: Lake, day: Day) -> list[Path]:
    """The files of single hours in the folder of a day."""
    folder = lake.tick_day(day.symbol, day.day_ms).parent
    names = {f"{hour:02}.parquet" for hour in range(24)}
    return [folder / name for name in sorted(local_names(folder) & names)]


def remove_hours(lake: Lake, day: Day) -> None:
    """Removes the files of the hours, once it is on record that the day's file holds them."""
    for path in hours_beside(lake, day):
        path.unlink(missing_ok=True)


def _refuse_unknown(lake: Lake, folder: Path, day: Day, hours: dict[int, RolledHour]) -> None:
    for path in hours_beside(lake, day):
        if lake.partition_hour(path)[1] not in hours:
            raise LakeError(
                f"{path} is not on record, so the hours of {folder} stay as they are; "
                "import its day again (spreadlake import), or move it away"
            )


def _parts(lake: Lake, hours: Iterable[RolledHour]) -> Iterator[pl.DataFrame]:
    for hour in hours:
        cold = cold_hour(lake, hour.symbol, hour.hour_ms)
        rows = cold.trades
        if rows.height != hour.rows:
            raise LakeError(
                f"{cold.path.parent} holds {rows.height:,} trades of the hour {cold.path.stem} and "
                f"{hour.rows:,} are on record, so its hours stay as they are; put a good copy in "
                "place, or import the day again (spreadlake import)"
            )
        yield rows.drop("symbol")
