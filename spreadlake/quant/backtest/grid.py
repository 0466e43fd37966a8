"""Many sets of parameters over the same bars, and what the best of them is worth. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
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


def run_grid(ground: Ground, sets: Sequence[ParameterSet], rows: tuple[int, int]) -> Grid:
    """Runs every set over the `rows` [low, high) of the bars; signals reach back before them.

    Memory holds the signals of one window and lookback at a time, and no trades.
    """
    trials: list[Trial | None] = [None] * len(sets)
    for numbers, signals in grouped(ground, sets):
        some = [sets[number] for number in numbers]
        for number, run in zip(numbers, runs(ground, signals, some, rows), strict=True):
            trials[number] = Trial(sets[number], run.summary, run.changes)
    return Grid(tuple(trial for trial in trials if trial is not None))


def grouped(ground: Ground, sets: Sequence[ParameterSet]) -> Iterator[tuple[list[int], Signals]]:
    """Numbers of the sets that share their signals, and these; each is computed once."""

    def signals_key(number: int) -> tuple[int, int, str]:
        return sets[number].series

    for _, group in groupby(sorted(range(len(sets)), key=signals_key), signals_key):
        numbers = list(group)
        yield numbers, ground.signals_of([sets[number] for number in numbers])


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
