"""Queries of one series' alert events within the time range: the table, and the marks on z."""

from grafana.source.sql import (
    FROM,
    LOOKBACK,
    PAIR,
    TIMEFRAME,
    TO,
    WATERMARK,
    WINDOW,
    as_of,
    duration,
    seconds_of,
)

MOST_EVENTS = 500

_SERIES = f"""pair = {PAIR} AND timeframe = {TIMEFRAME} AND window_bars = {WINDOW}
    AND lookback_bars = {LOOKBACK}"""

# A rule has one event of a series at a time, so that of before the range is the last that can reach
# into it: with a seek for each rule that there is, and none for what is outside the range. Lakes of
# every version have the key that serves both.
_EVENTS = f"""WITH RECURSIVE rules(name) AS (
  SELECT min(rule) FROM alert_events
  UNION ALL
  SELECT (SELECT min(rule) FROM alert_events WHERE rule > name) FROM rules WHERE name IS NOT NULL),
events AS MATERIALIZED (
  SELECT e.* FROM rules CROSS JOIN alert_events AS e ON rule = name AND {_SERIES}
    AND opened_at >= coalesce(
      (SELECT max(opened_at) FROM alert_events WHERE rule = name AND {_SERIES}
        AND opened_at < {FROM}), {FROM})
    AND opened_at <= {TO}
  WHERE closed_at IS NULL OR closed_at >= {FROM}
  ORDER BY opened_at DESC LIMIT {MOST_EVENTS})"""

_SECONDS = f"CAST(coalesce(closed_at, {WATERMARK}) - opened_at AS REAL)"

ALERTS = f"""{_EVENTS}
SELECT '' AS _, opened_at AS opened,
  CASE WHEN closed_at IS NOT NULL THEN 'closed'
    ELSE 'open' || {as_of(f"CAST({WATERMARK} AS INTEGER)", "0")} END AS state,
  CASE WHEN opened_zscore > 0 THEN 'short' ELSE 'long' END AS side,
  opened_zscore AS z_opened, peak_zscore AS z_peak, closed_zscore AS z_closed, threshold,
  {_SECONDS} AS lasted, rule
FROM events ORDER BY opened_at DESC"""


def _z(column: str) -> str:
    return f"replace(printf('%+.2f', {column}), '-', '−')"


# From its bar to the one that closed it; one that is open reaches to the newest bar.
MARKS = f"""{_EVENTS}
SELECT opened_at AS time,
  CAST(coalesce(closed_at,
    max(opened_at, min({TO}, {WATERMARK} - {seconds_of(TIMEFRAME)}))) AS INTEGER) AS timeEnd,
  rule || ': ' || CASE WHEN opened_zscore > 0 THEN 'short' ELSE 'long' END || ' the spread, z '
    || {_z("opened_zscore")} || ' beyond ' || printf('%g', threshold) || ', at most '
    || {_z("peak_zscore")} || CASE WHEN closed_at IS NULL THEN '; open' ELSE '; back after '
    || {duration(_SECONDS)} || coalesce(' at ' || {_z("closed_zscore")}, '') END AS text
FROM events ORDER BY opened_at"""
