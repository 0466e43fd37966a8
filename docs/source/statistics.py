"""The columns of the pairs' tables, from the declaration of the statistics."""

from docs.source.regions import table
from spreadlake.statistics import PAIR_STATISTICS, SLOW_STATISTICS

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


def statistics_tables() -> dict[str, str]:
    """Every column of `pair_analytics` and of `pair_tests`, by the table's name."""
    return {
        name: table(
            ("column", "what it holds"),
            [
                (f"`{column}`", meaning)
                for column, meaning in (*key, *((one.column, one.meaning) for one in statistics))
            ],
        )
        for name, key, statistics in (
            ("pair_analytics", _ANALYTICS_KEY, PAIR_STATISTICS),
            ("pair_tests", _TESTS_KEY, SLOW_STATISTICS),
        )
    }
