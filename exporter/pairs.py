"""Metrics of pair analytics: the latest row of each series, and the slow statistics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from exporter.families import SERIES_LABELS, gauge
from spreadlake.status import LakeSnapshot, PairReport, read_latest_pairs

# One seek at the end of each key range.
_TESTS_SQL = """
SELECT DISTINCT t.pair, t.timeframe, t.lookback_bars, t.robust_beta, t.half_life,
  t.adf_statistic, t.adf_pvalue, t.cointegration_pvalue
FROM pair_status AS s JOIN pair_tests AS t
  ON t.pair = s.pair AND t.timeframe = s.timeframe AND t.lookback_bars = s.lookback_bars
  AND t.time = (
    SELECT max(time) FROM pair_tests AS newest
    WHERE newest.pair = s.pair AND newest.timeframe = s.timeframe
      AND newest.lookback_bars = s.lookback_bars)
"""

_VALUES = (
    ("zscore", "spreadlake_pair_zscore", "Deviations of the spread from its rolling mean."),
    ("correlation", "spreadlake_pair_correlation", "Rolling correlation of the closes."),
    (
        "return_correlation",
        "spreadlake_pair_return_correlation",
        "Rolling correlation of the log returns.",
    ),
    ("beta", "spreadlake_pair_beta", "Hedge ratio: units of B against one unit of A."),
    (
        "hedge_bars",
        "spreadlake_pair_hedge_bars",
        "Bars that the hedge ratio is over: the lookback, or as many as there are so far.",
    ),
    ("spread", "spreadlake_pair_spread", "A less beta times B, in the quote currency."),
    (
        "spread_std",
        "spreadlake_pair_spread_std",
        "Rolling standard deviation of the spread, in the quote currency.",
    ),
    (
        "time",
        "spreadlake_pair_last_bar_timestamp_seconds",
        "Open of the latest bar that was analysed.",
    ),
)

_TESTS = (
    ("half_life", "spreadlake_pair_half_life_bars", "Half-life of the spread's mean reversion."),
    ("adf_statistic", "spreadlake_pair_adf_statistic", "Augmented Dickey-Fuller statistic."),
    ("adf_pvalue", "spreadlake_pair_adf_pvalue", "p-value of the ADF test on the spread."),
    (
        "cointegration_pvalue",
        "spreadlake_pair_cointegration_pvalue",
        "p-value of the Engle-Granger cointegration test.",
    ),
    ("robust_beta", "spreadlake_pair_robust_beta", "Robust hedge ratio over the lookback."),
)


@dataclass(frozen=True)
class PairTests:
    """The latest slow statistics of one pair, timeframe and lookback."""

    pair: str
    timeframe: str
    lookback: int
    robust_beta: float | None
    half_life: float | None
    adf_statistic: float | None
    adf_pvalue: float | None
    cointegration_pvalue: float | None


def read_pairs(look: LakeSnapshot) -> list[PairReport]:
    """Every configured series with its latest row."""
    with look.database(look.lake.analytics_db) as db:
        return [] if db is None else read_latest_pairs(db)


def read_pair_tests(look: LakeSnapshot) -> list[PairTests]:
    """The latest slow statistics of every configured series."""
    with look.database(look.lake.analytics_db) as db:
        return [] if db is None else [PairTests(*row) for row in db.execute(_TESTS_SQL)]


def pair_families(pairs: Sequence[PairReport]) -> Iterator[Metric]:
    """A gauge for each statistic; what has no meaning in a series' state is absent."""
    for field, name, text in _VALUES:
        samples = [(_series(pair), getattr(pair, field)) for pair in pairs]
        yield gauge(name, text, samples, SERIES_LABELS)
    yield gauge(
        "spreadlake_pair_ready",
        "1 where the series has a z-score; 0 while it is warming, stale or flat.",
        [(_series(pair), float(pair.state == "ready")) for pair in pairs],
        SERIES_LABELS,
    )


def pair_test_families(tests: Sequence[PairTests]) -> Iterator[Metric]:
    """A gauge for each slow statistic, by pair, timeframe and lookback."""
    for field, name, text in _TESTS:
        samples = [((t.pair, t.timeframe, t.lookback), getattr(t, field)) for t in tests]
        yield gauge(name, text, samples, ("pair", "timeframe", "lookback"))


def _series(pair: PairReport) -> tuple[object, ...]:
    return pair.pair, pair.timeframe, pair.window, pair.lookback
