"""Sets of parameters of a back-test: every combination of the values of a grid. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from typing import Any, NamedTuple, get_args

import numpy as np

from spreadlake.arguments import is_finite
from spreadlake.errors import InputError
from spreadlake.quant.backtest.inputs import Rules
from spreadlake.quant.stationarity import MIN_BARS
from spreadlake.series import Prices
from spreadlake.times import MOST_BARS

Value = int | float | str | None
GridValues = Mapping[str, Sequence[Value]]
"""The values of each parameter that is varied."""

MOST_SETS = 10_000
_EXAMPLE = "entry=1.5,2,2.5"
_NONE = "none"


class ParameterSet(NamedTuple):
    """What a back-test is run with, but for costs: on which signals, and by which rules."""

    window: int = 60
    lookback: int = 300
    prices: Prices = "raw"
    rules: Rules = Rules()

    @property
    def series(self) -> tuple[int, int, Prices]:
        """What its signals depend on: sets with the same share them."""
        return self.window, self.lookback, self.prices

    @property
    def values(self) -> dict[str, Value]:
        """By name, in the order of `PARAMETERS`."""
        rules = {field.name: getattr(self.rules, field.name) for field in fields(Rules)}
        return {"window": self.window, "lookback": self.lookback, "prices": self.prices} | rules

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> "ParameterSet":
        """By names of `PARAMETERS`; InputError for what makes no sense together."""
        given: dict[str, Any] = dict(values)
        series = {name: given.pop(name) for name in cls._fields if name in given}
        found = cls(**series, rules=Rules(**given))
        require_tested(found.rules, found.lookback)
        return found


def require_tested(rules: Rules, lookback: int) -> None:
    """InputError where the rules ask for a test over the lookback, and it is too short for one."""
    if rules.max_adf_pvalue is not None and lookback < MIN_BARS:
        raise InputError(
            f"max_adf_pvalue needs a lookback of {MIN_BARS} bars or more, over which "
            f"the spread is tested, and lookback is {lookback}"
        )


PARAMETERS = tuple(ParameterSet().values)
"""What a grid can vary."""

_WHOLE = ("window", "lookback", "max_bars")
# The rules that may be left out.
_OPTIONAL = tuple(field.name for field in fields(Rules) if field.default is None)


@dataclass(frozen=True)
class ParameterSets:
    """The combinations of a grid, the last of the `varied` parameters changing fastest.

    `left_out` says for each reason how many combinations make no sense: they are none of `sets`.
    """

    varied: tuple[str, ...]
    sets: tuple[ParameterSet, ...]
    left_out: dict[str, int]

    @classmethod
    def of(cls, base: Mapping[str, Value], grid: GridValues) -> "ParameterSets":
        """Every combination of the grid's values, all else as in `base` by name, or usual.

        InputError for a name that is no parameter, a value that is none of it, that is there twice
        or makes no sense in any combination, and for more than `MOST_SETS` combinations.
        """
        if not isinstance(grid, Mapping):
            raise InputError(f"a grid names its parameters: {{'entry': [1.5, 2]}}, not {grid!r}")
        checked = {name: _checked(name, values) for name, values in grid.items()}
        if not checked:
            raise InputError(f"a grid needs a parameter and its values, such as {_EXAMPLE}")
        _require_few(math.prod(map(len, checked.values())))
        sets: list[ParameterSet] = []
        left_out: Counter[str] = Counter()
        used: set[tuple[str, Value]] = set()
        reasons: dict[tuple[str, Value], str] = {}
        for chosen in product(*checked.values()):
            values = dict(zip(checked, chosen, strict=True))
            try:
                sets.append(ParameterSet.of({**base, **values}))
            except InputError as error:
                left_out[str(error)] += 1
                reasons = {item: str(error) for item in values.items()} | reasons
            else:
                used.update(values.items())
        for (name, value), reason in reasons.items():
            if (name, value) not in used:
                raise InputError(f"grid {name}={shown_value(value)} fits no combination: {reason}")
        return cls(tuple(checked), tuple(sets), dict(left_out))


def parse_grid(texts: Sequence[str]) -> dict[str, list[Value]]:
    """The values of each parameter of texts such as `entry=1.5,2` and `stop=none,4`.

    Each text may hold several, apart by blanks. InputError for another form, and for a name that
    is there twice.
    """
    grid: dict[str, list[Value]] = {}
    for text in " ".join(texts).split():
        name, _, values = text.partition("=")
        name = name.replace("-", "_")
        if not name or not values:
            raise InputError(f"grid {text!r} is not KEY=V,V, such as {_EXAMPLE}")
        if name in grid:
            raise InputError(f"grid {name} is there twice; name it once, with all its values")
        grid[name] = [_read(value) for value in values.split(",")]
    return grid


def _read(text: str) -> Value:
    if text.lower() == _NONE:
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _checked(name: str, values: Sequence[Value]) -> tuple[Value, ...]:
    if name not in PARAMETERS:
        raise InputError(f"grid {name}: it is no parameter; vary {', '.join(PARAMETERS)}")
    given = _listed(values)
    if not given:
        raise InputError(f"grid {name} has no list of values, but {values!r}")
    checked: list[Value] = []
    for value in given:
        if (fault := _fault(name, value)) is not None:
            raise InputError(f"grid {name}={shown_value(value)} is not {fault}")
        if value in checked:
            raise InputError(f"grid {name} has {shown_value(value)} twice; once is enough")
        checked.append(int(value) if name in _WHOLE and value is not None else value)
    return tuple(checked)


def _listed(values: object) -> list[Value]:
    """Python's own values of a list, a tuple, a range, or an array; none of anything else."""
    if hasattr(values, "tolist"):
        values = np.atleast_1d(np.asarray(values)).tolist()
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        return []
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _fault(name: str, value: Any) -> str | None:
    """What the value should be, where it is none of the parameter."""
    if name == "prices":
        kinds = get_args(Prices)
        return None if isinstance(value, str) and value in kinds else f"one of {', '.join(kinds)}"
    optional = name in _OPTIONAL
    if value is None and optional:
        return None
    wanted = f"a {'whole ' if name in _WHOLE else ''}number{f' or {_NONE}' if optional else ''}"
    if not is_finite(value) or (name in _WHOLE and value != int(value)):
        return wanted
    if name in ("window", "lookback") and not 2 <= value <= MOST_BARS:
        return f"a number of bars from 2 to {MOST_BARS:,}"
    return None


def _require_few(combinations: int) -> None:
    if combinations > MOST_SETS:
        raise InputError(
            f"the grid has {combinations:,} combinations, and {MOST_SETS:,} are the most: give it "
            "fewer values"
        )


def shown_value(value: Value) -> str:
    """As it is written in a grid."""
    return _NONE if value is None else f"{value:g}" if isinstance(value, float) else str(value)
