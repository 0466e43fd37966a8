"""The newest slow statistics of a pair that SQLite has: stationarity and cointegration."""

import sqlite3
from typing import NamedTuple

from spreadlake.lake.databases.meta import columns_of
from spreadlake.series import PAIR_TESTS, Prices, StationarityKey, stored_prices


class NewestTest(NamedTuple):
    """Of the bar `time` (s); None where a number has no meaning."""

    time: int
    half_life: float | None
    adf_pvalue: float | None
    cointegration_pvalue: float | None


def newest_test(
    db: sqlite3.Connection, key: StationarityKey, start: int, end: int, prices: Prices
) -> NewestTest | None:
    """The last one at a bar in [start, end) (s), on these prices; None where there is none."""
    known = columns_of(db, "pair_tests")
    of_prices, values = ("prices IS ?", [stored_prices(prices)]) if "prices" in known else ("1", [])
    row = db.execute(
        f"SELECT {', '.join(NewestTest._fields)} FROM pair_tests WHERE {PAIR_TESTS.is_series} "
        f"AND time >= ? AND time < ? AND {of_prices} ORDER BY time DESC LIMIT 1",
        [*key, start, end, *values],
    ).fetchone()
    return None if row is None else NewestTest(*row)
