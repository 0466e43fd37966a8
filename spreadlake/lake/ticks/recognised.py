"""By what the trades of a lake are known again in files whose record was lost."""

import sqlite3

from spreadlake.lake.databases.meta import has_table
from spreadlake.lake.layout import Lake
from spreadlake.lake.ticks.rolls import knows_days


def newest_seqs(db: sqlite3.Connection) -> dict[tuple[str, int], int]:
    """By symbol and hour (ms) the last seq of its trades, which no two lakes share by chance."""
    if not has_table(db, "rolls"):
        return {}
    rows = db.execute("SELECT symbol, hour_ms, max_seq FROM rolls").fetchall()
    return {(symbol, hour_ms): seq for symbol, hour_ms, seq in rows}


def rows_of_days(db: sqlite3.Connection, lake: Lake) -> dict[str, int]:
    """By the path in the lake of a day's file how many trades it has."""
    if not knows_days(db):
        return {}
    rows = db.execute(
        "SELECT symbol, hour_ms - hour_ms % 86400000 AS day_ms, sum(day_rows) FROM rolls "
        "WHERE day_rows > 0 GROUP BY symbol, day_ms"
    ).fetchall()
    paths = (lake.tick_day(symbol, day_ms).relative_to(lake.root) for symbol, day_ms, _ in rows)
    return {path.as_posix(): number for path, (*_, number) in zip(paths, rows, strict=True)}
