"""Queries of the pair dashboard's charts: as many points as there are pixels, and no more.

A point of what goes up and down stands for a step of time: the lowest, the highest and the last
number of all bars in it. So no excursion is lost, however long the range is.

What a query costs is putting its SQL together, its bars and its cells. So the charts that are seen
together ask together: those of z and of the spreads, which come from the same sums, in less than
one and a half times what one of them costs; those of β and correlation are further down. Each query
has the columns of its charts and no more. Of a column of numbers a cell without one costs the data
source ten times as much as one with: it logs each.
"""

from dataclasses import dataclass

from grafana.source.pair_plan import DRAWN_ON, ROLLUPS
from grafana.source.pair_sql import pair_sql
from grafana.source.sql import PAIR
from spreadlake.quant.rollups import SPAN_BARS


@dataclass(frozen=True)
class _Drawn:
    """What one query reads: of `envelopes` the lowest, the highest and the last number of a step.

    Of the `others` the last one. The roll-ups have columns of these names with `_min`, `_max` and
    `_last`. Of the rows with a z-score `least` to `most` are at or beyond the threshold, where
    that is `counted`.
    """

    envelopes: tuple[str, ...]
    others: tuple[str, ...] = ()
    counted: bool = False

    @property
    def lasts(self) -> tuple[str, ...]:
        return (*self.envelopes, *self.others)

    @property
    def ends(self) -> list[str]:
        return [f"{name}_{end}" for name in self.envelopes for end in ("min", "max")]

    @property
    def names(self) -> list[str]:
        return [*self.ends, *(f"{name}_last" for name in self.lasts)]

    @property
    def counts(self) -> tuple[str, ...]:
        return ("zscores", "least", "most") if self.counted else ()


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


def _rows(since: str, until: str) -> str:
    """Rows that the job keeps in [since, until); of those on other prices none.

    They are yet to be computed again. A lake of before has no columns `prices` and `hedge_bars`:
    the names then mean the NULLs beside the table.
    """
    return f"""args CROSS JOIN pair_analytics
    NATURAL LEFT JOIN (SELECT NULL AS hedge_bars, NULL AS prices) AS unknown
  WHERE {_SERIES} AND coalesce(prices, 'raw') = kind AND time >= {since} AND time < {until}"""


# Where a range begins or ends within a roll-up, the rows of its part are read, so that nothing is
# drawn or counted that is outside of it. Of what is in Parquet alone the whole roll-up is taken.
# What the newest roll-up does not reach yet is read from the rows, too.
_WHOLE_FROM = f"((since + (since >= hot) * ({_SPAN} - 1)) / {_SPAN} * {_SPAN})"
_LAST_PART = f"((newest + len) / {_SPAN} * {_SPAN})"
_WHOLE_UNTIL = f"(CASE WHEN {_LAST_PART} >= hot THEN {_LAST_PART} ELSE newest + 1 END)"
_ROLLED_UNTIL = f"""max({_WHOLE_FROM}, min({_WHOLE_UNTIL}, coalesce(
    (SELECT max(time) + {_SPAN} FROM {ROLLUPS} AS r WHERE {_SERIES}), 0)))"""
_ALL_OR_FIRST = f"CASE source WHEN 'rows' THEN newest + 1 ELSE min({_WHOLE_FROM}, newest + 1) END"


def _read(drawn: _Drawn) -> str:
    """Of each bar, or of each roll-up, the lowest, the highest and the last number."""
    names = list(dict.fromkeys((*drawn.names, "zscore_last")))  # all are ordered by it
    own = [
        f"{name.rpartition('_')[0].replace('deviation', 'spread - spread_mean')} AS {name}"
        for name in names
    ]
    computed = [name.replace("kalman_beta AS", "NULL AS") for name in own]
    of_bar, of_rollup = "", ""
    if drawn.counted:
        of_bar = f", zscore IS NOT NULL AS zscores, coalesce({_BEYOND}, 0) AS least"
        of_bar += f", coalesce({_BEYOND}, 0) AS most"
        of_rollup = f", zscores, {_counted(least=True)}, {_counted(least=False)}"
    return f"""read AS (
  SELECT time / width AS step, time, {", ".join(computed)}{of_bar}
  FROM numbers CROSS JOIN args
  UNION ALL
  SELECT time / width, time, {", ".join(own)}{of_bar}
  FROM {_rows("since", _ALL_OR_FIRST)} AND source <> 'bars'
  UNION ALL
  SELECT time / width, time, {", ".join(own)}{of_bar}
  FROM {_rows(_ROLLED_UNTIL, "newest + 1")} AND source = 'rollups'
  UNION ALL
  SELECT time / width, time, {", ".join(names)}{of_rollup}
  FROM args CROSS JOIN {ROLLUPS} AS r
  WHERE source = 'rollups' AND {_SERIES} AND coalesce(prices, 'raw') = kind
    AND time >= {_WHOLE_FROM} AND time < {_WHOLE_UNTIL})"""


def _steps(drawn: _Drawn) -> str:
    """A row for each step: of each number the lowest, the highest and the last, and the counts.

    Running minima and maxima, of which the last row of the step is taken: that with the newest
    z-score, or without any the newest. It costs one sort, where grouping would cost two. Sums from
    the newest step on are at the first one those of all.
    """
    running = [f"{end}({name}_{end}) OVER o AS {name}_{end}"
               for name in drawn.envelopes for end in ("min", "max")]  # fmt: skip
    lasts = [f"{name}_last" for name in drawn.lasts]
    counts = [f"total({name}) OVER o AS {name}" for name in drawn.counts]
    sums = [f", sum({name}) OVER o AS all_{name}" for name in drawn.counts]
    numbers = (*(f"{name}_min" for name in drawn.envelopes),
               *(f"{name}_last" for name in drawn.others))  # fmt: skip
    return f"""steps AS (
  SELECT *, lag(step) OVER o AS next, lead(step) OVER o IS NULL AS is_first,
    is_empty AND lead(is_empty) OVER o AS is_left_out{"".join(sums)}
  FROM (SELECT *, {" AND ".join(f"{name} IS NULL" for name in numbers)} AS is_empty FROM (
    SELECT step, time, {", ".join((*running, *lasts, *counts))}, lead(time) OVER o AS later
    FROM read
    WINDOW o AS (PARTITION BY step ORDER BY zscore_last IS NOT NULL, time
      ROWS UNBOUNDED PRECEDING))
    WHERE later IS NULL)
  WINDOW o AS (ORDER BY step DESC))"""


def _points(drawn: _Drawn) -> str:
    """The steps, and a point without numbers where there are no bars: it breaks the line.

    Of steps in a row without numbers the first is enough for that.
    """
    counts = "".join(f", all_{name}" for name in drawn.counts)
    numbers = ", ".join(f"CASE WHEN NOT gap THEN {name} END AS {name}" for name in drawn.names)
    return f"""points AS (
  SELECT step + gap AS step, is_first AND NOT gap AS is_first{counts}, {numbers}
  FROM steps CROSS JOIN (SELECT 0 AS gap UNION ALL SELECT 1)
  WHERE coalesce(NOT is_left_out, 1) AND gap = 0 OR next > step + 1 AND gap = 1)"""


def _chart(drawn: _Drawn, *columns: str) -> str:
    """The query: `time`, the columns, and one that is the same in all rows."""
    select = f"""SELECT '' AS _, step * width AS time, {", ".join(columns)}
FROM points CROSS JOIN args ORDER BY time"""
    returns = "return_correlation" in drawn.envelopes
    tables = (_read(drawn), _steps(drawn), _points(drawn))
    return pair_sql("drawn", select, *tables, returns=returns)


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

ZSCORES = _chart(
    _Drawn(("zscore", "spread", "deviation"), ("spread_std",), counted=True),
    f"CASE WHEN is_first THEN {DRAWN_ON} END AS drawn",
    f"CASE WHEN is_first THEN {_SHARE} END AS share",
    "zscore_last AS zscore",
    _if_many("zscore_min", "zscore_max"),
    "threshold AS high",
    "-threshold AS low",
    "max(zscore_max, threshold) AS above",
    "min(zscore_min, -threshold) AS below",
    "deviation_last AS spread",
    _if_many("deviation_min", "deviation_max"),
    "spread_last AS raw_spread",
    _if_many("spread_min", "spread_max"),
    "spread_last - deviation_last AS raw_mean",
    "spread_std_last * 0 AS mean, spread_std_last AS up_1, -spread_std_last AS down_1",
    "2 * spread_std_last AS up_2, -2 * spread_std_last AS down_2",
)

HEDGES = _chart(
    _Drawn(
        ("beta", "correlation", "return_correlation"), ("beta_stderr", "kalman_beta", "hedge_bars")
    ),
    "beta_last AS beta",
    _if_many("beta_min", "beta_max"),
    "hedge_bars_last AS hedge_bars",
    f"kalman_beta_last AS kalman_beta, {_ROBUST} AS robust_beta",
    "beta_last + 2 * beta_stderr_last AS beta_up, beta_last - 2 * beta_stderr_last AS beta_down",
    "correlation_last AS correlation",
    _if_many("correlation_min", "correlation_max"),
    "return_correlation_last AS return_correlation",
    _if_many("return_correlation_min", "return_correlation_max"),
)
