"""Sums over the windows of a pair's bars, for `pair_sql`: SQL that costs a few µs a bar.

A window reaches back over bars in a row and no further: to the first that both legs have, to where
one of them has no bar, or to the bar in which a break ends, which is where its `run` begins.

Sums of a window are differences of running sums, looked up where the window begins. So that squares
of the price do not eat the digits that the variance is made of, the bars are cut into chunks a few
windows long, each with its own centre and with the bars before it that its windows reach back to.
That a leg did not move over a window is counted, for a difference of sums is never quite 0.
"""

from grafana.source.sql import SYMBOL_A, SYMBOL_B, TIMEFRAME, TO, break_ends


def newest_bar(timeframe: str = TIMEFRAME) -> str:
    """The newest bar of the time range that both legs have, or one before it."""
    last = [
        f"(SELECT max(time) FROM bars WHERE symbol = {symbol} AND timeframe = {timeframe} "
        f"AND time <= {TO})"
        for symbol in (SYMBOL_A, SYMBOL_B)
    ]
    return f"min({', '.join(last)})"


def _value(close: str) -> str:
    """What is computed on, of a close."""
    return f"CASE WHEN logs THEN ln({close}) ELSE {close} END"


def _centre(symbol: str) -> str:
    close = f"""(SELECT close FROM bars
      WHERE symbol = {symbol} AND timeframe = frame AND time >= oldest ORDER BY time LIMIT 1)"""
    return _value(close)


def _bars(name: str, symbol: str) -> str:
    return f"bars AS {name} ON {name}.symbol = {symbol} AND {name}.timeframe = frame"


# CROSS JOIN keeps the order of the tables. Left to itself the planner may begin with a table whose
# range of times it does not know yet, and read all of its history.
_CHUNKS = f"""cuts AS MATERIALIZED ({break_ends("since - reach", TO)}),
begins(chunk, newest, span, reach, len, logs, frame) AS (
  SELECT (since + len - 1) / len * len, newest, span, reach, len, logs, frame
  FROM args WHERE computed
  UNION ALL
  SELECT chunk + span, newest, span, reach, len, logs, frame FROM begins
  WHERE chunk + span <= newest),
chunks AS MATERIALIZED (
  SELECT *, {_centre(SYMBOL_A)} AS centre_a, {_centre(SYMBOL_B)} AS centre_b
  FROM (SELECT *, chunk - reach AS oldest, min(chunk + span - len, newest) AS youngest
    FROM begins)),
prices AS MATERIALIZED (
  SELECT chunk, oldest, a.time AS time, a.close AS price_a, b.close AS price_b,
    {_value("a.close")} - centre_a AS x, {_value("b.close")} - centre_b AS y, centre_a, centre_b,
    ln(a.close / h.close) AS u, ln(b.close / k.close) AS v,
    a.close <> h.close AS moved_a, b.close <> k.close AS moved_b,
    CASE WHEN a.trades > 0 THEN a.time END AS traded_a,
    CASE WHEN b.trades > 0 THEN b.time END AS traded_b,
    CASE WHEN h.time IS NULL OR k.time IS NULL OR a.time IN (SELECT time FROM cuts)
      THEN a.time END AS begun
  FROM chunks CROSS JOIN {_bars("a", SYMBOL_A)} AND a.time BETWEEN oldest AND youngest
  CROSS JOIN {_bars("b", SYMBOL_B)} AND b.time = a.time
  LEFT JOIN {_bars("h", SYMBOL_A)} AND h.time = a.time - len
  LEFT JOIN {_bars("k", SYMBOL_B)} AND k.time = a.time - len)"""

_SUMMED = {
    "x": "x", "y": "y", "xx": "x * x", "yy": "y * y", "xy": "x * y",
    "u": "u", "v": "v", "uu": "u * u", "vv": "v * v", "uv": "u * v",
    "moves_a": "moved_a", "moves_b": "moved_b",
}  # fmt: skip
_RUNNING = f"""running AS MATERIALIZED (
  SELECT chunk, time, price_a, price_b, x, y, centre_a, centre_b,
    row_number() OVER c AS place, coalesce(max(begun) OVER c, oldest) AS run,
    max(traded_a) OVER c AS last_a, max(traded_b) OVER c AS last_b,
    {", ".join(f"total({term}) OVER c AS s_{name}" for name, term in _SUMMED.items())}
  FROM prices WINDOW c AS (PARTITION BY chunk ORDER BY time ROWS UNBOUNDED PRECEDING))"""

_OWN = {"x": "x", "y": "y", "xx": "x * {0}.x", "yy": "y * {0}.y", "xy": "x * {0}.y"}


def _of_window(first: str, suffix: str) -> str:
    """Sums from the row `first` on; moves and returns leave out the one into it."""
    values = [
        f"r.s_{name} - {first}.s_{name} + {first}.{own.format(first)} AS {name}{suffix}"
        for name, own in _OWN.items()
    ]
    moves = [f"r.s_moves_{leg} - {first}.s_moves_{leg} AS moves_{leg}{suffix}" for leg in "ab"]
    return ", ".join((*values, *moves))


_RETURNS = ", ".join(
    f"r.s_{name} - w.s_{name} AS {column}"
    for name, column in (("u", "xr"), ("v", "yr"), ("uu", "xxr"), ("vv", "yyr"), ("uv", "xyr"))
)
# `have`: bars of the run so far; `nw`, `nl` and `nr` are counts of window, lookback and returns.
_SUMS = f"""sums AS MATERIALIZED (
  SELECT r.*, n AS nw, nl, n - 1 AS nr, {_of_window("w", "w")}, {_of_window("l", "l")}, {_RETURNS}
  FROM (SELECT *, min(m, have) AS nl
      FROM (SELECT running.*, args.*, (time - run) / len + 1 AS have FROM args CROSS JOIN running)
      WHERE time >= chunk AND have >= n) AS r
  CROSS JOIN running AS w ON w.chunk = r.chunk AND w.place = r.place - n + 1
  CROSS JOIN running AS l ON l.chunk = r.chunk AND l.place = r.place - nl + 1)"""

SUMS = [_CHUNKS, _RUNNING, _SUMS]
"""Tables that end in `sums`: a row a bar from `since` to `newest` whose window is complete."""
