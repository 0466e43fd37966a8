"""Queries of the screen's panels: of the rows that are kept, never of all pairs."""

from grafana.source.sql import (
    FROM,
    NOW,
    OLD_SECONDS,
    TO,
    decimal_of,
    duration,
    moment,
    refused,
    rounded,
    seconds_of,
)

_SCREEN = "${screen:sqlstring}"
_MOST_Q = decimal_of("qvalue")
_LEAST_VOLUME = decimal_of("volume")
_WRONG = f"""nullif({refused(_MOST_Q, "qvalue", "q", "a number such as 0.05")}
    || {refused(_LEAST_VOLUME, "volume", "volume", "a number such as 1000000")}, '')"""
_FOLLOWED = 8  # pairs whose persistence is drawn: more lines are not told apart

# Each part is found by a seek into the keys of `screens`, which are few.
_KEY = f"""SELECT timeframe, lookback_bars, window_bars FROM screens
  WHERE timeframe || ' ' || lookback_bars || ' ' || window_bars = {_SCREEN} LIMIT 1"""
_NEWEST = f"""newest AS MATERIALIZED (
  SELECT s.*, {seconds_of("s.timeframe")} AS len
  FROM ({_KEY}) AS k CROSS JOIN screens AS s USING (timeframe, lookback_bars, window_bars)
  WHERE s.time <= {TO} ORDER BY s.time DESC LIMIT 1)"""
_ROWS = "USING (timeframe, lookback_bars, window_bars, time)"

# A screen is of before where three should have followed it, as they did before it.
_BEFORE = """(SELECT max(b.time) FROM screens AS b WHERE b.timeframe = newest.timeframe
    AND b.lookback_bars = newest.lookback_bars AND b.window_bars = newest.window_bars
    AND b.time < newest.time)"""

# One row, always.
SUMMARY = f"""WITH {_NEWEST},
row AS MATERIALIZED (
  SELECT *, {NOW} - time - len AS age,
    CASE WHEN {NOW} - time - len > max({OLD_SECONDS}, 3 * coalesce(time - {_BEFORE}, len))
      THEN ' · as of ' || {moment("(time + len)")} ELSE '' END AS at
  FROM newest)
SELECT coalesce({_WRONG} || 'choose another above',
    CASE WHEN time IS NULL AND EXISTS (SELECT 1 FROM screens) THEN
      'no screen of this kind up to the end of this time range'
    WHEN time IS NULL THEN 'no screen yet: enable it under [screen] in spreadlake.toml;'
      || ' it needs its lookback of bars'
    ELSE 'ready: a screen of ' || printf('%,d', symbols) || ' symbols' || at END) AS state,
  printf('%,d', pairs) || at AS tested, printf('%,d', cointegrated) || at AS cointegrated,
  {duration("age")} || at AS age_text,
  CASE WHEN time IS NOT NULL THEN printf('%.1f s', seconds) END AS took
FROM (SELECT 1) LEFT JOIN row"""

RANKING = f"""WITH {_NEWEST}
SELECT '' AS _, p.rank, p.symbol_a || '/' || p.symbol_b AS pair, {rounded("p.qvalue", 3)} AS qvalue,
  p.zscore, p.edge_bps, p.cost_bps, p.half_life, p.crossings, p.persistence,
  p.return_correlation, {rounded("p.beta")} AS beta, min(p.volume_a, p.volume_b) AS volume,
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

CORRELATIONS = f"""SELECT '' AS _, c.symbol_a, c.symbol_b,
  CASE WHEN c.symbol_a <> c.symbol_b THEN c.return_correlation END AS return_correlation
FROM ({_KEY}) AS k CROSS JOIN screen_correlations AS c USING (timeframe, lookback_bars, window_bars)
ORDER BY c.place, (SELECT o.place FROM screen_correlations AS o WHERE o.timeframe = c.timeframe
  AND o.lookback_bars = c.lookback_bars AND o.window_bars = c.window_bars AND o.time = c.time
  AND o.symbol_a = c.symbol_b LIMIT 1)"""
