"""Queries of the pair dashboard's prices and candles, from the bars alone.

So there are prices also where there is no z-score yet.
"""

from grafana.source.sql import ASKED, FROM, SYMBOL_A, SYMBOL_B, TIMEFRAME, TO, seconds_of

_MOST_BARS = 15_000  # of one symbol that are read for one chart


def _filling(least: int, *symbols: str) -> str:
    """`args` of bars that are enough for the width: the longest that are at least so many.

    A close of 1m is the last one of 1s, so that longer bars draw the same in less time.
    """
    last = [
        f"(SELECT max(time) FROM bars WHERE symbol = {symbol} AND timeframe = frame "
        f"AND time <= {TO})"
        for symbol in symbols
    ]
    return f"""args AS MATERIALIZED (
  SELECT *, max({FROM}, newest - {_MOST_BARS} * len) AS since,
    max(len, ($__interval_ms / 1000 + len - 1) / len * len) AS width
  FROM (SELECT *, (newest - max({FROM}, first)) / len + 1 AS bars FROM (
    SELECT *, max({", ".join([*last, "0"])}) AS newest, coalesce((SELECT value FROM progress
        WHERE key = 'archived:' || frame), 0) <= max({FROM}, first) AS whole
    FROM (SELECT timeframe AS frame, {seconds_of("timeframe")} AS len, max(time) AS first
      FROM first_bars WHERE symbol IN ({", ".join(symbols)}) GROUP BY timeframe
      HAVING count(DISTINCT symbol) = (SELECT count(DISTINCT symbol) FROM first_bars
        WHERE symbol IN ({", ".join(symbols)})))
    WHERE len >= {seconds_of(TIMEFRAME)}))
  WHERE {ASKED}
  ORDER BY NOT whole, bars > {_MOST_BARS}, bars < {least},
    CASE WHEN bars < {least} THEN len ELSE -len END
  LIMIT 1)"""


def _bars(name: str, symbol: str, time: str) -> str:
    own = f"{name}.symbol = {symbol} AND {name}.timeframe = frame"
    return f"CROSS JOIN bars AS {name} ON {own} AND {name}.time {time}"


def _decimals(price: str) -> str:
    """As many as show six digits of a price, which is what exchanges quote."""
    return f"max(0, 5 - CAST(floor(log10({price})) AS INTEGER))"


_SHADES = ", ".join(
    f"CASE WHEN width > {seconds_of(TIMEFRAME)} THEN {end}_{leg} END AS {end}_{leg}"
    for leg in "ab"
    for end in ("low", "high")
)

# From the bars alone, so that there are prices also where there is no z-score yet. A row without
# prices breaks the line where there are no bars.
PRICES = f"""WITH {_filling(200, SYMBOL_A, SYMBOL_B)},
steps AS MATERIALIZED (
  SELECT a.time / width AS step, max(a.time) AS last, frame, width,
    min(a.low) AS low_a, max(a.high) AS high_a, min(b.low) AS low_b, max(b.high) AS high_b
  FROM args {_bars("a", SYMBOL_A, f"BETWEEN since AND {TO}")} {_bars("b", SYMBOL_B, "= a.time")}
  GROUP BY step)
SELECT *, 100 * price_a / first_value(price_a) OVER o AS from_100_a,
  100 * price_b / first_value(price_b) OVER o AS from_100_b,
  {_decimals("price_a")} AS decimals_a, {_decimals("price_b")} AS decimals_b
FROM (
  SELECT '' AS _, step * width AS time, a.close AS price_a, b.close AS price_b, {_SHADES}
  FROM steps {_bars("a", SYMBOL_A, "= last")} {_bars("b", SYMBOL_B, "= last")}
  UNION ALL
  SELECT '', (step + 1) * width, NULL, NULL, NULL, NULL, NULL, NULL
  FROM (SELECT step, width, lead(step) OVER (ORDER BY step) AS next FROM steps)
  WHERE next > step + 1)
WINDOW o AS (ORDER BY time)
ORDER BY time"""


def candles(symbol: str) -> str:
    """Bars of one symbol, put together to the width that can be drawn."""
    return f"""WITH {_filling(100, symbol)},
steps AS MATERIALIZED (
  SELECT a.time / width AS step, frame, width, min(a.time) AS first, max(a.time) AS last,
    max(high) AS high, min(low) AS low, sum(volume) AS volume
  FROM args {_bars("a", symbol, f"BETWEEN since AND {TO}")}
  GROUP BY step)
SELECT '' AS _, step * width AS time, o.open, steps.high, steps.low, c.close, steps.volume,
  {_decimals("c.close")} AS decimals
FROM steps {_bars("o", symbol, "= steps.first")} {_bars("c", symbol, "= steps.last")}
ORDER BY time"""
