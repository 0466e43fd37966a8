"""Grids of parameters: every combination, and what is no grid."""

from typing import Any

import numpy as np
import pytest

from spreadlake.errors import InputError
from spreadlake.quant.backtest.inputs import Rules
from spreadlake.quant.backtest.parameters import (
    MOST_SETS,
    PARAMETERS,
    ParameterSets,
    Value,
    parse_grid,
)

BASE: dict[str, Value] = {"prices": "log", "exit": 0.5, "stop": 4.0}


def test_every_combination_in_the_order_given() -> None:
    found = ParameterSets.of(BASE, {"entry": [1.5, 2], "window": [30, 60, 120]})
    assert found.varied == ("entry", "window")
    assert [(s.rules.entry, s.window) for s in found.sets] == [
        (1.5, 30),
        (1.5, 60),
        (1.5, 120),
        (2, 30),
        (2, 60),
        (2, 120),
    ]
    assert not found.left_out
    assert {(s.lookback, s.prices, s.rules.exit, s.rules.stop) for s in found.sets} == {
        (300, "log", 0.5, 4.0)
    }


def test_every_parameter_can_be_varied() -> None:
    assert PARAMETERS[:7] == ("window", "lookback", "prices", "entry", "exit", "stop", "max_bars")
    grid: dict[str, list[Value]] = {
        "window": [30],
        "lookback": [100],
        "prices": ["raw"],
        "entry": [1.5],
        "exit": [-0.5],
        "stop": [None],
        "max_bars": [10],
        "min_correlation": [0.5],
        "max_adf_pvalue": [0.1],
    }
    assert tuple(grid) == PARAMETERS
    (one,) = ParameterSets.of(BASE, grid).sets
    assert one.values == {name: values[0] for name, values in grid.items()}


def test_combinations_that_make_no_sense_are_told_and_left_out() -> None:
    found = ParameterSets.of(BASE, {"entry": [1, 2], "exit": [0, 1], "stop": [None, 2]})
    kept = [(s.rules.entry, s.rules.exit, s.rules.stop) for s in found.sets]
    assert kept == [(1, 0, None), (1, 0, 2), (2, 0, None), (2, 1, None)]
    assert sum(found.left_out.values()) == 4
    exits = [number for reason, number in found.left_out.items() if reason.startswith("exit 1 is")]
    stops = [number for reason, number in found.left_out.items() if reason.startswith("stop 2 is")]
    assert (exits, stops) == ([2], [2])


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "a grid needs a parameter"),
        ({"windows": [30]}, "grid windows: it is no parameter; vary window, lookback"),
        ({"entry": []}, "grid entry has no list of values"),
        ({"entry": "2"}, "grid entry has no list of values, but '2'"),
        ({"entry": 2}, "grid entry has no list of values, but 2"),
        ({"entry": [2, 2.0]}, "grid entry has 2 twice"),
        ({"stop": [None, 3, None]}, "grid stop has none twice"),
        ({"entry": ["two"]}, "grid entry=two is not a number$"),
        ({"entry": [None]}, "grid entry=none is not a number$"),
        ({"entry": [True]}, "grid entry=True is not a number$"),
        ({"entry": [float("nan")]}, "grid entry=nan is not a number$"),
        ({"entry": [[1, 2]]}, r"grid entry=\[1, 2\] is not a number$"),
        ({"entry": [10**400]}, "grid entry=10{400} is not a number$"),
        ({"max_bars": [10**400]}, "grid max_bars=10{400} is not a whole number or none$"),
        ({"window": [{}]}, "grid window={} is not a whole number$"),
        ({"prices": [["raw"]]}, r"grid prices=\['raw'\] is not one of raw, log$"),
        ({"max_adf_pvalue": [0.05], "lookback": [29]}, "fits no combination: max_adf_pvalue needs"),
        ({"stop": ["x"]}, "grid stop=x is not a number or none$"),
        ({"window": [30.5]}, "grid window=30.5 is not a whole number$"),
        ({"window": [1]}, "grid window=1 is not a number of bars from 2 to 100,000"),
        ({"max_bars": [1.5]}, "grid max_bars=1.5 is not a whole number or none"),
        ({"prices": ["close"]}, "grid prices=close is not one of raw, log"),
        ({"entry": [2, -1]}, "grid entry=-1 fits no combination: entry -1 is not above 0"),
        ({"entry": [1, 2], "exit": [0, 3]}, "grid exit=3 fits no combination: exit 3 is not below"),
        ({"max_bars": [0, 5]}, "grid max_bars=0 fits no combination"),
    ],
)
def test_what_is_no_grid_is_refused(grid: dict[str, list[Value]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ParameterSets.of(BASE, grid)


def test_too_many_are_refused_before_they_are_made() -> None:
    some: list[Value] = list(range(2, 2002))
    with pytest.raises(InputError, match="4,000,000 combinations, and 10,000 are the most"):
        ParameterSets.of(BASE, {"window": some, "lookback": some})
    rest: list[Value] = list(range(2, 2 + MOST_SETS))
    assert len(ParameterSets.of(BASE, {"window": rest}).sets) == MOST_SETS


def test_only_combinations_have_to_make_sense() -> None:
    """What is varied takes the place of the base's, which need not go with the others of it."""
    (one,) = ParameterSets.of({"entry": 2.0, "exit": 2.5}, {"entry": [3.0]}).sets
    assert one.rules == Rules(entry=3.0, exit=2.5)


@pytest.mark.parametrize(
    "values", [range(20, 60, 20), (20, 40), np.array([20, 40]), [np.int64(20), 40.0], [20.0, 40]]
)
def test_values_of_any_kind_become_pythons_own(values: Any) -> None:
    """So that they are written as JSON, and whole numbers count bars."""
    found = [one.window for one in ParameterSets.of(BASE, {"window": values}).sets]
    assert found == [20, 40]
    assert {type(window) for window in found} == {int}
    levels = ParameterSets.of({}, {"entry": np.arange(1, 2, 0.5)}).sets  # type: ignore[dict-item]
    assert [type(one.rules.entry) for one in levels] == [float, float]


@pytest.mark.parametrize("grid", [["entry"], "entry=2", [("entry", [2])]])
def test_a_grid_names_its_parameters(grid: Any) -> None:
    with pytest.raises(InputError, match="a grid names its parameters"):
        ParameterSets.of({}, grid)


def test_texts_of_a_grid() -> None:
    assert parse_grid(["entry=1.5,2", "stop=none,4 max-bars=60,None", "prices=raw,log"]) == {
        "entry": [1.5, 2],
        "stop": [None, 4],
        "max_bars": [60, None],
        "prices": ["raw", "log"],
    }


@pytest.mark.parametrize("text", ["entry", "entry=", "=1,2"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"is not KEY=V,V, such as entry=1.5,2,2.5"):
        parse_grid([text])


def test_a_parameter_is_named_once() -> None:
    with pytest.raises(InputError, match="grid max_bars is there twice"):
        parse_grid(["max_bars=1,2", "max-bars=3"])


def test_an_empty_value_is_refused() -> None:
    with pytest.raises(InputError, match="grid entry= is not a number"):
        ParameterSets.of(BASE, parse_grid(["entry=1,,2"]))
