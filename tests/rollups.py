"""Roll-ups of the rows of a lake, whoever wrote these: what they should be, and there."""

import sqlite3

import polars as pl

from spreadlake.lake.analytics.rollups import save_rollups
from spreadlake.quant.rollups import ROLLED_SCHEMA, roll_up, span_seconds
from spreadlake.times import timeframe_seconds


def store_rollups(db: sqlite3.Connection, final: int) -> None:
    """Writes those of every row that SQLite has, of the spans that end at or before `final` (s)."""
    found = db.execute(f"SELECT {', '.join(ROLLED_SCHEMA)} FROM pair_analytics").fetchall()
    rows = pl.DataFrame(found, schema=ROLLED_SCHEMA, orient="row")
    for (timeframe,), own in rows.group_by("timeframe"):
        length = timeframe_seconds(str(timeframe))
        over = pl.col("time") + span_seconds(length) <= final
        save_rollups(db, roll_up(own, length).filter(over))
