"""The pair dashboard's SQL gives the numbers of the definitions, and of the stored analytics."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from grafana.source.pair_sql import TABLE_ROWS, Rows, pair_sql
from tests.grafana.lake_fixture import PAIRS, WINDOWS, FixtureLake, build_lake, oracle
from tests.grafana.rendering import Table, fill, query

NUMBERS = (
    "alpha", "beta", "spread", "spread_mean", "spread_std", "zscore", "correlation",
    "return_correlation", "beta_stderr", "hedge_bars",
)  # fmt: skip


def computed(lake: FixtureLake, since: int, until: int, rows: Rows = "all", /, **kw: str) -> Table:
    sql = pair_sql(rows, "SELECT * FROM numbers ORDER BY time")
    return query(lake.lake.root, fill(sql, since, until, 1, **kw))


def assert_close(found: dict[str, float], wanted: dict[str, float]) -> None:
    """To 1e-9 of the number itself, or of the prices that a difference is taken of."""
    for name in NUMBERS:
        price = found["price_a"] if name in ("alpha", "spread", "spread_mean") else 0
        scale = max(1.0, abs(wanted[name]), price)
        assert abs(found[name] - wanted[name]) <= 1e-9 * scale, (name, found[name], wanted[name])


@pytest.mark.parametrize("timeframe", ["1s", "1m"])
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_stored_rows_are_computed_again(
    fixture_lake: FixtureLake, a: str, b: str, timeframe: str
) -> None:
    for window in WINDOWS:
        variables = {"symbol_a": a, "symbol_b": b, "timeframe": timeframe, "window": str(window)}
        found = computed(fixture_lake, fixture_lake.start, fixture_lake.end, **variables)
        stored = query(
            fixture_lake.lake.root,
            f"SELECT * FROM pair_analytics WHERE pair = '{a}/{b}' AND window_bars = {window} "
            f"AND timeframe = '{timeframe}' ORDER BY time",
        )
        assert found.column("time") == stored.column("time")
        for number in range(len(stored.rows)):
            assert_close(found.row(number), stored.row(number))


@pytest.mark.parametrize(
    ("a", "b", "window", "lookback"),
    [
        ("SOLUSDT", "BTCUSDT", 5, 9),
        ("SOLUSDT", "BTCUSDT", 47, 999),
        ("BTCUSDT", "SOLUSDT", 1000, 30),
        ("1000PEPEUSDT", "BTCUSDT", 20, 30),
        ("BTCUSDT", "1000PEPEUSDT", 20, 30),
    ],
)
def test_any_two_symbols_with_any_window(
    fixture_lake: FixtureLake, a: str, b: str, window: int, lookback: int
) -> None:
    pa, pb = fixture_lake.closes[a, "1s"], fixture_lake.closes[b, "1s"]
    size = min(len(pa), len(pb))
    pa, pb = pa[-size:], pb[-size:]
    found = computed(
        fixture_lake, fixture_lake.start, fixture_lake.end,
        symbol_a=a, symbol_b=b, window=str(window), lookback=str(lookback),
    )  # fmt: skip
    assert len(found.rows) == size - window + 1
    for number in range(0, len(found.rows), 7):
        with np.errstate(all="ignore"):
            wanted = oracle(pa, pb, window, lookback, number + window - 1)
        row = found.row(number)
        for name in ("beta", "zscore", "spread_std", "correlation"):
            if np.isfinite(wanted[name]) and row[name] is not None:
                scale = max(1.0, abs(wanted[name]))
                assert abs(row[name] - wanted[name]) <= 1e-7 * scale, (name, number)


def test_a_range_gives_the_same_rows_as_a_longer_one(fixture_lake: FixtureLake) -> None:
    """What the range leaves out is read nevertheless, as far as the windows reach back."""
    long = computed(fixture_lake, fixture_lake.start, fixture_lake.end)
    short = computed(fixture_lake, fixture_lake.end - 99, fixture_lake.end)
    assert len(short.rows) == 100
    for number in range(100):
        row = long.row(len(long.rows) - 100 + number)
        assert row["time"] == short.row(number)["time"]
        assert_close(short.row(number), row)


def test_the_newest_row_is_the_last_one(fixture_lake: FixtureLake) -> None:
    newest = computed(fixture_lake, fixture_lake.end - 900, fixture_lake.end + 9, "newest")
    assert newest.column("time") == [fixture_lake.end]
    last = computed(fixture_lake, fixture_lake.end - 9, fixture_lake.end)
    assert_close(newest.row(), last.row(9))


def test_the_table_has_the_newest_rows(fixture_lake: FixtureLake) -> None:
    found = computed(fixture_lake, fixture_lake.start, fixture_lake.end, "table")
    wanted = computed(fixture_lake, fixture_lake.end - TABLE_ROWS + 1, fixture_lake.end)
    assert found.column("time") == wanted.column("time")
    assert len(found.rows) == TABLE_ROWS
    for number in range(TABLE_ROWS):
        assert_close(found.row(number), wanted.row(number))


def test_a_stale_leg_has_prices_and_no_numbers(tmp_path: Path) -> None:
    lake = build_lake(tmp_path, 1_900_000_000, seconds=400)
    with closing(sqlite3.connect(lake.lake.analytics_db)) as db, db:
        db.execute(
            "UPDATE bars SET trades = 0 WHERE symbol = 'ETHUSDT' AND timeframe = '1s' "
            "AND time BETWEEN ? AND ?",
            (lake.end - 99, lake.end - 50),
        )
    found = computed(lake, lake.end - 120, lake.end)
    stale = [
        t for t, z in zip(found.column("time"), found.column("zscore"), strict=True) if z is None
    ]
    assert stale == list(range(lake.end - 99 + 30, lake.end - 49))
    assert all(price is not None for price in found.column("price_a"))
