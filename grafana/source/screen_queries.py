"""Queries of the screen's panels: of the rows that are kept, never of all pairs."""

from grafana.source.sql import FROM, NOW, TO, duration, seconds_of

_SCREEN = "${screen:sqlstring}"
_MOST_Q = "CAST(${qvalue:sqlstring} AS REAL)"
_LEAST_VOLUME = "CAST(${volume:sqlstring} AS REAL)"
_FOLLOWED = 8  # pairs whose persistence is drawn: more lines are not told apart

# Each part is found by a seek into the keys of `screens`, which are few.
_KEY = f"""SELECT timeframe, lookback_bars, window_bars FROM screens
  WHERE timeframe || ' ' || lookback_bars || ' ' || window_bars = {_SCREEN} LIMIT 1"""
_NEWEST = f"""newest AS MATERIALIZED (
  SELECT s.*, {seconds_of("s.timeframe")} AS len
  FROM ({_KEY}) AS k CROSS JOIN screens AS s USING (timeframe, lookback_bars, window_bars)
  WHERE s.time <= {TO} ORDER BY s.time DESC LIMIT 1)"""
_ROWS = "USING (timeframe, lookback_bars, window_bars, time)"

SUMMARY = f"""WITH {_NEWEST}
SELECT pairs || ' of ' || symbols || ' symbols' AS tested,
  cointegrated, {duration("age")} AS age_text, printf('%.1f s', seconds) AS took
FROM (SELECT *, {NOW} - time - len AS age FROM newest)"""

RANKING = f"""WITH {_NEWEST}
SELECT '' AS _, p.rank, p.symbol_a || '/' || p.symbol_b AS pair, CAST(p.qvalue AS REAL) AS qvalue,
  p.zscore, p.edge_bps, p.cost_bps, p.half_life, p.crossings, p.persistence,
  p.return_correlation, p.beta, min(p.volume_a, p.volume_b) AS volume,
  p.symbol_a, p.symbol_b, p.timeframe, p.window_bars, p.lookback_bars
FROM newest CROSS JOIN screen_pairs AS p {_ROWS}
WHERE ifnull(p.qvalue <= {_MOST_Q}, {_MOST_Q} >= 1)
  AND p.volume_a >= {_LEAST_VOLUME} AND p.volume_b >= {_LEAST_VOLUME}
ORDER BY p.rank"""

# q-values may be 0, and the axis is logarithmic.
MAP = f"""WITH {_NEWEST}
SELECT '' AS _, p.symbol_a || '/' || p.symbol_b AS pair,
  CAST(max(p.qvalue, 1e-9) AS REAL) AS qvalue, CAST(p.edge_bps AS REAL) AS edge_bps
FROM newest CROSS JOIN screen_pairs AS p {_ROWS}
WHERE p.qvalue <= {_MOST_Q} AND p.edge_bps IS NOT NULL
  AND p.volume_a >= {_LEAST_VOLUME} AND p.volume_b >= {_LEAST_VOLUME}"""

FOUND = f"""SELECT s.time AS time, CAST(s.cointegrated AS REAL) AS cointegrated, '' AS _
FROM ({_KEY}) AS k CROSS JOIN screens AS s USING (timeframe, lookback_bars, window_bars)
WHERE s.time BETWEEN {FROM} AND {TO} ORDER BY s.time"""

PERSISTENCE = f"""WITH {_NEWEST},
best AS MATERIALIZED (
  SELECT p.symbol_a, p.symbol_b, p.rank AS place FROM newest CROSS JOIN screen_pairs AS p {_ROWS}
  WHERE p.rank <= {_FOLLOWED})
SELECT p.time AS time, printf('%s/%s', best.symbol_a, best.symbol_b) AS pair,
  CAST(p.persistence AS REAL) AS persistence
FROM newest CROSS JOIN screen_pairs AS p CROSS JOIN best
WHERE p.timeframe = newest.timeframe AND p.lookback_bars = newest.lookback_bars
  AND p.window_bars = newest.window_bars AND p.time BETWEEN {FROM} AND {TO}
  AND min(p.symbol_a, p.symbol_b) = min(best.symbol_a, best.symbol_b)
  AND max(p.symbol_a, p.symbol_b) = max(best.symbol_a, best.symbol_b)
ORDER BY p.time, best.place"""

CORRELATIONS = f"""SELECT '' AS _, c.symbol_a, c.symbol_b, c.return_correlation
FROM ({_KEY}) AS k CROSS JOIN screen_correlations AS c USING (timeframe, lookback_bars, window_bars)
ORDER BY c.place, (SELECT o.place FROM screen_correlations AS o WHERE o.timeframe = c.timeframe
  AND o.lookback_bars = c.lookback_bars AND o.window_bars = c.window_bars AND o.time = c.time
  AND o.symbol_a = c.symbol_b LIMIT 1)"""
