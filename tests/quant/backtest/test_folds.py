"""Spans of a walk-forward: nothing is tested twice, nothing is chosen on what it is tested on."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreadlake.errors import InputError
from spreadlake.quant.backtest.folds import Fold, split_folds

starts = st.integers(0, 10**9)
spans = st.integers(1, 300)


@given(starts, st.integers(1, 2000), spans, spans)
def test_every_bar_after_the_first_training_is_tested_once(
    start: int, more: int, train: int, test: int
) -> None:
    end = start + train + more
    folds = split_folds(start, end, train, test)
    assert folds[0].train == start
    assert folds[0].test == start + train
    assert folds[-1].end == end
    assert all(fold.test - fold.train == train for fold in folds)
    assert all(fold.end - fold.test == test for fold in folds[:-1])
    assert 1 <= folds[-1].end - folds[-1].test <= test
    assert all(one.end == other.test for one, other in pairwise(folds))


@given(starts, st.integers(1, 2000), st.integers(0, 2000), spans, spans)
def test_a_prefix_of_the_bars_has_a_prefix_of_the_folds(
    start: int, more: int, later: int, train: int, test: int
) -> None:
    end = start + train + more
    folds = split_folds(start, end, train, test)
    longer = split_folds(start, end + later, train, test)
    assert longer[: len(folds) - 1] == folds[:-1]
    last = longer[len(folds) - 1]
    assert folds[-1] == Fold(last.train, last.test, min(last.end, end))


@pytest.mark.parametrize("bars", [0, 1, 99, 100])
def test_something_must_be_left_to_test_on(bars: int) -> None:
    with pytest.raises(InputError, match=r"training takes 100 bars and there (is|are) [0-9]+ bar"):
        split_folds(7, 7 + bars, 100, 10)


def test_one_bar_is_enough_to_test_on() -> None:
    assert split_folds(7, 108, 100, 10) == (Fold(7, 107, 108),)
