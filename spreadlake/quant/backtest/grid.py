"""Many sets of parameters over the same bars, and what the best of them is worth. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.inputs import Bars, Costs, Funding, Lane, Signals
from spreadlake.quant.backtest.parameters import ParameterSet
from spreadlake.quant.backtest.run import Run, back_tests
from spreadlake.quant.backtest.summary import Summary
from spreadlake.quant.sharpe import Deflated, Returns, deflate

SignalsOf = Callable[[Sequence[ParameterSet]], Signals]
"""The signals, on all rows of the bars, of sets that differ in their rules only."""


@dataclass(frozen=True)
class Ground:
    """What all sets of parameters run over, and at which costs."""

    bars: Bars
    signals_of: SignalsOf
    costs: Costs
    funding: Funding | None = None


class Trial(NamedTuple):
    """What a set of parameters did."""

    parameters: ParameterSet
    summary: Summary
    changes: Changes


@dataclass(frozen=True)
class Grid:
    """What each set of parameters did over the same bars."""

    trials: tuple[Trial, ...]

    @cached_property
    def sharpe(self) -> Floats:
        """(trials,) per bar and not annualised, NaN for none: that is so where nothing traded."""
        return np.array([trial.changes.sharpe for trial in self.trials])

    @cached_property
    def deflated(self) -> Deflated:
        """Each Sharpe ratio beside what the best of so many would show by chance."""
        count = self.trials[0].changes.count if self.trials else 0
        skewness = np.array([trial.changes.skewness for trial in self.trials])
        kurtosis = np.array([trial.changes.kurtosis for trial in self.trials])
        return deflate(Returns(count, self.sharpe, skewness, kurtosis))

    @property
    def order(self) -> list[int]:
        """Numbers of the trials from the highest Sharpe ratio down, those without one last.

        Of equal ones the first of the grid comes first.
        """
        return [int(number) for number in np.argsort(-self.sharpe, kind="stable")]


class Part(NamedTuple):
    """Every `step`th set, from the one at `first` on, of the sets of a group that share signals."""

    group: int
    first: int = 0
    step: int = 1


def parts_of(sets: Sequence[ParameterSet], many: int = 1) -> list[Part]:
    """The sets in about so `many` parts, and no fewer than there are different signals."""
    sizes = [len(numbers) for numbers in groups_of(sets)]
    cut = max(1, round(many / max(1, len(sizes))))
    return [
        Part(group, first, min(cut, size))
        for group, size in enumerate(sizes)
        for first in range(min(cut, size))
    ]


def run_grid(ground: Ground, sets: Sequence[ParameterSet], rows: tuple[int, int]) -> Grid:
    """Runs every set over the `rows` [low, high) of the bars; signals reach back before them.

    Memory holds the signals of one window and lookback at a time, and no trades.
    """
    return joined_grid(len(sets), (run_part(ground, sets, part, rows) for part in parts_of(sets)))


def run_part(
    ground: Ground, sets: Sequence[ParameterSet], part: Part, rows: tuple[int, int]
) -> list[tuple[int, Trial]]:
    """What the sets of a part did, by number."""
    numbers, signals = part_signals(ground, sets, part)
    some = [sets[number] for number in numbers]
    return [
        (number, Trial(sets[number], run.summary, run.changes))
        for number, run in zip(numbers, runs(ground, signals, some, rows), strict=True)
    ]


def joined_grid(count: int, parts: Iterable[Sequence[tuple[int, Trial]]]) -> Grid:
    """All parts of a grid of `count` sets, in any order."""
    trials = dict(chain.from_iterable(parts))
    return Grid(tuple(trials[number] for number in range(count)))


def groups_of(sets: Sequence[ParameterSet]) -> list[list[int]]:
    """Numbers of the sets that share their signals."""

    def signals_key(number: int) -> tuple[int, int, str]:
        return sets[number].series

    return [
        list(some) for _, some in groupby(sorted(range(len(sets)), key=signals_key), signals_key)
    ]


def part_signals(
    ground: Ground, sets: Sequence[ParameterSet], part: Part
) -> tuple[list[int], Signals]:
    """Numbers of the sets of a part, and the signals of its group: the same for all its parts."""
    group = groups_of(sets)[part.group]
    signals = ground.signals_of([sets[number] for number in group])
    return group[part.first :: part.step], signals


def grouped(ground: Ground, sets: Sequence[ParameterSet]) -> Iterator[tuple[list[int], Signals]]:
    """Numbers of the sets that share their signals, and these; each is computed once."""
    for part in parts_of(sets):
        yield part_signals(ground, sets, part)


def runs(
    ground: Ground, signals: Signals, sets: Sequence[ParameterSet], rows: tuple[int, int]
) -> Iterator[Run]:
    """A run of each of the sets, which share `signals`, over the `rows` [low, high)."""
    lanes = [Lane(one.rules, ground.costs) for one in sets]
    return back_tests(ground.bars.part(*rows), signals.part(*rows), lanes, ground.funding)


def run_set(ground: Ground, one: ParameterSet, rows: tuple[int, int]) -> Run:
    """A run of one set over the `rows` [low, high)."""
    (run,) = runs(ground, ground.signals_of([one]), [one], rows)
    return run
