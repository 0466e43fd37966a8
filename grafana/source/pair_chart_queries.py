"""Queries of the pair dashboard's charts: as many points as there are pixels, and no more.

A point of what goes up and down stands for a step of time: the lowest, the highest and the last
number of all bars in it. So no excursion is lost, however long the range is.
"""

from grafana.source.pair_plan import DRAWN_ON, ROLLUPS
from grafana.source.pair_sql import pair_sql
from grafana.source.sql import PAIR
from spreadlake.quant.rollups import SPAN_BARS

# Of these the lowest, the highest and the last number; of the others the last. The roll-ups have
# columns of these names with `_min`, `_max` and `_last`.
_ENVELOPES = ("zscore", "spread", "deviation", "beta", "correlation", "return_correlation")
_LASTS = (*_ENVELOPES, "spread_std", "beta_stderr", "kalman_beta", "hedge_bars")
_ENDS = [f"{name}_{end}" for name in _ENVELOPES for end in ("min", "max")]
_NAMES = [*_ENDS, *(f"{name}_last" for name in _LASTS)]
# Of the rows with a z-score, `least` to `most` are at or beyond the threshold.
_COUNTS = ("zscores", "least", "most")
_COUNTED = (1, 1.5, 2, 2.5, 3, 4)


def _counted(*, least: bool) -> str:
    """What the roll-ups say of a threshold, also of one between those that they count."""
    steps = _COUNTED if least else reversed(_COUNTED)
    sign, other = ("<=", "0") if least else (">=", "zscores")
    whens = [f"WHEN threshold {sign} {at} THEN beyond_{str(at).replace('.', '_')}"
             for at in steps]  # fmt: skip
    return f"CASE {' '.join(whens)} ELSE {other} END"


_SERIES = f"pair = {PAIR} AND timeframe = frame AND window_bars = n AND lookback_bars = m"
_SPAN = f"({SPAN_BARS} * len)"

_BEYOND = "abs(zscore) >= threshold"
_OWN = "spread - spread_mean AS deviation"
_COLUMNS = ", ".join(_OWN if name == "deviation" else name for name in _LASTS)


def _rows(since: str, until: str = "newest + 1") -> str:
    """Rows that the job keeps, before `until`; those on other prices are yet to be computed again.

    A lake of before has no columns `prices` and `hedge_bars`: the names then mean the NULLs beside
    the table.
    """
    return f"""args CROSS JOIN pair_analytics
    NATURAL LEFT JOIN (SELECT NULL AS hedge_bars, NULL AS prices) AS unknown
  WHERE {_SERIES} AND coalesce(prices, 'raw') = kind AND time >= {since} AND time < {until}"""


_BARS = f"""bars_drawn AS (
  SELECT time / width AS step, time, {_BEYOND} AS beyond,
    {_COLUMNS.replace("kalman_beta", "NULL AS kalman_beta")}
  FROM args CROSS JOIN numbers
  UNION ALL
  SELECT time / width, time, {_BEYOND}, {_COLUMNS} FROM {_rows("since")} AND source = 'rows')"""


def _grouped(table: str, lasts: str, ends: str, counts: str) -> str:
    """A row for each step: of each number the lowest, the highest and the last, and the counts.

    Running minima and maxima, of which the last row of the step is taken: that with the newest
    z-score, or without any the newest. It costs one sort, where grouping would cost two.
    """
    running = [f"{end}({ends.format(name=name, end=end)}) OVER o AS {name}_{end}"
               for name in _ENVELOPES for end in ("min", "max")]  # fmt: skip
    columns = [*running, *(f"{lasts.format(name=name)} AS {name}_last" for name in _LASTS), counts]
    return f"""SELECT step, time, {", ".join(_NAMES)}, {", ".join(_COUNTS)} FROM (
    SELECT step, time, {", ".join(columns)}, lead(time) OVER o AS later FROM {table}
    WINDOW o AS (PARTITION BY step ORDER BY {lasts.format(name="zscore")} IS NOT NULL, time
      ROWS UNBOUNDED PRECEDING))
  WHERE later IS NULL"""


_COUNTS_OF_BARS = ", ".join(
    (
        "count(zscore) OVER o AS zscores",
        *(f"total(beyond) OVER o AS {name}" for name in _COUNTS[1:]),
    )
)
_COUNTS_OF_ROLLUPS = ", ".join(f"sum({name}) OVER o AS {name}" for name in _COUNTS)


def _in_row(name: str) -> str:
    """What a column of the roll-ups is of one row."""
    return name.rpartition("_")[0].replace("deviation", "spread - spread_mean")


# Where a range begins or ends within a roll-up, the rows of its part are read, so that nothing is
# drawn or counted that is outside of it. Of what is in Parquet alone the whole roll-up is taken.
# What the newest roll-up does not reach yet is read from the rows, too.
_WHOLE_FROM = f"((since + (since >= hot) * ({_SPAN} - 1)) / {_SPAN} * {_SPAN})"
_LAST_PART = f"((newest + len) / {_SPAN} * {_SPAN})"
_WHOLE_UNTIL = f"(CASE WHEN {_LAST_PART} >= hot THEN {_LAST_PART} ELSE newest + 1 END)"
_ROLLED_UNTIL = f"""max({_WHOLE_FROM}, min({_WHOLE_UNTIL}, coalesce(
    (SELECT max(time) + {_SPAN} FROM {ROLLUPS} AS r WHERE {_SERIES}), 0)))"""


def _single(since: str, until: str) -> str:
    """Rows as if each were rolled up by itself."""
    return f"""SELECT time / width, time,
    {", ".join(_in_row(name) for name in _NAMES)},
    zscore IS NOT NULL, coalesce({_BEYOND}, 0), coalesce({_BEYOND}, 0)
  FROM {_rows(since, until)}
    AND source = 'rollups'"""


_ROLLED_UP = f"""rolled_up AS (
  SELECT time / width AS step, time, {", ".join(_NAMES)}, zscores,
    {_counted(least=True)} AS least, {_counted(least=False)} AS most
  FROM args CROSS JOIN {ROLLUPS} AS r
  WHERE source = 'rollups' AND {_SERIES} AND coalesce(prices, 'raw') = kind
    AND time >= {_WHOLE_FROM} AND time < {_WHOLE_UNTIL}
  UNION ALL
  {_single("since", f"min({_WHOLE_FROM}, newest + 1)")}
  UNION ALL
  {_single(_ROLLED_UNTIL, "newest + 1")})"""

_STEPS = f"""steps AS (
  SELECT *, lead(step) OVER o AS next, row_number() OVER o AS number,
    {", ".join(f"sum({name}) OVER () AS all_{name}" for name in _COUNTS)}
  FROM (
    {_grouped("bars_drawn", "{name}", "{name}", _COUNTS_OF_BARS)}
    UNION ALL
    {_grouped("rolled_up", "{name}_last", "{name}_{end}", _COUNTS_OF_ROLLUPS)})
  WINDOW o AS (ORDER BY step))"""

# A point without numbers breaks the line where there are no bars.
_POINTS = f"""points AS (
  SELECT step + gap AS step, number * NOT gap AS number, all_zscores, all_least, all_most,
    {", ".join(f"CASE WHEN NOT gap THEN {name} END AS {name}" for name in _NAMES)}
  FROM steps CROSS JOIN (SELECT 0 AS gap UNION ALL SELECT 1) WHERE gap = 0 OR next > step + 1)"""

_SHARE = """CASE WHEN all_zscores > 0 THEN
    printf('|z| ≥ %g in %.1f %%', threshold, 100.0 * all_least / all_zscores)
    || CASE WHEN all_most > all_least
      THEN printf(' to %.1f %%', 100.0 * all_most / all_zscores) ELSE '' END
    || printf(' of %,d bars', all_zscores)
    || CASE WHEN all_most > all_least
      THEN '; counted for 1, 1.5, 2, 2.5, 3 and 4' ELSE '' END END"""


def _if_many(*columns: str) -> str:
    """Where a point is a bar, its lowest and highest number are its last."""
    return ", ".join(f"CASE WHEN width > len THEN {name} END AS {name}" for name in columns)


# The robust slope is kept once a minute for configured pairs. A lake of before has no column
# `prices`: the name then means the NULL beside the table.
_ROBUST = f"""(SELECT (SELECT robust_beta FROM pair_tests
      WHERE pair = {PAIR} AND timeframe = frame AND lookback_bars = m
        AND time BETWEEN step * width - 300 AND (step + 1) * width - len
        AND coalesce(prices, 'raw') = kind
      ORDER BY time DESC LIMIT 1)
    FROM (SELECT NULL AS prices) WHERE beta_last IS NOT NULL)"""

# Every chart reads this one query, so that all of them show the same bars. A row without numbers
# breaks the line where there are no bars.
CHARTS = pair_sql(
    "drawn",
    f"""SELECT '' AS _, CASE WHEN number = 1 THEN {DRAWN_ON} END AS drawn,
  CASE WHEN number = 1 THEN {_SHARE} END AS share,
  step * width AS time, zscore_last AS zscore, {_if_many("zscore_min", "zscore_max")},
  threshold AS high, -threshold AS low,
  max(zscore_max, threshold) AS above, min(zscore_min, -threshold) AS below,
  CASE WHEN width = len AND abs(zscore_last) >= threshold THEN zscore_last END AS stretched,
  deviation_last AS spread, {_if_many("deviation_min", "deviation_max")},
  spread_last AS raw_spread, {_if_many("spread_min", "spread_max")},
  spread_last - deviation_last AS raw_mean,
  spread_std_last * 0 AS mean, spread_std_last AS up_1, -spread_std_last AS down_1,
  2 * spread_std_last AS up_2, -2 * spread_std_last AS down_2,
  beta_last AS beta, {_if_many("beta_min", "beta_max")}, hedge_bars_last AS hedge_bars,
  kalman_beta_last AS kalman_beta, {_ROBUST} AS robust_beta,
  beta_last + 2 * beta_stderr_last AS beta_up, beta_last - 2 * beta_stderr_last AS beta_down,
  correlation_last AS correlation, {_if_many("correlation_min", "correlation_max")},
  return_correlation_last AS return_correlation,
  {_if_many("return_correlation_min", "return_correlation_max")}
FROM args CROSS JOIN points ORDER BY time""",
    _BARS,
    _ROLLED_UP,
    _STEPS,
    _POINTS,
)
