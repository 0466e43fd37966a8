"""On which bars a chart of a pair is drawn, and from where: SQL of `args`, for `pair_sql`.

Every query has to be done well before the next refresh asks again, on a busy machine too. So a
chart reads or computes so many bars at most, and what it cannot do on the timeframe that is chosen
it does on the next longer one that the lake has, with the same numbers of bars in the windows:

- a series that the analytics job keeps is read: its rows, or for long ranges its roll-ups, which
  are of 60 rows each and lose no excursion;
- any other is computed from the bars;
- where not even the longest timeframe fits, the newest part of the range is drawn.

None of it is silent: `drawn_on` says it in words.
"""

from grafana.source.sql import (
    ASKED,
    FROM,
    KEPT_PRICES,
    LOOKBACK,
    PAIR,
    PRICES,
    SYMBOL_A,
    SYMBOL_B,
    THRESHOLD,
    TIMEFRAME,
    TO,
    WINDOW,
    seconds_of,
)
from spreadlake.quant.rollups import ROLLUP_COLUMNS, SPAN_BARS

# So many bars at most are computed, those before the range that windows reach back to among them;
# so many rows, and so many roll-ups, are read.
MOST_COMPUTED, MOST_ROWS, MOST_ROLLUPS = 2_800, 7_500, 11_000
# The longest window or lookback that a number or a row of the table is computed over. Of a series
# that is kept what is stored is shown beyond it.
MOST_REACH = 5_000

# A lake whose job has not run since there are roll-ups has no such table, and SQL with its name
# would not run: the variable then names one without rows. SQLite takes a string for the name.
ROLLUPS = "${rollups:sqlstring}"
_NO_ROLLUPS = f"""no_rollups AS (
  SELECT {", ".join(f"NULL AS {name}" for name in ROLLUP_COLUMNS)} WHERE 0)"""

_STALE = "coalesce((SELECT json_extract(definition, '$.max_stale_bars') FROM series LIMIT 1), 30)"
_ASKED = f"""SELECT {seconds_of(TIMEFRAME)} AS wanted, {WINDOW} AS n, {LOOKBACK} AS m,
      {PRICES} AS kind, {_STALE} AS stale, {THRESHOLD} AS threshold WHERE {ASKED}"""
_LONGEST = "max(n, m, stale + 1)"
_SERIES = f"pair = {PAIR} AND timeframe = frame AND window_bars = n AND lookback_bars = m"


def _progress(key: str) -> str:
    """Of `progress`, by timeframe; 0 where nothing is on record."""
    return f"coalesce((SELECT value FROM progress WHERE key = '{key}:' || frame), 0)"


def args_of(since: str, newest: str, *, most: int | None = None) -> str:
    """`args` for the bars of the timeframe that is chosen, from `since` to `newest`.

    Nothing is `computed` where window or lookback reach back over more bars than `most`.
    """
    # A window reaches back to the first bar that is here at most.
    bars = f"min({_LONGEST}, (newest - max(first, hot)) / wanted)"
    computed = "1" if most is None else f"coalesce({bars} <= {most}, 1)"
    # `hot`: bars before it may be in Parquet, and so the first that is here may not be the first.
    return f"""args AS MATERIALIZED (
  SELECT *, wanted AS len, kind = 'log' AS logs, {_LONGEST} * wanted AS reach,
    4 * {_LONGEST} * wanted AS span, {computed} AS computed
  FROM (SELECT *, {_progress("archived")} AS hot,
      (SELECT max(time) FROM first_bars
       WHERE timeframe = frame AND symbol IN ({SYMBOL_A}, {SYMBOL_B})) AS first
    FROM (SELECT *, {TIMEFRAME} AS frame, {since} AS since, {newest} AS newest
      FROM ({_ASKED}))))"""


def _last(symbol: str) -> str:
    return f"""(SELECT max(time) FROM bars
      WHERE symbol = {symbol} AND timeframe = frame AND time <= {TO})"""


# The timeframes of both symbols, from the chosen one up, and what can be drawn on each: `bars` are
# those of the range, `room` is how many are possible, `whole` is whether SQLite has all of them. A
# window reaches back to the first bar at most: a new lake is drawn with any lookback.
_FRAMES = f"""asked AS MATERIALIZED ({_ASKED}),
common AS MATERIALIZED (
  SELECT *, {_LONGEST} * len AS reach, {_progress("archived")} AS hot,
    coalesce(min({_last(SYMBOL_A)}, {_last(SYMBOL_B)}), {TO}) AS newest,
    kind = {KEPT_PRICES} AND EXISTS (SELECT 1 FROM series WHERE {_SERIES}) AS kept,
    max({_progress("rollups")}, {_progress("rollups_from")}) <= max({FROM}, first)
      AND EXISTS (SELECT 1 FROM {ROLLUPS} AS r WHERE {_SERIES}) AS rolled
  FROM asked CROSS JOIN (
    SELECT timeframe AS frame, {seconds_of("timeframe")} AS len, max(time) AS first
    FROM first_bars WHERE symbol IN ({SYMBOL_A}, {SYMBOL_B})
    GROUP BY timeframe HAVING count(*) = 1 + ({SYMBOL_A} <> {SYMBOL_B}))
  WHERE len >= wanted),
frames AS MATERIALIZED (
  SELECT *, CASE WHEN kept AND rolled THEN {MOST_ROLLUPS * SPAN_BARS} WHEN kept THEN {MOST_ROWS}
      WHEN bars + min(reach, max({FROM}, first) - first) / len <= {MOST_COMPUTED} THEN bars
      ELSE {MOST_COMPUTED} - reach / len END AS room,
    kept AND rolled OR hot <= max({FROM} - reach * NOT kept, first) AS whole
  FROM (SELECT *, (newest - max({FROM}, first)) / len + 1 AS bars FROM common))"""

# A chart has about so many points at most, or one a bar of so many bars.
_POINTS, _MOST_POINTS = 500, 1_000
_WIDTHS = ", ".join(
    f"({seconds})"
    for seconds in (
        *(1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1_200, 1_800, 3_600, 7_200),
        *(10_800, 14_400, 21_600, 43_200, 86_400, 172_800, 432_000, 864_000, 2_592_000),
    )
)

# One point stands for `width` seconds, a whole number of what is read.
_ARGS = f"""args AS MATERIALIZED (
  SELECT *, kind = 'log' AS logs, source = 'bars' AS computed, 8 * reach AS span,
    CASE WHEN ({TO} - since) / len <= {_MOST_POINTS} AND unit = len THEN len ELSE coalesce(
      (SELECT min(column1) FROM (VALUES {_WIDTHS})
        WHERE column1 % unit = 0
          AND column1 >= max(({TO} - since) / {_POINTS}, $__interval_ms / 1000)),
      ({TO} - since) / {_POINTS} / unit * unit + unit) END AS width
  FROM (SELECT *, len * CASE source WHEN 'rollups' THEN {SPAN_BARS} ELSE 1 END AS unit,
      CASE WHEN cut THEN newest - (room - 1) * len ELSE {FROM} END AS since
    FROM (SELECT *, bars > room AS cut,
        CASE WHEN kept AND rolled AND (bars > {MOST_ROWS} OR hot > max({FROM}, first))
          THEN 'rollups' WHEN kept THEN 'rows' ELSE 'bars' END AS source
      FROM frames
      ORDER BY NOT (whole AND bars <= room), CASE WHEN whole AND bars <= room THEN len ELSE -len END
      LIMIT 1)))"""

PLANNED = [_NO_ROLLUPS, _FRAMES, _ARGS]
"""Tables that end in `args`, for what a chart is drawn on."""


def _time(seconds: str) -> str:
    return f"""CASE WHEN {seconds} % 3600 = 0 THEN ({seconds} / 3600) || ' h'
    WHEN {seconds} % 60 = 0 THEN ({seconds} / 60) || ' min' ELSE ({seconds}) || ' s' END"""


_WHY = """(SELECT CASE WHEN whole THEN 'the range has too many bars of '
      ELSE 'older bars are in Parquet of ' END || frame FROM frames WHERE len = wanted)"""

DRAWN_ON = f"""frame || ' bars'
    || CASE WHEN width = len THEN ', each a point'
      ELSE ', one point per ' || {_time("width")} || ': lowest, highest and last' END
    || CASE WHEN len > wanted THEN '; not ' || {TIMEFRAME} || ': ' || {_WHY} ELSE '' END
    || CASE WHEN cut THEN '; only the newest ' || {_time("(room * len)")}
      || ' of the range: it has too many bars' ELSE '' END"""
"""In words, from `args`: on which bars, at which step, and why not on those that were chosen."""
