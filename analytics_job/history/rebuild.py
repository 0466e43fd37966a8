"""`analyse --rebuild`: all tables again from the trades, hot and cold."""

import logging
import math
import sqlite3
from contextlib import closing

import polars as pl

from analytics_job.pipeline import Pipeline
from analytics_job.ticks.backlog import DueHour, HoursDue
from spreadlake.errors import DamagedFileError, ObjectStorageError
from spreadlake.lake import HOUR_MS, Lake, atomic, hour_of, open_reader
from spreadlake.lake.analytics.rollups import forget_rollups
from spreadlake.lake.files import cold_part, matching
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.reading import ask
from spreadlake.lake.ticks.hot import next_hour
from spreadlake.lake.ticks.removal import removed_until
from spreadlake.lake.ticks.rolls import missing_error, missing_hours
from spreadlake.lake.ticks.trades import cold_hours, trades_span
from spreadlake.times import iso_utc, timeframe_seconds

log = logging.getLogger(__name__)

# Rows of a series are redone from here on; `series` and `alert_rules` stay, so that the rows
# before `start` are not computed again.
_BY_TIME = {"bars": "time", "pair_analytics": "time", "pair_tests": "time", "tests_due": "time"}
# Screens are not taken again, nor are the events of rules on them found again.
_OF_PAIRS = "id NOT IN (SELECT event_id FROM screen_alerts)"


def begin_rebuild(
    db: sqlite3.Connection, lake: Lake, pipeline: Pipeline, start: int | None
) -> None:
    """Forgets what was computed from the second `start` on, and queues the trades since then.

    A rebuild from the same second that was interrupted goes on from where it was.
    """
    start = _after_removed(lake, start)
    wanted = -1 if start is None else start
    begun = db.execute("SELECT value FROM progress WHERE key = 'rebuild_from'").fetchone()
    unfinished = pipeline.hours_due.first() is not None or pipeline.rows_due.first() is not None
    if begun is not None and begun[0] == wanted and unfinished:
        log.info("going on with the rebuild that was interrupted")
        return
    with atomic(db):
        start = clear_from(db, pipeline, start)
        _refuse_missing(lake, start)
        _queue(db, lake, start)
        _forget_archived_tests(lake, start)
        db.execute("INSERT OR REPLACE INTO progress VALUES ('rebuild_from', ?)", (wanted,))


def _after_removed(lake: Lake, start: int | None) -> int | None:
    """Not before the end of what was removed to make room: what was computed of it stays."""
    if not lake.ticks_db.exists():
        return start
    with closing(open_reader(lake.ticks_db)) as ticks:
        end = removed_until(ticks) // 1000
    if end <= (start or 0):
        return start
    log.warning(
        "trades before %s were removed to make room: what was computed before that stays",
        iso_utc(end),
    )
    return end


def clear_from(db: sqlite3.Connection, pipeline: Pipeline, start: int | None) -> int | None:
    """Forgets what was computed from the second `start` on (None: everything).

    Returns the second from which trades have to be read again, None for the first: the start of
    the longest bar that holds `start`. Runs inside the caller's transaction.
    """
    if start is not None:
        start = _begin(db, start)
    low = 0 if start is None else start
    forget_rollups(db, low)
    _forget_symbols(db, low)
    for table, column in _BY_TIME.items():
        db.execute(f"DELETE FROM {table} WHERE {column} >= ?", (low,))
    db.execute(f"DELETE FROM alert_events WHERE opened_at >= ? AND {_OF_PAIRS}", (low,))
    db.execute(
        "UPDATE alert_events SET closed_at = NULL, closed_zscore = NULL "
        f"WHERE closed_at >= ? AND {_OF_PAIRS}",
        (low,),
    )
    db.execute(
        "UPDATE alert_counts AS c SET opened = (SELECT COUNT(*) FROM alert_events AS e "
        "WHERE (e.rule, e.pair, e.timeframe, e.window_bars, e.lookback_bars) "
        f"= (c.rule, c.pair, c.timeframe, c.window_bars, c.lookback_bars) AND {_OF_PAIRS})"
    )
    db.execute("DELETE FROM first_bars WHERE time >= ?", (low,))
    if start is None:
        db.execute("DELETE FROM pair_status")
    _clear_progress(db, pipeline, start)
    return start


def _refuse_missing(lake: Lake, start: int | None) -> None:
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


def _clear_progress(db: sqlite3.Connection, pipeline: Pipeline, start: int | None) -> None:
    low = 0 if start is None else start
    db.execute('DELETE FROM breaks WHERE "end" >= ?', (low,))
    db.execute("DELETE FROM joins WHERE time >= ?", (low,))
    db.execute("DELETE FROM stops WHERE time >= ?", (low,))
    if start is None:
        db.execute("DELETE FROM kline_runs")
    db.execute("DELETE FROM hours_due")
    db.execute('DELETE FROM rows_due WHERE "start" >= ?', (low,))
    db.execute('UPDATE rows_due SET "end" = ? WHERE "end" > ?', (low, low))
    db.execute(
        "DELETE FROM progress WHERE key IN ('seq', 'watermark_ms', 'final_time', 'covered_time') "
        "OR key GLOB 'kline*'"
    )
    db.execute(
        "UPDATE progress SET value = min(value, ?) WHERE key GLOB 'build:*' OR key GLOB 'rule:*'",
        (low,),
    )
    covered = pipeline.spans.spans.last_before(low)
    if start is not None and covered is not None:
        db.executemany(
            "INSERT INTO progress VALUES (?, ?)",
            [("final_time", start), ("covered_time", covered)],
        )


def _queue(db: sqlite3.Connection, lake: Lake, start: int | None) -> None:
    """Every hour with trades from the second `start` on is history's work."""
    span = trades_span(lake)
    if span is None:
        return
    begin = span.first_ms if start is None else start * 1000
    HoursDue(db).add(DueHour(hour, "", max(begin, hour)) for hour in _hours(lake, hour_of(begin)))
    db.execute("INSERT OR REPLACE INTO progress VALUES ('seq', ?)", (span.last_seq,))


def _hours(lake: Lake, start_ms: int) -> list[int]:
    """Hours from `start_ms` on that have trades, hot or rolled."""
    with closing(open_reader(lake.ticks_db)) as ticks:
        hours = {hour for hour in cold_hours(ticks, lake) if hour >= start_ms}
        hour = next_hour(ticks, start_ms)
        while hour is not None:
            hours.add(hour.hour_ms)
            hour = next_hour(ticks, hour.hour_ms + HOUR_MS)
    return sorted(hours)


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


def _forget_archived_tests(lake: Lake, start: int | None) -> None:
    """Removes rows of `pair_tests` from the second `start` on (None: all) from Parquet.

    History has fewer of them than a live run had: those that it leaves out would stay as they
    were, whatever has become of their bars. DamagedFileError where a file that holds earlier rows
    too cannot be read.
    """
    for path in matching(lake, lake.root / "pair_tests", "*/*/*/*.parquet"):
        # Without the file its object would count again: one that is empty takes the place of both.
        uploaded = (cold := cold_part(lake)) is not None and cold.has(path)
        if start is None and not uploaded:
            path.unlink()
            continue
        try:
            rows = ask(lake, path, lambda file: file.collect())
        except ObjectStorageError:
            raise
        except DamagedFileError as error:
            raise DamagedFileError(f"{error.reason}; rebuild without --from") from error
        kept = rows.clear() if start is None else rows.filter(pl.col("time") < start)
        if kept.is_empty() and not uploaded:
            path.unlink()
        elif kept.height < rows.height:
            write_durably(kept, path)
