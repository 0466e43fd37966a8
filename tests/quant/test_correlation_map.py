"""Correlations in an order that puts together what moves together."""

from itertools import combinations

import numpy as np
import polars as pl
import pytest

from spreadlake.quant.correlation_map import CORRELATION_MAP_SCHEMA, correlation_map
from spreadlake.quant.screen import ScreenOptions, screen_all_pairs

# Three groups, of symbols whose names are mixed up.
GROUPS = {"A": 0, "D": 0, "G": 0, "B": 1, "E": 1, "H": 1, "C": 2, "F": 2, "I": 2}


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    rng = np.random.default_rng(4)
    common = np.cumsum(rng.normal(0, 1e-3, (3, 240)), axis=1)
    own = np.cumsum(rng.normal(0, 2e-4, (len(GROUPS), 240)), axis=1)
    close = 100 * np.exp(common[list(GROUPS.values())] + own)
    volume = np.arange(1.0, len(GROUPS) + 1)
    return screen_all_pairs(list(GROUPS), close, volume, ScreenOptions(240, 60))


def test_what_moves_together_stands_together(rows: pl.DataFrame) -> None:
    found = correlation_map(rows, 9)
    assert found.schema == CORRELATION_MAP_SCHEMA
    order = found.unique("place").sort("place")["symbol_a"].to_list()
    assert sorted(order) == sorted(GROUPS)
    groups = [GROUPS[symbol] for symbol in order]
    assert groups[:3] == groups[:1] * 3
    assert groups[3:6] == groups[3:4] * 3
    assert groups[6:] == groups[6:7] * 3


def test_it_is_whole_and_the_same_on_both_sides(rows: pl.DataFrame) -> None:
    found = correlation_map(rows, 9)
    values = {(a, b): value for _, a, b, value in found.iter_rows()}
    assert len(values) == found.height == 81
    known = {
        frozenset(legs): value
        for *legs, value in rows.select("symbol_a", "symbol_b", "return_correlation").iter_rows()
    }
    for a, b in combinations(GROUPS, 2):
        assert values[a, b] == values[b, a] == known[frozenset((a, b))]
    assert all(values[symbol, symbol] == 1.0 for symbol in GROUPS)
    for place, a in found.select("place", "symbol_a").unique().iter_rows():
        columns = found.filter(pl.col("symbol_a") == a)["symbol_b"].to_list()
        assert columns[place] == a


def test_it_is_of_those_that_traded_most(rows: pl.DataFrame) -> None:
    found = correlation_map(rows, 4)
    assert set(found["symbol_a"]) == {"H", "C", "F", "I"}


def test_what_has_no_number_is_null(rows: pl.DataFrame) -> None:
    ends = (pl.col("symbol_a") == "A") | (pl.col("symbol_b") == "A")
    some = rows.with_columns(
        return_correlation=pl.when(ends).then(None).otherwise("return_correlation")
    )
    found = correlation_map(some, 9)
    missing = found.filter(pl.col("return_correlation").is_null())
    assert missing.height == 16
    assert found.filter((pl.col("symbol_a") == "A") & (pl.col("symbol_b") == "A")).height == 1


def test_of_no_pair_there_is_none(rows: pl.DataFrame) -> None:
    assert correlation_map(rows.clear(), 9).height == 0
