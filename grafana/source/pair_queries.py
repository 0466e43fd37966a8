"""Queries of the pair dashboard's panels."""

from grafana.source.pair_chart_queries import CHARTS
from grafana.source.pair_newest import NEWEST
from grafana.source.pair_price_queries import PRICES, candles
from grafana.source.pair_sql import pair_sql
from grafana.source.sql import PAIR, TIMEFRAME, seconds_of

__all__ = ["ALIGNED", "CHARTS", "NEWEST", "PRICES", "candles"]

# The newest rows, as people read them.
ALIGNED = pair_sql(
    "table",
    f"""SELECT time, price_a, price_b, spread, zscore,
  time + {seconds_of(TIMEFRAME)} AS close_time, beta, hedge_bars, alpha, spread_mean, spread_std,
  correlation, return_correlation, (SELECT kind FROM args) AS prices, {PAIR} AS pair
FROM numbers ORDER BY time DESC""",
)
