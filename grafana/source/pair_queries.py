"""Queries of the pair dashboard's panels."""

from grafana.source.pair_chart_queries import CHARTS
from grafana.source.pair_newest import NEWEST
from grafana.source.pair_price_queries import PRICES, candles
from grafana.source.pair_sql import pair_sql
from grafana.source.sql import PAIR, TIMEFRAME, rounded, seconds_of

__all__ = ["ALIGNED", "CHARTS", "NEWEST", "PRICES", "SIGNIFICANT", "candles"]

# So many significant digits have these, of which a fixed number of decimals would leave none where
# a coin is cheap; what z is made of needs more, being a small difference of large ones.
SIGNIFICANT = {"beta": 5, "alpha": 8, "spread": 8, "spread_mean": 8, "spread_std": 5}


def _column(name: str) -> str:
    return f"{rounded(name, SIGNIFICANT[name])} AS {name}" if name in SIGNIFICANT else name


_SHOWN = ", ".join(
    _column(name)
    for name in (
        *("beta", "hedge_bars", "alpha", "spread_mean", "spread_std", "correlation"),
        "return_correlation",
    )
)
# The newest rows, as people read them.
ALIGNED = pair_sql(
    "table",
    f"""SELECT time, price_a, price_b, {_column("spread")}, zscore,
  time + {seconds_of(TIMEFRAME)} AS close_time, {_SHOWN},
  (SELECT kind FROM args) AS prices, {PAIR} AS pair
FROM numbers ORDER BY time DESC""",
)
