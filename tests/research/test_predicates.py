"""What a condition says of times and symbols: never less than it lets through."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.research.frames.predicates import EVER, symbols_meeting, time_bounds

ZERO = datetime(2024, 8, 9, tzinfo=UTC)
TIME = pl.col("time")
TIMES = pl.DataFrame(
    {"time": [ZERO + timedelta(microseconds=n) for n in range(-12, 13)]},
    schema={"time": pl.Datetime("us", "UTC")},
)
EPOCH = TIMES["time"].dt.epoch("us").to_list()

COMPARED: list[Callable[[pl.Expr, pl.Expr], pl.Expr]] = [
    lambda a, b: a < b,
    lambda a, b: a <= b,
    lambda a, b: a > b,
    lambda a, b: a >= b,
    lambda a, b: a == b,
    lambda a, b: a != b,
]


@st.composite
def conditions(draw: st.DrawFn) -> pl.Expr:
    """A comparison with a moment, in whatever unit, or two of them."""
    unit = draw(st.sampled_from(["ns", "us", "ms"]))
    fine = draw(st.integers(-11_000, 11_000))
    ticks = {"ns": fine, "us": fine // 1000, "ms": fine // 10_000}[unit]
    zero = int(ZERO.timestamp()) * {"ns": 10**9, "us": 10**6, "ms": 10**3}[unit]
    moment = pl.lit(zero + ticks).cast(pl.Datetime(unit, "UTC"))  # type: ignore[arg-type]
    literal = pl.lit(pl.select(moment).item(), dtype=pl.Datetime(unit, "UTC"))  # type: ignore[arg-type]
    sides = (TIME, literal) if draw(st.booleans()) else (literal, TIME)
    return draw(st.sampled_from(COMPARED))(*sides)


@given(st.lists(conditions(), min_size=1, max_size=3), st.booleans())
def test_no_time_that_meets_a_condition_is_outside(parts: list[pl.Expr], both: bool) -> None:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole & part if both else whole | part
    low, high = time_bounds(whole)
    met = TIMES.filter(whole)["time"].dt.epoch("us").to_list()
    assert all(low <= time < high for time in met)


@pytest.mark.parametrize("place", range(5))
def test_bounds_are_as_narrow_as_the_condition(place: int) -> None:
    bounds = time_bounds(COMPARED[place](TIME, pl.lit(ZERO)))
    met = TIMES.filter(COMPARED[place](TIME, pl.lit(ZERO)))["time"].dt.epoch("us").to_list()
    assert [t for t in EPOCH if bounds[0] <= t < bounds[1]] == met
    assert bounds != EVER


def test_what_is_not_understood_restricts_nothing() -> None:
    for odd in (
        TIME.dt.hour() == 3,
        (pl.col("other") > pl.lit(ZERO)) | (pl.lit(ZERO) < TIME),
        ~(pl.lit(ZERO) < TIME),
        TIME.map_elements(lambda _: True, return_dtype=pl.Boolean),
        pl.col("symbol") == "A",
        None,
    ):
        assert time_bounds(odd) == EVER


def test_symbols_that_may_meet_a_condition() -> None:
    symbol = pl.col("symbol")
    assert symbols_meeting((symbol == "B") & (pl.lit(ZERO) < TIME), ["B", "A"]) == ["B"]
    assert symbols_meeting(symbol.is_in(["A", "C"]), ["C", "B", "A"]) == ["C", "A"]
    assert symbols_meeting(symbol.str.starts_with("A") | (symbol == "B"), ["A1", "B", "C"]) == [
        "A1",
        "B",
    ]
    assert symbols_meeting((symbol == "B") | (pl.col("price") > 1), ["B", "A"]) == ["B", "A"]
    assert symbols_meeting(None, ["B", "A"]) == ["B", "A"]
