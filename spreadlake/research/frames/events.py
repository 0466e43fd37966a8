"""What a lake has on record beside its series: alerts, and ranges of trades that are missing."""

import sqlite3

import polars as pl

from spreadlake.lake import Lake
from spreadlake.lake.ticks.gaps import gap_rows
from spreadlake.research.frames.lazy import with_datetimes
from spreadlake.schemas import UTC_TIME
from spreadlake.status.snapshots import snapshot

ALERTS_FRAME = pl.Schema(
    [
        ("time", UTC_TIME),
        ("id", pl.Int64()),
        ("rule", pl.String()),
        ("pair", pl.String()),
        ("timeframe", pl.String()),
        ("window_bars", pl.Int64()),
        ("lookback_bars", pl.Int64()),
        ("threshold", pl.Float64()),
        ("opened_at", UTC_TIME),
        ("opened_zscore", pl.Float64()),
        ("peak_zscore", pl.Float64()),
        ("closed_at", UTC_TIME),
        ("closed_zscore", pl.Float64()),
    ]
)
GAPS_FRAME = pl.Schema(
    [
        ("time", UTC_TIME),
        ("symbol", pl.String()),
        ("first_id", pl.Int64()),
        ("last_id", pl.Int64()),
        ("trades", pl.Int64()),
        ("state", pl.String()),
        ("cause", pl.String()),
        ("message", pl.String()),
        ("closed_at", UTC_TIME),
    ]
)


def alerts_frame(lake: Lake) -> pl.DataFrame:
    """Every alert event, the oldest first; `closed_at` is null while one is open."""
    with snapshot(lake.analytics_db) as db:
        rows = [] if db is None else _events(db)
    stored = ALERTS_FRAME.names()[1:]
    kinds = {name: pl.Int64() if name.endswith("_at") else ALERTS_FRAME[name] for name in stored}
    frame = pl.DataFrame(rows, schema=kinds, orient="row")
    frame = with_datetimes(with_datetimes(frame, "s", "opened_at"), "s", "closed_at")
    return frame.select(pl.col("opened_at").alias("time"), *stored)


def _events(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    names = ", ".join(ALERTS_FRAME.names()[1:])
    return db.execute(f"SELECT {names} FROM alert_events ORDER BY opened_at, id").fetchall()


def gaps_frame(lake: Lake, *, repaired: bool = False) -> pl.DataFrame:
    """Ranges of ids that are missing, by symbol and id; with `repaired` those that were, too.

    `time` is when one was found, by the local clock.
    """
    with snapshot(lake.ticks_db) as db:
        rows = [] if db is None else gap_rows(db, repaired=repaired)
    kinds = GAPS_FRAME | {"time": pl.Int64(), "closed_at": pl.Int64()}
    frame = pl.DataFrame(rows, schema=kinds, orient="row")
    return with_datetimes(with_datetimes(frame, "ms"), "ms", "closed_at")
