"""`analyse --rebuild`: all tables again from the trades, hot and cold."""

import math
import sqlite3
from contextlib import closing

import polars as pl

from analytics_job.feed import FEED_SCHEMA
from analytics_job.pipeline import Pipeline
from analytics_job.tests_archive import forget_archived_tests
from spreadlake.lake import HOUR_MS, Lake, atomic, iter_trades, open_reader
from spreadlake.lake.rolls import missing_error, missing_hours
from spreadlake.lake.trades import trades_span
from spreadlake.times import iso_utc, timeframe_seconds

__all__ = ["clear_from", "rebuild_from", "refuse_missing"]

# Rows of a series are redone from here on; `series` and `alert_rules` stay, so that the rows
# before `start` are not computed again.
_BY_TIME = {"bars": "time", "pair_analytics": "time", "pair_tests": "time", "tests_due": "time"}


def clear_from(db: sqlite3.Connection, start: int | None) -> int | None:
    """Forgets what was computed from the second `start` on (None: everything).

    Returns the second from which trades have to be read again, None for the first: the start of
    the longest bar that holds `start`. Runs inside the caller's transaction.
    """
    if start is not None:
        start = _begin(db, start)
    low = 0 if start is None else start
    _forget_symbols(db, low)
    for table, column in _BY_TIME.items():
        db.execute(f"DELETE FROM {table} WHERE {column} >= ?", (low,))
    db.execute("DELETE FROM alert_events WHERE opened_at >= ?", (low,))
    db.execute(
        "UPDATE alert_events SET closed_at = NULL, closed_zscore = NULL WHERE closed_at >= ?",
        (low,),
    )
    db.execute(
        "UPDATE alert_counts AS c SET opened = (SELECT COUNT(*) FROM alert_events AS e "
        "WHERE (e.rule, e.pair, e.timeframe, e.window_bars, e.lookback_bars) "
        "= (c.rule, c.pair, c.timeframe, c.window_bars, c.lookback_bars))"
    )
    db.execute("DELETE FROM first_bars WHERE time >= ?", (low,))
    if start is None:
        db.execute("DELETE FROM pair_status")
    db.execute("DELETE FROM progress WHERE key IN ('seq', 'watermark_ms', 'final_time')")
    if start is not None:
        db.execute("INSERT INTO progress VALUES ('final_time', ?)", (start,))
    return start


def refuse_missing(lake: Lake, start: int | None) -> None:
    """MissingFileError where trades from the second `start` on (None: all) were in files now gone.

    Raised while nothing was cleared yet for good: rows that cannot be computed again stay.
    """
    with closing(open_reader(lake.ticks_db)) as ticks:
        missing = missing_hours(ticks, lake, 0 if start is None else start * 1000)
    if missing:
        after = (max(hour.hour_ms for hour in missing) + HOUR_MS) // 1000
        raise missing_error(
            lake, missing, f", or rebuild what comes after: --from {iso_utc(after)}"
        )


def rebuild_from(db: sqlite3.Connection, lake: Lake, pipeline: Pipeline, start: int | None) -> None:
    """Takes in all trades from the second `start` on, an hour at a time.

    Afterwards `progress` says where to read on; the pipeline is done with, because it holds
    trades that will be read again.
    """
    forget_archived_tests(lake, start)
    span = trades_span(lake)
    if span is None:
        return
    pipeline.expected = (span.last_ms - HOUR_MS) // 1000  # of a rolled hour only the end is known
    first_ms = span.first_ms if start is None else start * 1000
    for trades in iter_trades(lake, first_ms, span.last_ms + 1):
        rows = trades.with_columns(seq=pl.lit(0, pl.Int64)).select(FEED_SCHEMA.names())
        pipeline.ingest(rows.sort("time_ms"), 0)
    with atomic(db):
        seq = _seq_before(lake, pipeline.progress.final_or_start, span.last_seq)
        db.execute("INSERT OR REPLACE INTO progress VALUES ('seq', ?)", (seq,))


def _seq_before(lake: Lake, final: int, last_seq: int) -> int:
    """The sequence number after which every trade that is not final yet will be read."""
    with closing(open_reader(lake.ticks_db)) as ticks:
        hot, rolled = ticks.execute(
            "SELECT (SELECT MIN(seq) FROM ticks WHERE time_ms >= ?1), "
            "(SELECT MIN(max_seq) FROM rolls WHERE hour_ms + ?2 > ?1)",
            (final * 1000, HOUR_MS),
        ).fetchone()
    return min([last_seq, *(int(seq) - 1 for seq in (hot, rolled) if seq is not None)])


def _begin(db: sqlite3.Connection, start: int) -> int | None:
    """The last second at or before `start` where bars of every timeframe begin.

    None where all trades come after it; nothing is final after `final_time`.
    """
    first = db.execute("SELECT MIN(time) FROM first_bars WHERE timeframe = '1s'").fetchone()[0]
    final = db.execute("SELECT value FROM progress WHERE key = 'final_time'").fetchone()
    if first is None or final is None:
        return None
    names = [row[0] for row in db.execute("SELECT DISTINCT timeframe FROM first_bars")]
    start = min(start, int(final[0]))
    start -= start % math.lcm(*(timeframe_seconds(name) for name in names))
    return start if start > first else None


def _forget_symbols(db: sqlite3.Connection, low: int) -> None:
    """Symbols without a trade before `low`: what bars they have before it are klines'."""
    where = "symbol IN (SELECT symbol FROM first_bars WHERE timeframe = '1s' AND time >= ?)"
    db.execute(f"DELETE FROM bars WHERE {where}", (low,))
    db.execute(f"DELETE FROM first_bars WHERE {where}", (low,))
