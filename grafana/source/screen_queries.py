"""Queries of the screen's panels: of the rows that are kept, never of all pairs.

What is drawn over time is put together to the width of its panel, however many screens there are.
"""

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
_MOST_Q = f"({decimal_of('qvalue')})"
_LEAST_VOLUME = f"({decimal_of('volume')})"
_FOLLOWED = 8  # pairs whose persistence is drawn: more lines are not told apart
_LISTED = 500
_LOOKED_AT = 200  # screens whose persistence is drawn, and pairs of each that are looked through

# Each part is found by a seek into the keys of `screens`, which are few.
_KEY = f"""SELECT timeframe, lookback_bars, window_bars FROM screens
  WHERE timeframe || ' ' || lookback_bars || ' ' || window_bars = {_SCREEN} LIMIT 1"""
_NEWEST = f"""newest AS MATERIALIZED (
  SELECT s.*, {seconds_of("s.timeframe")} AS len
  FROM ({_KEY}) AS k CROSS JOIN screens AS s USING (timeframe, lookback_bars, window_bars)
  WHERE s.time <= {TO} ORDER BY s.time DESC LIMIT 1)"""
_ROWS = "USING (timeframe, lookback_bars, window_bars, time)"

_WRONG = f"""nullif({refused(_MOST_Q, "qvalue", "q", "a number such as 0.05")}
    || {refused(_LEAST_VOLUME, "volume", "volume", "a number such as 1000000")}, '')"""
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
      coalesce('no screen of this kind up to the end of this time range; the oldest is of '
        || datetime((SELECT min(s.time) FROM ({_KEY}) AS k CROSS JOIN screens AS s
          USING (timeframe, lookback_bars, window_bars)), 'unixepoch'),
        'no screen of this kind; choose another above')
    WHEN time IS NULL THEN 'no screen yet: enable it under [screen] in spreadlake.toml;'
      || ' it needs its lookback of bars'
    ELSE 'ready: a screen of ' || printf('%,d', symbols) || ' symbols' || at END) AS state,
  printf('%,d', pairs) || at AS tested, printf('%,d', cointegrated) || at AS cointegrated,
  {duration("age")} || at AS age_text,
  CASE WHEN time IS NOT NULL THEN printf('%.1f s', seconds) END AS took
FROM (SELECT 1) LEFT JOIN row"""

_SHOWN = f"""ifnull(p.qvalue <= {_MOST_Q}, {_MOST_Q} >= 1)
  AND p.volume_a >= {_LEAST_VOLUME} AND p.volume_b >= {_LEAST_VOLUME}"""
RANKING = f"""WITH {_NEWEST}
SELECT '' AS _, p.rank, p.symbol_a || '/' || p.symbol_b AS pair, {rounded("p.qvalue", 3)} AS qvalue,
  p.zscore, p.edge_bps, p.cost_bps, p.half_life, p.crossings, p.persistence,
  p.return_correlation, {rounded("p.beta")} AS beta, min(p.volume_a, p.volume_b) AS volume,
  'open' AS page, 'list' AS backtests,
  p.symbol_a, p.symbol_b, p.timeframe, p.window_bars, p.lookback_bars
FROM newest CROSS JOIN screen_pairs AS p {_ROWS}
WHERE {_SHOWN} ORDER BY p.rank LIMIT {_LISTED}"""

# q-values may be 0, and the axis is logarithmic: what is less than its left end lies on it.
MAP = f"""WITH {_NEWEST}
SELECT '' AS _, p.symbol_a || '/' || p.symbol_b AS pair,
  CAST(max(p.qvalue, 1e-4) AS REAL) AS qvalue, CAST(p.edge_bps AS REAL) AS edge_bps
FROM newest CROSS JOIN screen_pairs AS p {_ROWS}
WHERE p.qvalue IS NOT NULL AND {_SHOWN} AND p.edge_bps IS NOT NULL
ORDER BY p.rank LIMIT {_LISTED}"""

# Of each step the least, the greatest and the last: no screen is lost.
FOUND = f"""WITH steps AS MATERIALIZED (
  SELECT timeframe, lookback_bars, window_bars, max(s.time) AS time,
    min(s.cointegrated) AS low, max(s.cointegrated) AS high
  FROM ({_KEY}) AS k CROSS JOIN screens AS s USING (timeframe, lookback_bars, window_bars)
  WHERE s.time BETWEEN {FROM} AND {TO}
  GROUP BY s.time / max(1, $__interval_ms / 1000))
SELECT steps.time AS time, CAST(s.cointegrated AS REAL) AS cointegrated, CAST(low AS REAL) AS low,
  CAST(high AS REAL) AS high, '' AS _
FROM steps CROSS JOIN screens AS s {_ROWS} ORDER BY steps.time"""

# It is a share of the hour before: of a long time some screens are enough to see it.
PERSISTENCE = f"""WITH {_NEWEST},
best AS MATERIALIZED (
  SELECT p.symbol_a AS x, p.symbol_b AS y, p.symbol_a || '/' || p.symbol_b AS pair, p.rank AS place
  FROM newest CROSS JOIN screen_pairs AS p {_ROWS} WHERE p.rank <= {_FOLLOWED}),
either_way AS MATERIALIZED (
  SELECT x, y, pair, place FROM best UNION ALL SELECT y, x, pair, place FROM best),
looked_at AS MATERIALIZED (
  SELECT timeframe, lookback_bars, window_bars, max(s.time) AS time
  FROM newest AS k CROSS JOIN screens AS s USING (timeframe, lookback_bars, window_bars)
  WHERE s.time BETWEEN {FROM} AND {TO}
  GROUP BY s.time / max(1, CAST(({TO} - {FROM}) / {_LOOKED_AT} AS INTEGER)))
SELECT p.time AS time, e.pair AS pair, CAST(p.persistence AS REAL) AS persistence
FROM looked_at CROSS JOIN screen_pairs AS p {_ROWS}
  CROSS JOIN either_way AS e ON e.x = p.symbol_a AND e.y = p.symbol_b
WHERE p.rank <= {_LOOKED_AT} ORDER BY p.time, e.place"""

CORRELATIONS = f"""WITH cells AS MATERIALIZED (
  SELECT c.symbol_a, c.symbol_b, c.place, c.return_correlation FROM ({_KEY}) AS k
  CROSS JOIN screen_correlations AS c USING (timeframe, lookback_bars, window_bars)),
places AS MATERIALIZED (SELECT symbol_a AS symbol, min(place) AS place FROM cells GROUP BY 1)
SELECT '' AS _, symbol_a, symbol_b,
  CASE WHEN symbol_a <> symbol_b THEN return_correlation END AS return_correlation
FROM cells LEFT JOIN places ON symbol = symbol_b ORDER BY cells.place, places.place"""

# What a link carries to the pair's dashboard, and to the page: the first pair of the newest screen.
_FIRST = f"""FROM (SELECT s.* FROM ({_KEY}) AS k CROSS JOIN screens AS s
    USING (timeframe, lookback_bars, window_bars) ORDER BY s.time DESC LIMIT 1) AS newest
  CROSS JOIN screen_pairs AS p {_ROWS} ORDER BY p.rank LIMIT 1"""
PAIR_LINK = f"""SELECT 'var-symbol_a=' || symbol_a || '&var-symbol_b=' || symbol_b
  || '&var-timeframe=' || timeframe || '&var-window=' || window_bars
  || '&var-lookback=' || lookback_bars || '&var-prices=log' {_FIRST}"""
PAGE_LINK = f"""SELECT 'a=' || symbol_a || '&b=' || symbol_b || '&timeframe=' || timeframe
  || '&window=' || window_bars || '&lookback=' || lookback_bars || '&prices=log' {_FIRST}"""
