"""Long series in few points: whatever is between two of them is not lost."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.quant.envelope import envelope, step_of

NUMBERS = st.one_of(st.none(), st.sampled_from([2.0, -2.0]), st.floats(-5, 5, allow_nan=False))


@given(
    st.lists(st.tuples(st.integers(0, 300), NUMBERS), unique_by=lambda row: row[0]),
    st.integers(1, 50),
    st.one_of(st.just(2.0), st.floats(0.1, 4)),
)
def test_each_point_is_what_a_loop_over_its_bars_finds(
    rows: list[tuple[int, float | None]], step: int, threshold: float
) -> None:
    frame = pl.DataFrame(sorted(rows), {"time": pl.Int64, "z": pl.Float64}, orient="row")
    found = envelope(frame, ["z"], step, ("z", threshold))
    steps: dict[int, list[float | None]] = {}
    for time, z in sorted(rows):
        steps.setdefault(time // step * step, []).append(z)
    expected: list[tuple[object, ...]] = []
    for time, every in steps.items():
        found_in = [one for one in every if one is not None]
        beyond = sum(abs(one) >= threshold for one in found_in)
        ends = (None, None, None) if not found_in else (found_in[-1], min(found_in), max(found_in))
        expected.append((time, *ends, len(every), len(found_in), beyond))
    assert found.rows() == expected


@pytest.mark.parametrize(("bars", "points"), [(1, 1000), (900, 1000), (86_400, 1000), (5_000, 7)])
def test_the_points_are_bounded(bars: int, points: int) -> None:
    step = step_of(bars, points)
    assert math.ceil(bars / step) <= points
    assert step == 1 or math.ceil(bars / step) > points / 2.1 or bars / points > 720


def test_a_step_is_what_people_read_off_an_axis() -> None:
    bars = (1_000, 1_001, 2_000, 15_001, 601_000, 720_001, 800_000)
    assert [step_of(one, 1_000) for one in bars] == [1, 2, 2, 20, 720, 780, 840]
