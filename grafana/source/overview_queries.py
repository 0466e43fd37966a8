"""Queries of the overview's panels."""

from grafana.source.overview_latest import IS_PAST, LATEST, LEGS, SECONDS, newest_row
from grafana.source.sparklines import PICTURE, TABLES
from grafana.source.sql import (
    ASKED,
    KEPT_PRICES,
    LOOKBACK,
    NOW,
    OLD_SECONDS,
    THRESHOLD,
    TIMEFRAME,
    TO,
    WATERMARK,
    WRONG,
    as_of,
    break_ends,
    duration,
    rounded,
    signed,
)

_STATE = f"""CASE WHEN time IS NOT NULL AND {IS_PAST}
    THEN CASE WHEN zscore IS NULL THEN 'no z-score' ELSE 'ready' END
  ELSE CASE state WHEN 'ready' THEN 'ready' ELSE message END END
  || CASE WHEN at = '' THEN '' ELSE ' · ' || at END"""

PAIRS = f"""WITH {TABLES}
SELECT '' AS _, latest.pair, symbol_a, symbol_b,
  {signed("zscore", "at <> ''")} AS z, {_STATE} AS state,
  correlation, return_correlation, {rounded("beta")} AS beta, {PICTURE} AS trend
FROM latest LEFT JOIN lines USING (pair)
ORDER BY coalesce(abs(zscore), -1.0) DESC, latest.pair"""

# What the lake itself knows is as old as its newest trade.
_LAKE = as_of("CAST(watermark AS INTEGER)", "0", "")
_IS_LATE = f"(NOT {IS_PAST} AND age > 15 AND age <= {OLD_SECONDS})"
_SUFFIX = "CASE WHEN at = '' THEN '' ELSE ' · ' || at END"

SUMMARY = f"""SELECT coalesce({WRONG}, CASE
    WHEN pairs = 0 THEN 'no pair is configured with such bars, window and lookback:'
      || ' choose others above'
    WHEN newest IS NULL AND {IS_PAST} THEN 'no bars before the end of this time range'
    WHEN {_IS_LATE} THEN 'late: no newer trade for ' || {duration("age")}
    ELSE CASE with_z WHEN pairs THEN 'ready: ' WHEN 0 THEN 'not ready: ' ELSE 'partly ready: ' END
      || with_z || ' of ' || pairs || ' pairs have a z-score' || {_SUFFIX} END) AS state,
  CASE WHEN pairs > 0 THEN beyond || ' of ' || pairs || {_SUFFIX} END AS stretched,
  CASE WHEN pairs > 0 THEN with_z || ' of ' || pairs || {_SUFFIX} END AS ready,
  CASE WHEN {ASKED} THEN alerts || CASE WHEN {_LAKE} <> '' THEN ' · ' || {_LAKE}
    WHEN {IS_PAST} THEN ' now' ELSE '' END END AS alerts,
  CASE WHEN {ASKED} THEN {duration("age")}
    || CASE WHEN {_IS_LATE} THEN '' ELSE {_SUFFIX} END END AS age_text
FROM (WITH all_pairs AS MATERIALIZED (
  SELECT *, {as_of("newest", f"({SECONDS})", "")} AS at,
    {NOW} - CASE WHEN {IS_PAST} THEN newest + {SECONDS} ELSE watermark END AS age
  FROM (SELECT count(*) AS pairs, count(zscore) AS with_z, max(time) AS newest,
      coalesce(sum(abs(zscore) >= {THRESHOLD}), 0) AS beyond
    FROM ({LATEST})),
  (SELECT count(*) AS alerts, {WATERMARK} AS watermark FROM alert_events
    WHERE closed_at IS NULL)) SELECT * FROM all_pairs)"""

# What the screen opened is of another series than that of the same name, if there is one.
_ALERT_KEY = "rule, pair, timeframe, window_bars, lookback_bars"
# With + no index serves the order, which would be one of all events there ever were.
OPEN_ALERTS = f"""SELECT '' AS _, e.pair, {LEGS.replace("s.pair", "e.pair")},
  a.zscore AS z_now, e.peak_zscore AS z_peak, e.opened_zscore AS z_opened,
  {duration(f"({WATERMARK} - e.opened_at)")}
    || {as_of(f"CAST({WATERMARK} AS INTEGER)", "0")} AS since, e.rule,
  e.timeframe, e.window_bars, e.lookback_bars, e.threshold,
  CASE WHEN r.rule IS NULL THEN 'log' ELSE {KEPT_PRICES} END AS prices,
  e.timeframe || ' · ' || e.window_bars || ' · ' || e.lookback_bars AS series
FROM alert_events AS e LEFT JOIN alert_rules AS r USING ({_ALERT_KEY})
LEFT JOIN pair_analytics AS a ON r.rule IS NOT NULL AND {newest_row("e")}
WHERE e.closed_at IS NULL ORDER BY +e.opened_at DESC"""

# So many symbols, those with the greatest volume of late: of hundreds nobody could read it.
_MOST_SYMBOLS = 30

# Returns of the other leg are found by the key of the bars: a table that the query made itself has
# no index, and a join with it would cost the square of the bars.
#
# Correlation of the log returns of the last bars in a row, every symbol with every other: none from
# before a break, or before bars that a symbol does not have. Each pair of symbols is computed once
# and written on both sides of the diagonal, which is empty: else its 1 would be all of the scale.
MATRIX = f"""WITH args AS MATERIALIZED (
  SELECT max(time) AS newest, {SECONDS} AS len, max(time) - ({LOOKBACK}) * {SECONDS} AS since
  FROM (
    SELECT (SELECT max(time) FROM bars AS b WHERE b.symbol = f.symbol
      AND b.timeframe = {TIMEFRAME} AND b.time <= {TO}) AS time
    FROM first_bars AS f WHERE f.timeframe = {TIMEFRAME} AND {ASKED})),
busiest AS MATERIALIZED (
  SELECT f.symbol FROM args CROSS JOIN first_bars AS f
    ON f.timeframe = {TIMEFRAME} AND newest IS NOT NULL
  ORDER BY (SELECT sum(b.quote_volume) FROM bars AS b WHERE b.symbol = f.symbol
    AND b.timeframe = {TIMEFRAME} AND b.time > since AND b.time <= newest) DESC, f.symbol
  LIMIT {_MOST_SYMBOLS}),
cuts AS MATERIALIZED ({break_ends("since", "newest")}),
runs AS (
  SELECT b.symbol, b.time, b.close,
    ln(b.close / lag(b.close) OVER o) AS r,
    b.time / len - row_number() OVER o + sum(b.time IN (SELECT time FROM cuts)) OVER o AS run
  FROM args CROSS JOIN busiest AS f
  CROSS JOIN bars AS b ON b.symbol = f.symbol AND b.timeframe = {TIMEFRAME}
    AND b.time > since AND b.time <= newest
  WINDOW o AS (PARTITION BY b.symbol ORDER BY b.time ROWS UNBOUNDED PRECEDING)),
returns AS MATERIALIZED (
  SELECT symbol, time, CASE WHEN run = lag(run) OVER o THEN r END AS r
  FROM (SELECT *, max(run) OVER (PARTITION BY symbol) AS newest_run FROM runs)
  WHERE run = newest_run
  WINDOW o AS (PARTITION BY symbol ORDER BY time)),
begins AS MATERIALIZED (SELECT symbol, min(time) AS begin FROM returns GROUP BY symbol),
sums AS (
  SELECT a, b, count(*) AS n, sum(x) AS x, sum(y) AS y, sum(x * x) AS xx, sum(y * y) AS yy,
    sum(x * y) AS xy
  FROM (SELECT x.symbol AS a, y.symbol AS b, x.r AS x, ln(y.close / before.close) AS y
    FROM returns AS x CROSS JOIN begins AS o ON o.symbol > x.symbol AND x.time > o.begin
    CROSS JOIN bars AS y ON y.symbol = o.symbol AND y.timeframe = {TIMEFRAME} AND y.time = x.time
    CROSS JOIN bars AS before ON before.symbol = o.symbol AND before.timeframe = {TIMEFRAME}
      AND before.time = x.time - (SELECT len FROM args)
    WHERE x.r IS NOT NULL)
  GROUP BY 1, 2),
pairs AS MATERIALIZED (
  SELECT a, b, CASE WHEN n > 2 AND xx * n > x * x AND yy * n > y * y
    THEN (n * xy - x * y) / sqrt((n * xx - x * x) * (n * yy - y * y)) END AS correlation
  FROM sums)
SELECT '' AS _, a, b, correlation FROM pairs
UNION ALL SELECT '', b, a, correlation FROM pairs
UNION ALL SELECT '', symbol, symbol, NULL FROM busiest
ORDER BY 2, 3"""
