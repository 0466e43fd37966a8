"""Queries of the pair dashboard's panels."""

from grafana.source.frame import RANGE, RANGE_SECONDS
from grafana.source.pair_sql import COMPUTED, KEPT, pair_sql
from grafana.source.sql import (
    FROM,
    NOW,
    PAIR,
    SYMBOL_A,
    SYMBOL_B,
    THRESHOLD,
    TIMEFRAME,
    TO,
    WATERMARK,
    duration,
    seconds_of,
    signed,
)
from spreadlake.statistics import PAIR_STATISTICS, SLOW_STATISTICS, Statistic

# What is shown beside the z-score.
SHOWN = [(one, one.shown) for one in (*PAIR_STATISTICS, *SLOW_STATISTICS) if one.shown]

# So many bars of an old lake are shown when it is opened.
SHOWN_BARS = 3600

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


def _last(symbol: str) -> str:
    return f"(SELECT max(time) FROM bars WHERE symbol = {symbol} AND timeframe = {TIMEFRAME})"


_FACTS = f"""SELECT len, n, m, stale, kind, since AS newest, first,
    since - reach AS since_reach, hot, have, begin,
    min({_last(SYMBOL_A)}, {_last(SYMBOL_B)}) AS last,
    {WATERMARK} AS watermark, {NOW} AS clock
  FROM args CROSS JOIN (SELECT count(*) AS have, min(time) AS begin FROM prices
    WHERE run = (SELECT run FROM args CROSS JOIN prices ON time = since))"""


def _newest(one: Statistic) -> str:
    """The newest value of a statistic that is shown, from where there is one."""
    if one in SLOW_STATISTICS:
        return _test(one.column)
    return one.column if one.column in COMPUTED else _stored(one.column)


# A lake of before has no such columns: the names then mean the NULLs beside the table.
def _stored(column: str) -> str:
    return f"""(SELECT (SELECT {column} FROM pair_analytics
      WHERE {KEPT} AND time = newest AND coalesce(prices, 'raw') = kind)
    FROM (SELECT NULL AS {column}, NULL AS prices)) AS {column}"""


def _test(column: str) -> str:
    return f"""(SELECT (SELECT {column} FROM pair_tests
      WHERE pair = {PAIR} AND timeframe = {TIMEFRAME} AND lookback_bars = m
        AND time >= CASE WHEN begin > max(since_reach, hot) THEN begin ELSE 0 END
        AND coalesce(prices, 'raw') = kind
      ORDER BY time DESC LIMIT 1)
    FROM (SELECT NULL AS prices)) AS {column}"""


_STATE = f"""CASE
    WHEN newest IS NULL AND last IS NULL THEN
      'no bars yet of ' || {SYMBOL_A} || ' and ' || {SYMBOL_B}
    WHEN newest IS NULL THEN 'no bars before this time range; click here for the newest'
    WHEN newest < {FROM} THEN
      'no bars in this time range: the newest is of ' || datetime(newest, 'unixepoch')
        || '; click here for the newest'
    WHEN have < n AND coalesce(begin > hot OR begin = first, 1) THEN
      'warming up: ' || have || ' of ' || n || ' bars'
    WHEN price_a IS NULL THEN 'not enough bars before this time: older ones are in Parquet'
    WHEN is_stale THEN 'stale: a leg has had no trade for more than ' || stale || ' bars'
    WHEN zscore IS NULL THEN 'flat: no z-score, prices do not vary over ' || n || ' bars'
    WHEN age > 15 AND {TO} >= clock - 60 THEN
      'late: no newer bar for ' || {duration("age")}
    WHEN have < m THEN 'ready: hedge ratio over ' || have || ' bars, growing to ' || m
    ELSE 'ready: hedge ratio over ' || m || ' bars' END AS state"""

# The time range of the newest bars, as a link takes it: text, for numbers would be formatted.
_IS_NEW = f"coalesce(last + len > clock - {RANGE_SECONDS}, 1)"
_NEWEST_RANGE = f"""CASE WHEN {_IS_NEW} THEN '{RANGE}'
    ELSE CAST(max(first, last + len - {SHOWN_BARS} * len) * 1000 AS TEXT) END AS newest_from,
  CASE WHEN {_IS_NEW} THEN 'now' ELSE CAST((last + len) * 1000 AS TEXT) END AS newest_to"""

# One row, always: the newest bar of the time range, or why there is none. Until the next bar is
# final the newest one is as fresh as the watermark.
NEWEST = pair_sql(
    "newest",
    f"""SELECT {_STATE},
  {signed("zscore")} AS z,
  zscore, spread, {", ".join(_newest(one) for one, _ in SHOWN)},
  age, {duration("age")} AS age_text,
  {_NEWEST_RANGE}
FROM (SELECT facts.*, clock - CASE WHEN newest = last AND watermark > newest + len
    THEN watermark ELSE newest + len END AS age FROM ({_FACTS}) AS facts)
  LEFT JOIN (SELECT time, price_a, is_stale, {", ".join(COMPUTED)} FROM numbers) AS numbers
    ON time = newest""",
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


ALERTS = f"""SELECT '' AS _, opened_at AS opened,
  CASE WHEN closed_at IS NULL THEN 'open' ELSE 'closed' END AS state,
  opened_zscore AS z_opened, peak_zscore AS z_peak, closed_zscore AS z_closed, threshold,
  CAST(coalesce(closed_at, {WATERMARK}) - opened_at AS REAL) AS lasted, rule,
  timeframe || ' · ' || window_bars || ' · ' || lookback_bars AS series
FROM alert_events WHERE pair = {PAIR} ORDER BY opened_at DESC LIMIT 500"""
