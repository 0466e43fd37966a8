"""Roll-ups of the rows of a lake, whoever wrote these: what they should be, and there."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import polars as pl

from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.rollups import save_rollups
from spreadlake.lake.analytics.rows import read_frame
from spreadlake.quant.rollups import ROLLED_SCHEMA, ROLLUP_COLUMNS, roll_up, span_seconds
from spreadlake.series import SeriesKey
from spreadlake.times import timeframe_seconds


def store_rollups(db: sqlite3.Connection, final: int) -> None:
    """Writes those of every row that SQLite has, of the spans that end at or before `final` (s)."""
    found = db.execute(f"SELECT {', '.join(ROLLED_SCHEMA)} FROM pair_analytics").fetchall()
    rows = pl.DataFrame(found, schema=ROLLED_SCHEMA, orient="row")
    for (timeframe,), own in rows.group_by("timeframe"):
        save_rollups(db, _over(str(timeframe), own, final))


def expected_rollups(lake: Lake) -> list[dict[str, Any]]:
    """Those of every row of the followed series, in SQLite or in Parquet, as `kept_rollups`."""
    with closing(open_reader(lake.analytics_db)) as db:
        (final,) = db.execute("SELECT value FROM progress WHERE key = 'final_time'").fetchone()
        keys = [SeriesKey(*row[:4]) for row in db.execute("SELECT * FROM series")]
        return [
            row
            for key in sorted(keys)
            for rows in _rows(db, lake, key)
            for row in _over(key.timeframe, rows, final).iter_rows(named=True)
        ]


def kept_rollups(lake: Lake) -> list[dict[str, Any]]:
    """What the table has, in order of its key."""
    with closing(open_reader(lake.analytics_db)) as db:
        found = db.execute(
            f"SELECT {', '.join(ROLLUP_COLUMNS)} FROM pair_rollups ORDER BY 1,2,3,4,5"
        )
        return [dict(zip(ROLLUP_COLUMNS, row, strict=True)) for row in found]


def _rows(db: sqlite3.Connection, lake: Lake, key: SeriesKey) -> Iterator[pl.DataFrame]:
    rows = read_frame(db, lake, key, 0, 2**40, ROLLED_SCHEMA.names())
    named = {name: pl.lit(one) for name, one in zip(key.table.key, key, strict=True)}
    yield rows.with_columns(**named).select(ROLLED_SCHEMA.names()).cast(ROLLED_SCHEMA)


def _over(timeframe: str, rows: pl.DataFrame, final: int) -> pl.DataFrame:
    length = timeframe_seconds(timeframe)
    return roll_up(rows, length).filter(pl.col("time") + span_seconds(length) <= final)
