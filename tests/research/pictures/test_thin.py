"""Fewer points, the same picture."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.research.pictures.thin import envelope
from tests.research.pictures.made import made_run

VALUES = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), max_size=400)


@given(VALUES, st.integers(8, 60))
def test_it_is_bounded_and_loses_no_extreme(values: list[float], points: int) -> None:
    line = np.array(values, dtype=np.float64)
    kept = envelope(line, points)
    assert len(kept) <= max(points, 0)
    assert (np.diff(kept) > 0).all()
    if len(line):
        assert (kept[0], kept[-1]) == (0, len(line) - 1)
    if len(line) and not np.isnan(line).all():
        assert np.nanmin(line[kept]) == np.nanmin(line)
        assert np.nanmax(line[kept]) == np.nanmax(line)


@given(st.integers(0, 9_999), st.sampled_from([1.0, -1.0]), st.integers(20, 400))
def test_an_excursion_of_one_value_is_drawn(at: int, sign: float, points: int) -> None:
    line = np.zeros(10_000)
    line[at] = sign
    assert line[envelope(line, points)].tolist().count(sign) == 1


def test_each_stretch_keeps_its_own_extremes() -> None:
    """As a picture of that many columns would show them."""
    line = np.random.default_rng(1).normal(size=52_600).cumsum()
    kept = envelope(line, 402)
    for stretch in np.split(np.arange(52_600), 200):
        inside = kept[(kept >= stretch[0]) & (kept <= stretch[-1])]
        assert line[inside].max() == line[stretch].max()
        assert line[inside].min() == line[stretch].min()


def test_a_gap_stays_a_gap() -> None:
    line = np.zeros(10_000)
    line[4_321] = np.nan
    assert np.isnan(line[envelope(line, 100)]).sum() == 1


def test_made_runs_have_the_columns_of_real_ones() -> None:
    run = made_run()
    assert run.trades["reason"].unique().sort().to_list() == ["end", "exit", "stop", "time"]
