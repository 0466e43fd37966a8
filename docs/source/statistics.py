"""The columns of the pairs' tables, from the declaration of the statistics."""

from docs.source.regions import table
from spreadlake.statistics import PAIR_STATISTICS, SLOW_STATISTICS, Statistic

_ANALYTICS_KEY = (
    ("pair", "`A/B`, e.g. `BTCUSDT/ETHUSDT`; key, with the next four"),
    ("timeframe", "e.g. `1s`"),
    ("window_bars", "bars of z-score and correlation"),
    ("lookback_bars", "bars of the regression"),
    ("time", "open of the bar"),
    ("symbol_a", "leg A"),
    ("symbol_b", "leg B"),
    ("price_a", "close of A"),
    ("price_b", "close of B"),
)
_TESTS_KEY = (
    ("pair", "key, with the next three"),
    ("timeframe", "e.g. `1s`"),
    ("lookback_bars", "bars that were looked at"),
    ("time", "open of the last of them"),
)
_PRICES = ("prices", "what the row's numbers are on: `log` closes; NULL: raw ones")
_PRICES_SINCE = 10  # version of the tables, whose columns stand in the order in which they came


def _meanings(statistics: tuple[Statistic, ...]) -> list[tuple[str, str]]:
    before, after = [
        [(one.column, one.meaning) for one in statistics if (one.since > _PRICES_SINCE) is later]
        for later in (False, True)
    ]
    return [*before, _PRICES, *after]


def statistics_tables() -> dict[str, str]:
    """Every column of `pair_analytics` and of `pair_tests`, by the table's name."""
    return {
        name: table(
            ("column", "what it holds"),
            [(f"`{column}`", meaning) for column, meaning in (*key, *_meanings(statistics))],
        )
        for name, key, statistics in (
            ("pair_analytics", _ANALYTICS_KEY, PAIR_STATISTICS),
            ("pair_tests", _TESTS_KEY, SLOW_STATISTICS),
        )
    }
