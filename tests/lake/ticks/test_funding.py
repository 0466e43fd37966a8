"""Funding rates in the lake: each funding once, whoever told of it, and none silently changed."""

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.funding import SAME_MS, Compared, FundingRate, compare_rates
from spreadlake.lake import Lake, atomic, open_reader, open_ticks_writer
from spreadlake.lake.ticks.funding import latest_funding, read_funding, save_funding
from tests.lake.test_versions import VERSIONS

HOUR = 3_600_000
AT = 1_700_006_400_000
A, B = "BTCUSDT", "ETHUSDT"


def rate(hours: int, symbol: str = A, value: float = 1e-4, late: int = 3) -> FundingRate:
    return FundingRate(symbol, AT + hours * HOUR + late, value, 100.0 + hours)


def save(lake: Lake, *rates: FundingRate) -> Compared:
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        return save_funding(db, rates)


def held(lake: Lake, start: int = 0, end: int = 2**62) -> list[FundingRate]:
    with closing(open_reader(lake.ticks_db)) as db:
        return read_funding(db, [B, A], start, end)


def test_rates_are_read_by_symbol_and_time(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    found = save(lake, rate(8), rate(0), rate(4, B), rate(16, "SOLUSDT"))
    assert len(found.fresh) == 4
    assert held(lake) == [rate(0), rate(8), rate(4, B)]
    # From the start, and up to the end, which is left out.
    assert held(lake, rate(0).time_ms, rate(8).time_ms) == [rate(0), rate(4, B)]
    with closing(open_reader(lake.ticks_db)) as db:
        assert latest_funding(db, [A, B, "XRPUSDT"]) == [rate(8), rate(4, B)]
        assert latest_funding(db, [A], 2) == [rate(8), rate(0)]


def test_a_funding_that_two_sources_date_differently_is_one(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    save(lake, rate(0, late=7))
    again = save(lake, rate(0, late=0), rate(0, late=SAME_MS), rate(0, late=7))
    assert (again.fresh, again.known) == ([], 3)
    assert held(lake) == [rate(0, late=7)]
    assert save(lake, rate(1)).fresh == [rate(1)]


def test_another_rate_is_told_and_changes_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    save(lake, rate(0))
    other = rate(0, value=2e-4)
    found = save(lake, other, rate(8))
    assert found.contradicting == [(other, rate(0))]
    assert held(lake) == [rate(0), rate(8)]
    dearer = rate(0)._replace(mark_price=7.0)
    assert save(lake, dearer).contradicting == [(dearer, rate(0))]


def test_a_mark_price_that_was_not_known_is_taken(tmp_path: Path) -> None:
    lake, bare = Lake(tmp_path), rate(0, late=0)._replace(mark_price=None)
    save(lake, bare)
    assert save(lake, rate(0)).priced == [bare._replace(mark_price=100.0)]
    assert held(lake) == [bare._replace(mark_price=100.0)]
    assert save(lake, bare).known == 1
    assert held(lake) == [bare._replace(mark_price=100.0)]


def test_a_lake_of_before_has_no_rates(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(sqlite3.connect(lake.ticks_db)) as db:
        db.executescript((VERSIONS / "ticks_2.sql").read_text())
        db.execute("PRAGMA user_version=2")
    assert held(lake) == []
    with closing(open_reader(lake.ticks_db)) as reader:
        assert latest_funding(reader, [A]) == []
    assert save(lake, rate(0)).fresh == [rate(0)]


RATES = st.lists(
    st.builds(rate, st.integers(0, 6), st.just(A), st.just(1e-4), st.integers(0, 40)), max_size=12
)


@settings(max_examples=200)
@given(RATES, st.lists(st.integers(0, 12), max_size=3))
def test_any_batching_holds_each_funding_once(rates: list[FundingRate], cuts: list[int]) -> None:
    stored: list[FundingRate] = []
    bounds = [0, *sorted(cuts), len(rates)]
    for low, high in pairwise(bounds):
        stored = sorted([*stored, *compare_rates(rates[low:high], stored).fresh])
    assert [one.time_ms // HOUR for one in stored] == sorted({r.time_ms // HOUR for r in rates})
    assert stored == sorted(compare_rates(rates, []).fresh)
