"""SQL of the overview: the newest row of every configured pair, in the time range."""

from grafana.source.sql import (
    ASKED,
    LOOKBACK,
    NOW,
    TIMEFRAME,
    TO,
    WINDOW,
    as_of,
    seconds_of,
)

SERIES = f"""{ASKED} AND timeframe = {TIMEFRAME} AND window_bars = {WINDOW}
  AND lookback_bars = {LOOKBACK}"""
SECONDS = seconds_of(TIMEFRAME)
LEGS = """substr(s.pair, 1, instr(s.pair, '/') - 1) AS symbol_a,
  substr(s.pair, instr(s.pair, '/') + 1) AS symbol_b"""

# A time range that ended before: the states that the job keeps are not of then.
IS_PAST = f"({TO} < {NOW} - 60)"


def newest_row(of: str, until: str = "") -> str:
    """The condition that `a` is the newest row of the series that the row `of` names."""
    return f"""a.pair = {of}.pair AND a.timeframe = {of}.timeframe
  AND a.window_bars = {of}.window_bars AND a.lookback_bars = {of}.lookback_bars
  AND a.time = (SELECT max(time) FROM pair_analytics AS newest
    WHERE newest.pair = {of}.pair AND newest.timeframe = {of}.timeframe
      AND newest.window_bars = {of}.window_bars AND newest.lookback_bars = {of}.lookback_bars
      {until})"""


# While a pair warms up after a break, its newest row is of before it.
LATEST = f"""SELECT s.pair, {LEGS}, s.state, s.message, a.time, a.beta, a.correlation,
  a.return_correlation, CASE WHEN s.state = 'ready' OR {IS_PAST} THEN a.zscore END AS zscore,
  {as_of("a.time", f"({SECONDS})", "")} AS at
FROM (SELECT * FROM pair_status WHERE {SERIES}) AS s LEFT JOIN pair_analytics AS a
  ON (s.state != 'warming' OR {IS_PAST}) AND {newest_row("s", f"AND newest.time <= {TO}")}"""
