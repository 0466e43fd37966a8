"""Queries of the pair dashboard's panels."""

from grafana.source.pair_newest import NEWEST
from grafana.source.pair_sql import pair_sql
from grafana.source.sql import (
    FROM,
    PAIR,
    SYMBOL_A,
    SYMBOL_B,
    THRESHOLD,
    TIMEFRAME,
    TO,
    seconds_of,
)

__all__ = ["ALIGNED", "CHARTS", "NEWEST", "PRICES", "candles"]

# Every chart reads this one query, so that all of them show the same bars.
CHARTS = pair_sql(
    "sampled",
    f"""SELECT '' AS _, time, zscore,
  {THRESHOLD} AS high, -{THRESHOLD} AS low,
  max(zscore, {THRESHOLD}) AS above, min(zscore, -{THRESHOLD}) AS below,
  CASE WHEN abs(zscore) >= {THRESHOLD} THEN zscore END AS stretched,
  spread - spread_mean AS spread, spread_mean * 0 AS mean,
  spread_std AS up_1, -spread_std AS down_1, 2 * spread_std AS up_2, -2 * spread_std AS down_2,
  beta, hedge_bars, beta + 2 * beta_stderr AS beta_up, beta - 2 * beta_stderr AS beta_down,
  correlation, return_correlation
FROM drawn ORDER BY time""",
)

# What people export: no column that is only for the panel.
ALIGNED = pair_sql(
    "all",
    f"""SELECT time, price_a, price_b, spread, zscore,
  time + {seconds_of(TIMEFRAME)} AS close_time, beta, hedge_bars, alpha, spread_mean, spread_std,
  correlation, return_correlation, (SELECT kind FROM args) AS prices, {PAIR} AS pair
FROM numbers ORDER BY time""",
)


_STEP = f"max({seconds_of(TIMEFRAME)}, $__interval_ms / 1000)"

# From the bars alone, so that there are prices also where there is no z-score yet. SQLite takes
# the closes from the row that has the newest time. A row without prices breaks the line where there
# are no bars.
PRICES = f"""WITH drawn AS MATERIALIZED (
  SELECT max(a.time) AS time, a.close AS price_a, b.close AS price_b
  FROM bars AS a CROSS JOIN bars AS b
    ON b.symbol = {SYMBOL_B} AND b.timeframe = {TIMEFRAME} AND b.time = a.time
  WHERE a.symbol = {SYMBOL_A} AND a.timeframe = {TIMEFRAME} AND a.time BETWEEN {FROM} AND {TO}
  GROUP BY a.time / {_STEP})
SELECT '' AS _, time, price_a, price_b FROM drawn
UNION ALL
SELECT '', time + {_STEP}, NULL, NULL
FROM (SELECT time, lead(time) OVER (ORDER BY time) AS next FROM drawn)
WHERE next / {_STEP} - time / {_STEP} > 1
ORDER BY 2"""


def candles(symbol: str) -> str:
    """Bars of one symbol, put together to the width that can be drawn."""
    return f"""WITH steps AS MATERIALIZED (
  SELECT min(time) AS first, max(time) AS last, max(high) AS high, min(low) AS low,
    sum(volume) AS volume
  FROM bars WHERE symbol = {symbol} AND timeframe = {TIMEFRAME} AND time BETWEEN {FROM} AND {TO}
  GROUP BY time / {_STEP})
SELECT '' AS _, steps.first / {_STEP} * {_STEP} AS time,
  o.open, steps.high, steps.low, c.close, steps.volume
FROM steps
CROSS JOIN bars AS o ON o.symbol = {symbol} AND o.timeframe = {TIMEFRAME} AND o.time = steps.first
CROSS JOIN bars AS c ON c.symbol = {symbol} AND c.timeframe = {TIMEFRAME} AND c.time = steps.last
ORDER BY time"""
