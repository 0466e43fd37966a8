"""Queries of the overview's panels."""

from grafana.source.sql import (
    FROM,
    KEPT_PRICES,
    LOOKBACK,
    NOW,
    THRESHOLD,
    TIMEFRAME,
    TO,
    WATERMARK,
    WINDOW,
    break_ends,
    duration,
    seconds_of,
    signed,
)

SPARK_BARS = 900

_SERIES = f"timeframe = {TIMEFRAME} AND window_bars = {WINDOW} AND lookback_bars = {LOOKBACK}"
_LEGS = """substr(s.pair, 1, instr(s.pair, '/') - 1) AS symbol_a,
  substr(s.pair, instr(s.pair, '/') + 1) AS symbol_b"""
_SECONDS = seconds_of(TIMEFRAME)


def _newest_row(of: str) -> str:
    """The condition that `a` is the newest row of the series that the row `of` names."""
    return f"""a.pair = {of}.pair AND a.timeframe = {of}.timeframe
  AND a.window_bars = {of}.window_bars AND a.lookback_bars = {of}.lookback_bars
  AND a.time = (SELECT max(time) FROM pair_analytics AS newest
    WHERE newest.pair = {of}.pair AND newest.timeframe = {of}.timeframe
      AND newest.window_bars = {of}.window_bars AND newest.lookback_bars = {of}.lookback_bars)"""


# While a pair warms up after a break, its newest row is of before it.
_LATEST = f"""SELECT s.pair, {_LEGS}, s.state, s.message, a.time, a.beta, a.correlation,
  a.return_correlation, CASE s.state WHEN 'ready' THEN a.zscore END AS zscore
FROM (SELECT * FROM pair_status WHERE {_SERIES}) AS s LEFT JOIN pair_analytics AS a
  ON s.state != 'warming' AND {_newest_row("s")}"""

PAIRS = f"""SELECT pair, symbol_a, symbol_b, {signed("zscore")} AS z, correlation,
  return_correlation, beta, CASE state WHEN 'ready' THEN 'ready' ELSE message END AS state,
  coalesce(abs(zscore), -1.0) AS size
FROM ({_LATEST}) ORDER BY size DESC, pair"""

_SPARK_STEP = f"max({_SECONDS}, {SPARK_BARS} * {_SECONDS} / 90)"

# Times on a grid, because a sparkline breaks where they are not; each point is the greatest |z|
# of its step.
SPARKS = f"""SELECT time / {_SPARK_STEP} * {_SPARK_STEP} AS time, pair, z
FROM (SELECT a.time, a.pair, a.zscore AS z, max(abs(a.zscore))
  FROM (SELECT pair FROM pair_status WHERE {_SERIES}) AS s CROSS JOIN pair_analytics AS a
    ON a.pair = s.pair AND a.timeframe = {TIMEFRAME} AND a.window_bars = {WINDOW}
    AND a.lookback_bars = {LOOKBACK}
    AND a.time BETWEEN max({FROM}, {TO} - {SPARK_BARS} * {_SECONDS}) AND {TO}
  GROUP BY a.pair, a.time / {_SPARK_STEP})
ORDER BY 1"""

SUMMARY = f"""SELECT sum(abs(zscore) >= {THRESHOLD}) || ' of ' || count(*) AS stretched,
  sum(state = 'ready') || ' of ' || count(*) AS ready,
  (SELECT count(*) FROM alert_events WHERE closed_at IS NULL) AS alerts,
  {duration("age")} AS age_text
FROM ({_LATEST}), (SELECT {NOW} - {WATERMARK} AS age)"""

# What the screen opened is of another series than that of the same name, if there is one.
_ALERT_KEY = "rule, pair, timeframe, window_bars, lookback_bars"
# With + no index serves the order, which would be one of all events there ever were.
OPEN_ALERTS = f"""SELECT '' AS _, e.pair, {_LEGS.replace("s.pair", "e.pair")},
  a.zscore AS z_now, e.peak_zscore AS z_peak, e.opened_zscore AS z_opened,
  {duration(f"({WATERMARK} - e.opened_at)")} AS since, e.rule,
  e.timeframe, e.window_bars, e.lookback_bars, e.threshold,
  CASE WHEN r.rule IS NULL THEN 'log' ELSE {KEPT_PRICES} END AS prices,
  e.timeframe || ' · ' || e.window_bars || ' · ' || e.lookback_bars AS series
FROM alert_events AS e LEFT JOIN alert_rules AS r USING ({_ALERT_KEY})
LEFT JOIN pair_analytics AS a ON r.rule IS NOT NULL AND {_newest_row("e")}
WHERE e.closed_at IS NULL ORDER BY +e.opened_at DESC"""

# So many symbols, those with the greatest volume of late: of hundreds nobody could read it.
_MOST_SYMBOLS = 30

# Correlation of the log returns of the last bars in a row, every symbol with every other: none from
# before a break, or before bars that a symbol does not have. Each pair of symbols is computed once
# and written on both sides of the diagonal.
MATRIX = f"""WITH args AS MATERIALIZED (
  SELECT max(time) AS newest, {_SECONDS} AS len, max(time) - ({LOOKBACK}) * {_SECONDS} AS since
  FROM (
    SELECT (SELECT max(time) FROM bars AS b WHERE b.symbol = f.symbol
      AND b.timeframe = {TIMEFRAME} AND b.time <= {TO}) AS time
    FROM first_bars AS f WHERE f.timeframe = {TIMEFRAME})),
busiest AS MATERIALIZED (
  SELECT f.symbol FROM args CROSS JOIN first_bars AS f ON f.timeframe = {TIMEFRAME}
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
sums AS (
  SELECT x.symbol AS a, y.symbol AS b, count(*) AS n, sum(x.r) AS x, sum(y.r) AS y,
    sum(x.r * x.r) AS xx, sum(y.r * y.r) AS yy, sum(x.r * y.r) AS xy
  FROM returns AS x JOIN returns AS y ON y.time = x.time AND y.symbol > x.symbol
  WHERE x.r IS NOT NULL AND y.r IS NOT NULL GROUP BY 1, 2),
pairs AS MATERIALIZED (
  SELECT a, b, CASE WHEN n > 2 AND xx * n > x * x AND yy * n > y * y
    THEN (n * xy - x * y) / sqrt((n * xx - x * x) * (n * yy - y * y)) END AS correlation
  FROM sums)
SELECT '' AS _, a, b, correlation FROM pairs
UNION ALL SELECT '', b, a, correlation FROM pairs
UNION ALL SELECT '', symbol, symbol, 1.0 FROM busiest
ORDER BY 2, 3"""
