"""Query of the pair dashboard's table of aligned bars."""

from grafana.source.pair_sql import pair_sql
from grafana.source.sql import PAIR, TIMEFRAME, rounded, seconds_of

# Of these a fixed number of decimals would leave none where a coin is cheap. They have so many
# digits that z and hedges can be computed again from what is exported.
SIGNIFICANT = ("beta", "alpha", "spread", "spread_mean", "spread_std")
_DIGITS = 10


def _column(name: str) -> str:
    return f"{rounded(name, _DIGITS)} AS {name}" if name in SIGNIFICANT else name


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
