"""What names one series of a table of `analytics.db`. Pure.

A table holds one row a bar of each of its series. Its key are the columns that name the series, in
the order of the fields here, and then `time`, the open of the bar in Unix seconds.
"""

from typing import Literal, NamedTuple

from spreadlake.pairs import Pair, parse_pair

TableName = Literal["bars", "pair_analytics", "pair_tests"]

Prices = Literal["raw", "log"]
"""What pair analytics are computed on: closes, or their natural logarithms."""


def stored_prices(prices: Prices) -> str | None:
    """What rows on such prices have in the column `prices`; on raw ones nothing, as before it."""
    return None if prices == "raw" else prices


class Table(NamedTuple):
    """A table, and the columns that name a series of it; the first is the symbol or the pair."""

    name: TableName
    key: tuple[str, ...]

    @property
    def is_series(self) -> str:
        """The condition in SQL that a row is of the series whose key is given."""
        return " AND ".join(f"{column} = ?" for column in self.key)


BARS = Table("bars", ("symbol", "timeframe"))
PAIR_ANALYTICS = Table("pair_analytics", ("pair", "timeframe", "window_bars", "lookback_bars"))
PAIR_TESTS = Table("pair_tests", ("pair", "timeframe", "lookback_bars"))
TABLES: dict[str, Table] = {table.name: table for table in (BARS, PAIR_ANALYTICS, PAIR_TESTS)}


class BarKey(NamedTuple):
    """Bars of a symbol."""

    symbol: str
    timeframe: str

    @property
    def table(self) -> Table:
        """Where its rows are."""
        return BARS


class SeriesKey(NamedTuple):
    """Pair analytics: z-scores over `window` bars, hedge ratios over `lookback` bars."""

    pair: str
    timeframe: str
    window: int
    lookback: int

    @property
    def table(self) -> Table:
        """Where its rows are."""
        return PAIR_ANALYTICS

    @property
    def legs(self) -> Pair:
        """The two symbols; InputError where `pair` is none."""
        return parse_pair(self.pair)

    @property
    def stationarity(self) -> "StationarityKey":
        """The slow statistics of the same bars."""
        return StationarityKey(self.pair, self.timeframe, self.lookback)


class StationarityKey(NamedTuple):
    """Slow statistics of a pair over `lookback` bars: stationarity and cointegration."""

    pair: str
    timeframe: str
    lookback: int

    @property
    def table(self) -> Table:
        """Where its rows are."""
        return PAIR_TESTS


Key = BarKey | SeriesKey | StationarityKey
