"""Sums over the windows of a pair's bars, for `pair_sql`: SQL that costs a few µs a bar.

A window reaches back over bars in a row and no further: to the first that both legs have, to where
one of them has no bar, or to the bar in which a break ends, which is where its `run` begins.

Sums of a window are differences of running sums, looked up where the window begins. So that squares
of the price do not eat the digits that the variance is made of, the bars are cut into chunks a few
windows long, each with its own centre and with the bars before it that its windows reach back to.
When a leg moved last is carried along: of one that did not move no difference of sums is quite 0.

The running sums are a walk from bar to bar: window functions would cost three times as much.
"""

from collections.abc import Mapping

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


def _first_close(symbol: str) -> str:
    return f"""(SELECT close FROM bars
      WHERE symbol = {symbol} AND timeframe = frame AND time >= oldest ORDER BY time LIMIT 1)"""


def _bars(name: str, symbol: str) -> str:
    return f"bars AS {name} ON {name}.symbol = {symbol} AND {name}.timeframe = frame"


# CROSS JOIN keeps the order of the tables. Left to itself the planner may begin with a table whose
# range of times it does not know yet, and read all of its history. A table that is named twice is
# put together twice when the SQL is read, with all that is in it, which may take longer than to run
# it: so columns are handed on from table to table, and hardly anything is read from two places.
_HANDED_ON = "newest, span, reach, len, logs, frame, n, m, stale, first, hot"
_CHUNKS = f"""cuts AS MATERIALIZED ({break_ends("since - reach", TO)}),
begins(chunk, {_HANDED_ON}) AS (
  SELECT (since + len - 1) / len * len, {_HANDED_ON} FROM args WHERE computed
  UNION ALL
  SELECT chunk + span, {_HANDED_ON} FROM begins WHERE chunk + span <= newest),
chunks AS (
  SELECT *, {_value("first_a")} AS centre_a, {_value("first_b")} AS centre_b
  FROM (SELECT *, {_first_close(SYMBOL_A)} AS first_a, {_first_close(SYMBOL_B)} AS first_b
    FROM (SELECT *, chunk - reach AS oldest, min(chunk + span - len, newest) AS youngest
      FROM begins)))"""

# What is added to each running sum at a bar: `x` and `y` are what is computed on, less the centre.
_X, _Y = (f"({_value(f'{leg}.close')} - centre_{leg})" for leg in "ab")
_U, _V = (f"ln({leg}.close / price_{leg})" for leg in "ab")
_LEVELS = {"x": _X, "y": _Y, "xx": f"{_X} * {_X}", "yy": f"{_Y} * {_Y}", "xy": f"{_X} * {_Y}"}
_RETURNS = {"u": _U, "v": _V, "uu": f"{_U} * {_U}", "vv": f"{_V} * {_V}", "uv": f"{_U} * {_V}"}


_OF_CHUNK = "chunk, youngest, centre_a, centre_b, len, logs, frame, n, m, stale, first, hot"


def _running(summed: Mapping[str, str]) -> str:
    """A row a bar of A; `run` is NULL where B has none, and in the row before the first.

    What such a bar would add is 0, and no window reaches over it.
    """
    sums = [f"s_{name} + coalesce({term}, 0)" for name, term in summed.items()]
    return f"""running({_OF_CHUNK}, time, run, price_a, price_b, x, y, last_a, last_b,
  moved_a, moved_b, {", ".join(f"s_{name}" for name in summed)}) AS (
  SELECT {_OF_CHUNK}, oldest - len, oldest, first_a, first_b, 0.0, 0.0, NULL, NULL, 0, 0,
    {", ".join("0.0" for _ in summed)} FROM chunks
  UNION ALL
  SELECT {_OF_CHUNK.replace("first", "running.first")}, a.time,
    CASE WHEN b.time IS NOT NULL THEN CASE WHEN a.time = running.time + len
      AND a.time NOT IN (SELECT time FROM cuts) THEN coalesce(run, a.time) ELSE a.time END END,
    a.close, coalesce(b.close, price_b), {_X}, {_Y},
    CASE WHEN a.trades > 0 THEN a.time ELSE last_a END,
    CASE WHEN b.trades > 0 THEN b.time ELSE last_b END,
    CASE WHEN a.close <> price_a THEN a.time ELSE moved_a END,
    CASE WHEN b.close <> price_b THEN b.time ELSE moved_b END,
    {", ".join(sums)}
  FROM running CROSS JOIN {_bars("a", SYMBOL_A)}
    AND a.time = (SELECT min(time) FROM bars WHERE symbol = {SYMBOL_A}
      AND timeframe = frame AND time > running.time) AND a.time <= youngest
  LEFT JOIN {_bars("b", SYMBOL_B)} AND b.time = a.time)"""


_BAR = (
    "time, run, price_a, price_b, x, y, centre_a, centre_b, last_a, last_b, frame, len, logs, "
    "n, m, stale, first, hot, have, nl"
)


def _sums(*, returns: bool) -> str:
    """`have`: bars of the run so far; `nw`, `nl` and `nr` count window, lookback and returns.

    A window begins at `w` and a lookback at `l`, whose own terms belong to them; the move and the
    return into them do not.
    """
    values = []
    for start in "wl":
        for name in _LEVELS:
            own = " * ".join(f"{start}.{leg}" for leg in name)
            values.append(f"r.s_{name} - {start}.s_{name} + {own} AS {name}{start}")
        values += [f"r.moved_{leg} > {start}.time AS moves_{leg}{start}" for leg in "ab"]
    for name, column in _RETURN_COLUMNS.items() if returns else ():
        values.append(f"r.s_{name} - w.s_{name} AS {column}r")
    return f"""counted AS MATERIALIZED (
  SELECT *, min(m, have) AS nl FROM (SELECT *, (time - run) / len + 1 AS have FROM running)),
sums AS (
  SELECT {", ".join(f"r.{c} AS {c}" for c in _BAR.split(", "))}, r.n AS nw, r.n - 1 AS nr,
      {", ".join(values)}
    FROM counted AS r
    CROSS JOIN counted AS w ON w.chunk = r.chunk AND w.time = r.time - (r.n - 1) * r.len
    CROSS JOIN counted AS l ON l.chunk = r.chunk AND l.time = r.time - (r.nl - 1) * r.len
  WHERE r.time >= r.chunk AND r.have >= r.n)"""


_RETURN_COLUMNS = {"u": "x", "v": "y", "uu": "xx", "vv": "yy", "uv": "xy"}


def sums(*, returns: bool) -> list[str]:
    """Tables that end in `sums`: a row a bar from `since` to `newest` whose window is complete.

    With those of log `returns` where they are asked for.
    """
    summed = _LEVELS | (_RETURNS if returns else {})
    return [_CHUNKS, _running(summed), _sums(returns=returns)]
