"""SQL of the pair dashboard: the analytics of any two symbols, computed from `bars`.

The definitions are those of `pair_analytics`, and so are the numbers, to 1e-9. Moments are sums
over `ROWS n-1 PRECEDING` of prices less a price near by: the bars are cut into chunks a few
windows long, each with its own centre and with the bars before it that its windows reach back to.
Without that, squares of the price would eat the digits that the variance is made of.

Over more than LONG bars, a series that the analytics job keeps is read from where it keeps it. Of
one that it does not keep, a chart then computes only some bars, each exactly: a day of 1s bars
would take longer than the dashboard waits between two refreshes.
"""

from typing import Literal

from grafana.source.pair_sums import NEWEST_BAR, STRIDE, dense_sums, sampled_sums
from grafana.source.sql import (
    ASKED,
    FROM,
    KEPT_PRICES,
    LOOKBACK,
    PAIR,
    PRICES,
    SYMBOL_A,
    SYMBOL_B,
    TIMEFRAME,
    TO,
    WINDOW,
    seconds_of,
)

LONG = 10_000

# The statistics that are computed of any two symbols.
COMPUTED = (
    "spread", "zscore", "alpha", "beta", "spread_mean", "spread_std", "correlation",
    "return_correlation", "beta_stderr", "hedge_bars",
)  # fmt: skip

# Which rows: every bar of the time range; one bar a step (that with the greatest |z|); the newest.
Rows = Literal["all", "sampled", "newest"]

KEPT = f"""pair = {PAIR} AND timeframe = {TIMEFRAME}
      AND window_bars = n AND lookback_bars = m"""

IS_KEPT = f"EXISTS (SELECT 1 FROM series WHERE {KEPT}) AND kind = {KEPT_PRICES}"

# The first of the bars in a row that a row of `sums` is the last of, as far as they were read.
_BEGIN = "(sums.time - (place - 1) * len)"


def _args(since: str, rows: Rows) -> str:
    # `hot`: bars before it may be in Parquet, and so the first that is here may not be the first.
    return f"""args AS MATERIALIZED (
  SELECT len, n, m, stale, since, kind, kind = 'log' AS logs,
    max(n, m, stale + 1) * len AS reach, 4 * max(n, m, stale + 1) * len AS span,
    {int(rows != "newest")} AND ({TO} - since) / len > {LONG} AND {IS_KEPT} AS kept,
    {int(rows == "sampled")} AND ({TO} - since) / len > {LONG} AND NOT ({IS_KEPT}) AS sparse,
    (SELECT max(time) FROM first_bars
     WHERE timeframe = {TIMEFRAME} AND symbol IN ({SYMBOL_A}, {SYMBOL_B})) AS first,
    coalesce((SELECT value FROM progress WHERE key = 'archived:' || {TIMEFRAME}), 0) AS hot
  FROM (
    SELECT {seconds_of(TIMEFRAME)} AS len, {WINDOW} AS n, {LOOKBACK} AS m, {since} AS since,
      {PRICES} AS kind,
      coalesce((SELECT json_extract(definition, '$.max_stale_bars') FROM series LIMIT 1), 30)
        AS stale)
  WHERE {ASKED})"""


def _carried(symbol: str, last: str) -> str:
    """For how many bars a leg has carried its close.

    The leg that was there first may have carried it since before the two were there together.
    """
    own = f"symbol = {symbol} AND timeframe = {TIMEFRAME}"
    return f"""coalesce((sums.time - {last}) / len,
    CASE WHEN place > stale THEN place ELSE coalesce(
      (sums.time - (SELECT max(leg.time) FROM bars AS leg WHERE {own} AND trades > 0
        AND leg.time BETWEEN {_BEGIN} - stale * len AND {_BEGIN})) / len,
      (SELECT stale + 1 FROM bars AS leg WHERE {own} AND leg.time = {_BEGIN} - len),
      place) END)"""


def _squares(name: str, a: str, b: str, suffix: str) -> str:
    """Sum of squared deviations (or of products); what is only rounding is 0."""
    raw = f"{a}{b}{suffix} - {a}{suffix} * {b}{suffix} / n{suffix}"
    if a != b:
        return f"{raw} AS {name}{suffix}"
    rounding = f"1e-13 * {a}{b}{suffix}"
    return f"CASE WHEN {raw} > {rounding} THEN {raw} ELSE 0.0 END AS {name}{suffix}"


def _moments() -> str:
    parts = [
        _squares(name, a, b, suffix)
        for suffix in ("w", "l", "r")
        for name, a, b in (("saa", "x", "x"), ("sbb", "y", "y"), ("sab", "x", "y"))
    ]
    return f"""moments AS MATERIALIZED (
  SELECT time, len, logs, price_a, price_b, a, b, x, y, nw, nl, xw, yw, xl, yl, {", ".join(parts)},
    max({_carried(SYMBOL_A, "last_a")},
      {_carried(SYMBOL_B, "last_b")}) > stale AS is_stale
  FROM sums CROSS JOIN args
  WHERE time / span = chunk AND time >= since AND nw = n
    AND (nl = m OR {_BEGIN} = first OR {_BEGIN} > hot))"""


_HEDGE = """hedge AS (
  SELECT *, CASE WHEN NOT is_stale AND sbbl > 0 THEN sabl / sbbl END AS beta FROM moments)"""

_SPREAD = """spreads AS MATERIALIZED (
  SELECT *, a - beta * b AS spread,
    x - xw / nw - beta * (y - yw / nw) AS excess,
    sqrt(max(saaw - 2 * beta * sabw + beta * beta * sbbw, 0) / (nw - 1)) AS std
  FROM hedge)"""

# A lake of before has no such columns: the names then mean the NULLs beside the table. Rows on
# other prices are yet to be computed again.
_STORED = f"""stored AS MATERIALIZED (
  SELECT len, time, price_a, price_b, spread, zscore, alpha, beta, spread_mean, spread_std,
    correlation, return_correlation, beta_stderr,
    (SELECT CASE WHEN coalesce(prices, 'raw') = kind THEN coalesce(hedge_bars, 0) END
      FROM pair_analytics AS own
      WHERE (own.pair, own.timeframe, own.window_bars, own.lookback_bars, own.time)
        = (pair_analytics.pair, pair_analytics.timeframe, pair_analytics.window_bars,
          pair_analytics.lookback_bars, pair_analytics.time)) AS over_bars
  FROM args CROSS JOIN (SELECT NULL AS hedge_bars, NULL AS prices) AS unknown
  CROSS JOIN pair_analytics ON kept AND {KEPT} AND time BETWEEN since AND {TO})"""

# A spread that hardly moves beside what it is made of is rounding; a logarithm is as exact as the
# price it is of, whatever its size.
_MOVES = "std > 1e-14 * max(abs(a), abs(beta * b), logs * max(1, abs(beta)))"

_NUMBERS = f"""numbers AS MATERIALIZED (
  SELECT time, price_a, price_b, spread,
    CASE WHEN {_MOVES} THEN excess / std END AS zscore,
    (a - x + xl / nl) - beta * (b - y + yl / nl) AS alpha, beta,
    spread - excess AS spread_mean,
    CASE WHEN {_MOVES} THEN std ELSE std * 0 END AS spread_std,
    CASE WHEN NOT is_stale AND saaw > 0 AND sbbw > 0
      THEN max(-1.0, min(1.0, sabw / (sqrt(saaw) * sqrt(sbbw)))) END AS correlation,
    CASE WHEN NOT is_stale AND saar > 0 AND sbbr > 0
      THEN max(-1.0, min(1.0, sabr / (sqrt(saar) * sqrt(sbbr)))) END AS return_correlation,
    CASE WHEN nl > 2 THEN sqrt(max(saal - beta * sabl, 0) / (nl - 2) / sbbl) END AS beta_stderr,
    CASE WHEN NOT is_stale THEN nl END AS hedge_bars, is_stale, len
  FROM spreads
  UNION ALL
  SELECT time, price_a, price_b, spread, zscore, alpha, beta, spread_mean, spread_std,
    correlation, return_correlation, beta_stderr, nullif(over_bars, 0), beta IS NULL, len
  FROM stored WHERE over_bars IS NOT NULL)"""


def pair_sql(rows: Rows, select: str) -> str:
    """`WITH …` that ends in `select`, which reads the table `numbers`; if sampled, also `drawn`.

    `numbers` has a row a bar: time, price_a, price_b, spread, zscore, alpha, beta, spread_mean,
    spread_std, correlation, return_correlation, beta_stderr, hedge_bars, is_stale, len. Bars whose
    windows are not complete have no row.
    """
    since = NEWEST_BAR if rows == "newest" else FROM
    sums = sampled_sums() if rows == "sampled" else dense_sums()
    tables = [_args(since, rows), *sums, _moments(), _HEDGE, _SPREAD, _STORED, _NUMBERS]
    if rows == "sampled":
        tables += _SAMPLED
    return f"WITH {', '.join(tables)}\n{select}"


# SQLite takes the other columns from the row that has the maximum: each row is one real bar.
# What is drawn has one row more where bars have no numbers: it breaks the line.
_WIDTH = "max(len, $__interval_ms / 1000)"
_SAMPLED = [
    f"""sampled AS MATERIALIZED (
  SELECT *, max(abs(zscore)) AS extreme FROM numbers GROUP BY time / {_WIDTH})""",
    f"""drawn AS MATERIALIZED (
  SELECT * FROM sampled
  UNION ALL
  SELECT time + {_WIDTH}, {", ".join(["NULL"] * 13)}, len, NULL
  FROM (SELECT time, sampled.len, lead(time) OVER (ORDER BY time) AS next,
      CASE WHEN sparse THEN {STRIDE} ELSE sampled.len END AS stride
    FROM args CROSS JOIN sampled)
  WHERE next - time > stride AND next / {_WIDTH} - time / {_WIDTH} > 1)""",
]
