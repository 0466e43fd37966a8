"""The statistics of a pair, declared once: column, metric, place on the dashboards. Pure.

From here come the columns of later schema steps, what rows are computed again for, the metrics,
the panel “Hedge and mean reversion” and the tables of docs/reference.md. What computes them is in
`spreadlake.quant`.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """A gauge of the latest value: its name and its help text."""

    name: str
    text: str


class Shown(NamedTuple):
    """How the newest value is shown beside the z-score: its title, decimals, and what it is.

    Without decimals it has significant digits; a probability says "< 0.001" where it is.
    """

    title: str
    decimals: int | None
    text: str
    is_probability: bool = False


@dataclass(frozen=True)
class Statistic:
    """A column of `pair_analytics` or of `pair_tests`.

    `meaning` is its line in the reference; `since` the version of `analytics.db` that has it first;
    `decimals` are those in the table of bars that people export.
    """

    column: str
    meaning: str
    metric: Metric | None = None
    shown: Shown | None = None
    decimals: int | None = None
    kind: Literal["REAL", "INTEGER"] = "REAL"
    since: int = 1


# In the order of the table's columns, after its key, the symbols and the prices. All may be NULL.
PAIR_STATISTICS: tuple[Statistic, ...] = (
    Statistic("alpha", "intercept: mean(A) − beta·mean(B) over the lookback", decimals=6),
    Statistic(
        "beta",
        "hedge ratio: cov(A, B) / var(B) over the lookback",
        Metric(
            "spreadlake_pair_beta",
            "Hedge ratio: units of B against one unit of A; on log prices, values of either.",
        ),
        Shown("β", None, "Hedge ratio β"),
        decimals=5,
    ),
    Statistic(
        "spread",
        "A − beta·B",
        Metric(
            "spreadlake_pair_spread",
            "A less beta times B: raw closes, in the quote currency, or their logarithms.",
        ),
        decimals=6,
    ),
    Statistic(
        "spread_mean", "mean of A − beta·B over the window, with this row's beta", decimals=6
    ),
    Statistic(
        "spread_std",
        "its standard deviation (ddof 1)",
        Metric(
            "spreadlake_pair_spread_std",
            "Rolling standard deviation of the spread, of raw closes or of their logarithms.",
        ),
        decimals=6,
    ),
    Statistic(
        "zscore",
        "(spread − spread_mean) / spread_std",
        Metric("spreadlake_pair_zscore", "Deviations of the spread from its rolling mean."),
        decimals=3,
    ),
    Statistic(
        "correlation",
        "Pearson, of A and B over the window",
        Metric("spreadlake_pair_correlation", "Rolling correlation of the closes, raw or log."),
        Shown("correlation", 3, "correlation of closes and of log returns over the z window"),
        decimals=4,
    ),
    Statistic(
        "return_correlation",
        "Pearson, of the log returns within the window",
        Metric("spreadlake_pair_return_correlation", "Rolling correlation of the log returns."),
        Shown("of returns", 3, ""),
        decimals=4,
    ),
    Statistic("beta_stderr", "standard error of beta: √(SSE / (n − 2) / Sbb)"),
    Statistic("r_squared", "share of A's variance that the regression explains"),
    Statistic("kalman_beta", "beta of a Kalman filter over the lookback (`[kalman]`)"),
    Statistic(
        "volatility_a", "standard deviation (ddof 1) of A's log returns within the window, per bar"
    ),
    Statistic("volatility_b", "the same of B"),
    Statistic("volume_a", "quote volume of A in the window"),
    Statistic("volume_b", "the same of B"),
    Statistic(
        "hedge_bars",
        "bars that the regression is over: the lookback, or as many as there are so far",
        Metric(
            "spreadlake_pair_hedge_bars",
            "Bars that the hedge ratio is over: the lookback, or as many as there are so far.",
        ),
        kind="INTEGER",
        since=3,
    ),
)

# The slow ones, over the lookback; in the order of the table's columns after its key.
SLOW_STATISTICS: tuple[Statistic, ...] = (
    Statistic(
        "robust_beta",
        "Theil–Sen slope of A on B; of more than 300 bars every second, third, … is taken",
        Metric("spreadlake_pair_robust_beta", "Robust hedge ratio over the lookback."),
    ),
    Statistic(
        "half_life",
        "bars in which half of a deviation of the spread is gone, by an AR(1) fit",
        Metric("spreadlake_pair_half_life_bars", "Half-life of the spread's mean reversion."),
        Shown(
            "half-life, bars",
            1,
            "half-life: bars in which the spread goes half its way to the mean",
        ),
    ),
    Statistic(
        "adf_statistic",
        "augmented Dickey–Fuller on the spread (constant, lags by AIC)",
        Metric("spreadlake_pair_adf_statistic", "Augmented Dickey-Fuller statistic."),
    ),
    Statistic(
        "adf_pvalue",
        "its p-value",
        Metric("spreadlake_pair_adf_pvalue", "p-value of the ADF test on the spread."),
        Shown(
            "ADF p",
            3,
            "ADF p: p-value of the augmented Dickey–Fuller test, small where the spread reverts",
            is_probability=True,
        ),
    ),
    Statistic(
        "cointegration_pvalue",
        "p-value of the Engle–Granger test of A and B",
        Metric(
            "spreadlake_pair_cointegration_pvalue",
            "p-value of the Engle-Granger cointegration test.",
        ),
    ),
    Statistic("observations", "bars that there were", kind="INTEGER"),
)


def columns_added(version: int) -> str:
    """The schema step that takes the tables to `version`: the columns that are there since then."""
    return "\n".join(
        f"ALTER TABLE {table} ADD COLUMN {one.column} {one.kind};"
        for table, statistics in (
            ("pair_analytics", PAIR_STATISTICS),
            ("pair_tests", SLOW_STATISTICS),
        )
        for one in statistics
        if one.since == version
    )
