"""What the job removed of its archive to make room: told to who asks for it, not left out."""

import sqlite3

from spreadlake.errors import RemovedError
from spreadlake.lake.layout import Lake
from spreadlake.lake.removed import removed_by, still_in_bucket
from spreadlake.series import Table
from spreadlake.times import iso_utc


def removed_key(table: Table, timeframe: str) -> str:
    """Where `progress` says before when rows are removed."""
    return f"removed:{table.name}:{timeframe}"


def removed_before(db: sqlite3.Connection, table: Table, timeframe: str) -> int:
    """Rows of a timeframe before this midnight (s) were removed; 0 where none were."""
    row = db.execute(
        "SELECT value FROM progress WHERE key = ?", (removed_key(table, timeframe),)
    ).fetchone()
    return 0 if row is None else int(row[0])


def refuse_removed_rows(
    db: sqlite3.Connection, lake: Lake, table: Table, timeframe: str, *times: float | None
) -> None:
    """RemovedError where one of the times (s; None: none was asked for) is before what is kept."""
    end = removed_before(db, table, timeframe)
    asked = [time for time in times if time is not None]
    if end and asked and min(asked) < end:  # 0: nothing was
        folder = lake.root / table.name / f"timeframe={timeframe}"
        raise RemovedError(
            f"{table.name} of {timeframe} before {iso_utc(end)} were removed to make room "
            f"({removed_by(lake)}); ask for a time from then on"
            f"{still_in_bucket(lake, folder, 0, end)}"
        )
