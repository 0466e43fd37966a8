"""SQL of the pair dashboard: the analytics of any two symbols, computed from `bars`.

The definitions are those of `pair_analytics`, and so are the numbers, to 1e-9. Which bars they are
of is what `args` says: the newest of the time range, the newest few hundred, or those that a chart
is drawn on, which `grafana.source.pair_plan` chooses.
"""

from typing import Literal

from grafana.source.pair_plan import MOST_REACH, PLANNED, args_of
from grafana.source.pair_sums import newest_bar, sums
from grafana.source.sql import FROM, KEPT_PRICES, PAIR, SYMBOL_A, SYMBOL_B, TIMEFRAME, TO

# The statistics that are computed of any two symbols.
COMPUTED = (
    "spread", "zscore", "alpha", "beta", "spread_mean", "spread_std", "correlation",
    "return_correlation", "beta_stderr", "hedge_bars",
)  # fmt: skip

# Rows that the job keeps of the chosen timeframe.
KEPT = f"""pair = {PAIR} AND timeframe = {TIMEFRAME}
      AND window_bars = n AND lookback_bars = m"""
IS_KEPT = f"EXISTS (SELECT 1 FROM series WHERE {KEPT}) AND kind = {KEPT_PRICES}"

# Which rows: the newest; the newest few hundred; all; those of the bars that a chart is drawn on.
Rows = Literal["newest", "table", "all", "drawn"]
TABLE_ROWS = 300


def _nth_newest(symbol: str) -> str:
    return f"""(SELECT min(time) FROM (SELECT time FROM bars
    WHERE symbol = {symbol} AND timeframe = {TIMEFRAME} AND time BETWEEN {FROM} AND {TO}
    ORDER BY time DESC LIMIT {TABLE_ROWS}))"""


_ARGS = {
    "newest": [args_of(newest_bar(), newest_bar(), most=MOST_REACH)],
    "table": [
        args_of(
            f"max({_nth_newest(SYMBOL_A)}, {_nth_newest(SYMBOL_B)})", newest_bar(), most=MOST_REACH
        )
    ],
    "all": [args_of(FROM, newest_bar())],
    "drawn": PLANNED,
}


def _carried(symbol: str, last: str) -> str:
    """For how many bars a leg has carried its close.

    The leg that was there first may have carried it since before the two were there together.
    """
    own = f"symbol = {symbol} AND timeframe = frame"
    return f"""CASE WHEN {last} >= run THEN (time - {last}) / len
      WHEN have > stale THEN have ELSE coalesce(
      (time - (SELECT max(leg.time) FROM bars AS leg WHERE {own} AND trades > 0
        AND leg.time BETWEEN run - stale * len AND run)) / len,
      (SELECT stale + 1 FROM bars AS leg WHERE {own} AND leg.time = run - len), have) END"""


def _squares(name: str, a: str, b: str, suffix: str) -> str:
    """Sum of squared deviations (or of products); exactly 0 of a leg that did not move."""
    raw = f"{a}{b}{suffix} - {a}{suffix} * {b}{suffix} / n{suffix}"
    if a != b:
        return f"{raw} AS {name}{suffix}"
    moves = f"moves_{'a' if a == 'x' else 'b'}{'w' if suffix == 'r' else suffix}"
    return f"CASE WHEN {moves} THEN max({raw}, 0.0) ELSE 0.0 END AS {name}{suffix}"


def _moments(*, returns: bool) -> str:
    parts = [
        _squares(name, a, b, suffix)
        for suffix in ("w", "l", "r")[: 2 + returns]
        for name, a, b in (("saa", "x", "x"), ("sbb", "y", "y"), ("sab", "x", "y"))
    ]
    return f"""moments AS MATERIALIZED (
  SELECT time, len, logs, price_a, price_b, x, y, centre_a, centre_b, nw, nl, xw, yw, xl, yl,
    {", ".join(parts)},
    max({_carried(SYMBOL_A, "last_a")},
      {_carried(SYMBOL_B, "last_b")}) > stale AS is_stale
  FROM sums WHERE nl = m OR run = first OR run > hot)"""


_HEDGE = """hedge AS (
  SELECT *, CASE WHEN NOT is_stale AND sbbl > 0 THEN sabl / sbbl END AS beta FROM moments)"""

_SPREAD = """spreads AS MATERIALIZED (
  SELECT *, centre_a + x - beta * (centre_b + y) AS spread,
    x - xw / nw - beta * (y - yw / nw) AS excess,
    sqrt(max(saaw - 2 * beta * sabw + beta * beta * sbbw, 0) / (nw - 1)) AS std
  FROM hedge)"""

# A spread that hardly moves beside what it is made of is rounding; a logarithm is as exact as the
# price it is of, whatever its size.
_MOVES = """std > 1e-14 * max(abs(centre_a + x), abs(beta * (centre_b + y)),
      logs * max(1, abs(beta)))"""

_OF_RETURNS = """CASE WHEN NOT is_stale AND saar > 0 AND sbbr > 0
      THEN max(-1.0, min(1.0, sabr / (sqrt(saar) * sqrt(sbbr)))) END"""


# Of a lake of before, whose tables have no such columns, the names mean the NULLs beside the table.
_STORED = f"""UNION ALL
  SELECT time, price_a, price_b, spread, zscore, alpha, beta, spread_mean, spread_std, correlation,
    return_correlation, beta_stderr, hedge_bars, NULL, len
  FROM args CROSS JOIN pair_analytics
    NATURAL LEFT JOIN (SELECT NULL AS hedge_bars, NULL AS prices) AS unknown
  WHERE NOT computed AND {KEPT} AND coalesce(prices, 'raw') = kind AND kind = {KEPT_PRICES}
    AND time BETWEEN since AND newest"""


def _numbers(*, returns: bool, stored: bool) -> str:
    return f"""numbers AS (
  SELECT time, price_a, price_b, spread,
    CASE WHEN {_MOVES} THEN excess / std END AS zscore,
    centre_a + xl / nl - beta * (centre_b + yl / nl) AS alpha, beta,
    spread - excess AS spread_mean,
    CASE WHEN {_MOVES} THEN std ELSE std * 0 END AS spread_std,
    CASE WHEN NOT is_stale AND saaw > 0 AND sbbw > 0
      THEN max(-1.0, min(1.0, sabw / (sqrt(saaw) * sqrt(sbbw)))) END AS correlation,
    {_OF_RETURNS if returns else "NULL"} AS return_correlation,
    CASE WHEN nl > 2 THEN sqrt(max(saal - beta * sabl, 0) / (nl - 2) / sbbl) END AS beta_stderr,
    CASE WHEN NOT is_stale THEN nl END AS hedge_bars, is_stale, len
  FROM spreads {_STORED if stored else ""})"""


def pair_sql(rows: Rows, select: str, *more: str, returns: bool = True) -> str:
    """`WITH …` that ends in `select`, which reads the table `numbers`, and the tables `more`.

    `numbers` has a row a bar: time, price_a, price_b, spread, zscore, alpha, beta, spread_mean,
    spread_std, correlation, return_correlation, beta_stderr, hedge_bars, is_stale, len. Bars whose
    windows are not complete have no row. Of the newest, where window or lookback are too long to
    compute, there are the rows that are kept, with NULL for `is_stale`. Without `returns` it costs
    less, and their correlation is NULL.
    """
    stored = rows in ("newest", "table")
    numbers = (_moments(returns=returns), _HEDGE, _SPREAD, _numbers(returns=returns, stored=stored))
    tables = [*_ARGS[rows], *sums(returns=returns), *numbers, *more]
    return f"WITH RECURSIVE {', '.join(tables)}\n{select}"
