"""Rows of pair analytics rolled up: one row for every 60 bars of a series, no excursion lost. Pure.

Drawing a day of 1s bars reads a row a minute instead of a row a second.
"""

import polars as pl

from spreadlake.series import PAIR_ANALYTICS

SPAN_BARS = 60
"""Bars of a series that one row stands for; it begins at a multiple of so many bars' seconds."""

BEYOND = {
    "beyond_1": 1.0,
    "beyond_1_5": 1.5,
    "beyond_2": 2.0,
    "beyond_2_5": 2.5,
    "beyond_3": 3.0,
    "beyond_4": 4.0,
}
"""The columns that count rows, and the least |z| of those that they count."""

# Of these the least, the greatest and the last number; of the others the last.
_ENVELOPES = ("zscore", "spread", "deviation", "beta", "correlation", "return_correlation")
_LASTS = (*_ENVELOPES, "spread_std", "beta_stderr", "kalman_beta", "hedge_bars")

_READ = {
    **dict.fromkeys((*PAIR_ANALYTICS.key[:2], "prices"), pl.String()),
    **dict.fromkeys((*PAIR_ANALYTICS.key[2:], "time", "hedge_bars"), pl.Int64()),
}
ROLLED_SCHEMA = pl.Schema(
    {
        name: _READ.get(name, pl.Float64())
        for name in (
            *PAIR_ANALYTICS.key, "time", "zscore", "spread", "spread_mean", "spread_std", "beta",
            "beta_stderr", "kalman_beta", "hedge_bars", "correlation", "return_correlation",
            "prices",
        )
    }
)  # fmt: skip
"""The columns of `pair_analytics` that are rolled up."""

ROLLUP_COLUMNS = (
    *PAIR_ANALYTICS.key,
    "time",
    "bars",
    "zscores",
    *(f"{name}_{end}" for name in _ENVELOPES for end in ("min", "max")),
    *(f"{name}_last" for name in _LASTS),
    *BEYOND,
    "prices",
)
"""The columns of `pair_rollups`."""


def span_seconds(length: int) -> int:
    """The time that one row stands for, of bars of `length` seconds."""
    return SPAN_BARS * length


def roll_up(rows: pl.DataFrame, length: int) -> pl.DataFrame:
    """A row of ROLLUP_COLUMNS for each series and span of 60 bars in which there are rows.

    rows: of ROLLED_SCHEMA, of any series of one timeframe, whose bars are `length` seconds, in any
    order, each once; null where there is no number. Result: in order of key and time. `time` is the
    start of the span; `bars` how many rows it has, `zscores` how many of them have a z-score;
    c_min, c_max and c_last the least, the greatest and the last number of c, null where the span
    has none; `deviation` is spread − spread_mean; `beyond_…` counts rows with |z| of at least that.
    Numbers on raw closes and on their logarithms do not compare: a span is of rows on what its last
    row is on (`prices`), and leaves out the others.
    """
    seconds = span_seconds(length)
    span = [*PAIR_ANALYTICS.key, "span"]
    rows = rows.sort(*PAIR_ANALYTICS.key, "time").with_columns(
        span=pl.col("time") // seconds * seconds, deviation=pl.col("spread") - pl.col("spread_mean")
    )
    if rows["prices"].n_unique() > 1:
        rows = rows.filter(pl.col("prices").eq_missing(pl.col("prices").last().over(span)))
    zscore = pl.col("zscore")
    rolled = rows.group_by(span, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("bars"),
        zscore.count().cast(pl.Int64).alias("zscores"),
        *(pl.col(name).min().alias(f"{name}_min") for name in _ENVELOPES),
        *(pl.col(name).max().alias(f"{name}_max") for name in _ENVELOPES),
        *(pl.col(name).drop_nulls().last().alias(f"{name}_last") for name in _LASTS),
        *((zscore.abs() >= least).sum().cast(pl.Int64).alias(n) for n, least in BEYOND.items()),
        pl.col("prices").last(),
    )
    return rolled.rename({"span": "time"}).select(ROLLUP_COLUMNS)
