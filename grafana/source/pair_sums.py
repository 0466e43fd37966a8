"""Sums over the windows of a pair's bars, for `pair_sql`: of all bars of a range, or of some.

A window reaches back over bars in a row and no further: to the first that both legs have, to where
one of them has no bar, or to the bar in which a break ends. `run` numbers such rows of bars: it
grows with each bar that is missing and with each break, and stays the same from bar to bar.

The table `sums` has a row a bar: `place` is how many bars of its run were read up to this one; then
the count and the sums of the window (w), of the lookback (l) and of the window's returns (r).
"""

from grafana.source.sql import (
    SYMBOL_A,
    SYMBOL_B,
    TIMEFRAME,
    TO,
    break_ends,
    frame_of,
)


def _value(close: str) -> str:
    """What is computed on, of a close."""
    return f"CASE WHEN logs THEN ln({close}) ELSE {close} END"


NEWEST_BAR = f"""min(
      (SELECT max(time) FROM bars
       WHERE symbol = {SYMBOL_A} AND timeframe = {TIMEFRAME} AND time <= {TO}),
      (SELECT max(time) FROM bars
       WHERE symbol = {SYMBOL_B} AND timeframe = {TIMEFRAME} AND time <= {TO}))"""

# CROSS JOIN keeps the order of the tables. Left to itself the planner may begin with a table whose
# range of times it does not know yet, and read all of its history.
_PRICES = f"""cuts AS MATERIALIZED ({break_ends("since - reach", TO)}),
prices AS MATERIALIZED (
  SELECT time, price_a, price_b, {_value("price_a")} AS a, {_value("price_b")} AS b,
    traded_a, traded_b, reach, span,
    time / len - row_number() OVER o + sum(time IN (SELECT time FROM cuts)) OVER o AS run
  FROM (SELECT a.time, a.close AS price_a, b.close AS price_b, logs, len, reach, span,
      CASE WHEN a.trades > 0 THEN a.time END AS traded_a,
      CASE WHEN b.trades > 0 THEN b.time END AS traded_b
    FROM args CROSS JOIN bars AS a ON NOT kept AND NOT sparse
      AND a.symbol = {SYMBOL_A} AND a.timeframe = {TIMEFRAME}
      AND a.time BETWEEN since - reach AND {TO}
    CROSS JOIN bars AS b
      ON b.symbol = {SYMBOL_B} AND b.timeframe = {TIMEFRAME} AND b.time = a.time)
  WINDOW o AS (ORDER BY time ROWS UNBOUNDED PRECEDING))"""

_CENTRED = """centred AS (
  SELECT time, chunk, run, price_a, price_b, a, b,
    a - first_value(a) OVER c AS x, b - first_value(b) OVER c AS y,
    ln(price_a / lag(price_a) OVER c) AS u, ln(price_b / lag(price_b) OVER c) AS v,
    row_number() OVER c AS place,
    max(traded_a) OVER c AS last_a, max(traded_b) OVER c AS last_b
  FROM (SELECT *, time / span + later AS chunk
    FROM prices CROSS JOIN (SELECT 0 AS later UNION ALL SELECT 1)
    WHERE later = 0 OR time % span >= span - reach)
  WINDOW c AS (PARTITION BY chunk, run ORDER BY time))"""


def _sums(suffix: str, window: str, x: str = "x", y: str = "y") -> str:
    """Count and sums of a window; those of returns leave out the return into its first bar."""
    terms = {"x": x, "y": y, "xx": f"{x} * {x}", "yy": f"{y} * {y}", "xy": f"{x} * {y}"}
    first = " - coalesce(first_value({0}) OVER w, 0)" if x == "u" else ""
    return ", ".join(
        f"sum({term}) OVER {window}{first.format(term)} AS {name}{suffix}"
        for name, term in terms.items()
    )


_DENSE = f"""dense AS (
  SELECT time, chunk, price_a, price_b, a, b, x, y, place, last_a, last_b,
    count(*) OVER w AS nw, {_sums("w", "w")},
    count(*) OVER l AS nl, {_sums("l", "l")},
    count(*) OVER w - 1 AS nr, {_sums("r", "w", "u", "v")}
  FROM centred
  WINDOW w AS (PARTITION BY chunk, run ORDER BY time ROWS {frame_of("window")} - 1 PRECEDING),
    l AS (PARTITION BY chunk, run ORDER BY time ROWS {frame_of("lookback")} - 1 PRECEDING))"""

# Every so many bars one, so that no more than about _BARS bars are read for all their windows.
_BARS = 100_000
STRIDE = f"({TO} - since) * max(n, m) / {_BARS} / args.len * args.len + args.len"


def _row_begins(symbol: str) -> str:
    """The first of a leg's bars in a row up to the point, no farther back than `oldest`."""
    bars = f"""FROM bars WHERE symbol = {symbol} AND timeframe = {TIMEFRAME}
        AND time BETWEEN oldest AND at"""
    return f"""CASE (SELECT count(*) {bars}) WHEN (at - oldest) / len + 1 THEN oldest ELSE (
      SELECT min(time) FROM (
        SELECT time, row_number() OVER (ORDER BY time DESC) AS place {bars})
      WHERE place = (at - time) / len + 1) END"""


_POINTS = f"""points AS MATERIALIZED (
  WITH RECURSIVE stepping(at, stride) AS (
    SELECT {NEWEST_BAR}, {STRIDE} FROM args WHERE sparse
    UNION ALL
    SELECT at - stride, stride FROM stepping WHERE at - stride >= (SELECT since FROM args))
  SELECT *, max({_row_begins(SYMBOL_A)},
    {_row_begins(SYMBOL_B)}) AS begin
  FROM (SELECT args.*, at, a.close AS price_a, b.close AS price_b,
      {_value("a.close")} AS a, {_value("b.close")} AS b, max(at - reach + len,
      coalesce((SELECT CAST(substr(key, 7) AS INTEGER) / len * len FROM progress
        WHERE key > 'break:' AND key < printf('break:%012d', at + len)
        ORDER BY key DESC LIMIT 1), 0)) AS oldest
    FROM args CROSS JOIN stepping
    CROSS JOIN bars AS a ON a.symbol = {SYMBOL_A} AND a.timeframe = {TIMEFRAME} AND a.time = at
    CROSS JOIN bars AS b ON b.symbol = {SYMBOL_B} AND b.timeframe = {TIMEFRAME} AND b.time = at))"""


def _if_within(bars: str, suffix: str) -> str:
    """Sums of the last `bars` bars up to the point, of values less the point's own."""
    x, y = f"({_value('i.close')} - points.a)", f"({_value('j.close')} - points.b)"
    terms = {"x": x, "y": y, "xx": f"{x} * {x}", "yy": f"{y} * {y}", "xy": f"{x} * {y}"}
    inside = f"CASE WHEN i.time > at - {bars} * len THEN"
    return ", ".join(
        [f"count({inside} 1 END) AS n{suffix}"]
        + [f"sum({inside} {term} END) AS {name}{suffix}" for name, term in terms.items()]
    )


_SPARSE = f"""sparse_prices AS MATERIALIZED (
  SELECT at, price_a, price_b, points.a, points.b, span, count(*) AS place,
    max(CASE WHEN i.trades > 0 THEN i.time END) AS last_a,
    max(CASE WHEN j.trades > 0 THEN j.time END) AS last_b,
    {_if_within("n", "w")}, {_if_within("m", "l")}
  FROM points CROSS JOIN bars AS i ON i.symbol = {SYMBOL_A} AND i.timeframe = {TIMEFRAME}
    AND i.time BETWEEN begin AND at
  CROSS JOIN bars AS j ON j.symbol = {SYMBOL_B} AND j.timeframe = {TIMEFRAME} AND j.time = i.time
  GROUP BY at),
sparse_returns AS MATERIALIZED (
  SELECT at, count(*) AS nr, sum(u) AS xr, sum(v) AS yr, sum(u * u) AS xxr, sum(v * v) AS yyr,
    sum(u * v) AS xyr
  FROM (SELECT at, ln(i.close / h.close) AS u, ln(j.close / k.close) AS v
    FROM points CROSS JOIN bars AS i ON i.symbol = {SYMBOL_A} AND i.timeframe = {TIMEFRAME}
      AND i.time BETWEEN max(begin + len, at - (n - 2) * len) AND at
    CROSS JOIN bars AS h ON h.symbol = {SYMBOL_A} AND h.timeframe = {TIMEFRAME}
      AND h.time = i.time - len
    CROSS JOIN bars AS j ON j.symbol = {SYMBOL_B} AND j.timeframe = {TIMEFRAME} AND j.time = i.time
    CROSS JOIN bars AS k ON k.symbol = {SYMBOL_B} AND k.timeframe = {TIMEFRAME}
      AND k.time = i.time - len)
  GROUP BY at)"""

_MOMENT_SUMS = ", ".join(
    f"{name}{suffix}" for suffix in "wlr" for name in ("n", "x", "y", "xx", "yy", "xy")
)
_SUMS = f"""sums AS (
  SELECT time, chunk, price_a, price_b, a, b, x, y, place, last_a, last_b, {_MOMENT_SUMS}
  FROM dense
  UNION ALL
  SELECT at, at / span, price_a, price_b, a, b, 0.0, 0.0, place, last_a, last_b, {_MOMENT_SUMS}
  FROM sparse_prices JOIN sparse_returns USING (at))"""

_ALL = [_PRICES, _CENTRED, _DENSE]


def dense_sums() -> list[str]:
    """Tables that end in `sums`, of every bar of the time range."""
    return [*_ALL, "sums AS (SELECT * FROM dense)"]


def sampled_sums() -> list[str]:
    """The same, of some bars where `args` says `sparse`."""
    return [*_ALL, _POINTS, _SPARSE, _SUMS]
