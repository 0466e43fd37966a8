"""Sharpe ratio, skewness and kurtosis of equity's changes, against numpy and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spreadlake.quant.backtest.changes import Changes

changes = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 3)), min_size=0, max_size=40)


def _of(steps: list[float], still: int) -> Changes:
    return Changes.of(np.cumsum(steps), len(steps) + still)


@given(changes, st.integers(0, 200))
def test_as_numpy_and_scipy_have_them(steps: list[float], still: int) -> None:
    whole = np.array([*steps, *[0.0] * still])
    found = _of(steps, still)
    if len(whole) < 2 or np.ptp(whole) < 1e-9:
        assert math.isnan(found.sharpe)
        return
    assert found.sharpe == pytest.approx(whole.mean() / whole.std(ddof=1), rel=1e-9, abs=1e-12)
    assert found.skewness == pytest.approx(stats.skew(whole), rel=1e-7, abs=1e-7)
    assert found.kurtosis == pytest.approx(stats.kurtosis(whole, fisher=False), rel=1e-7)


@given(changes, changes, st.integers(0, 50), st.integers(0, 50))
def test_spans_are_put_together(
    one: list[float], other: list[float], still: int, more: int
) -> None:
    together, whole = _of(one, still) + _of(other, more), _of([*one, *other], still + more)
    assert together.count == whole.count
    for name in ("total", "squares", "cubes", "fourths"):
        wanted = getattr(whole, name)
        assert getattr(together, name) == pytest.approx(wanted, rel=1e-9, abs=1e-3)


def test_where_nothing_changes_nothing_is_known() -> None:
    for none in (_of([], 0), _of([], 1), _of([], 100), _of([5.0], 0)):
        assert math.isnan(none.sharpe)
    assert math.isnan(_of([], 100).skewness)
    assert math.isnan(_of([], 100).kurtosis)
