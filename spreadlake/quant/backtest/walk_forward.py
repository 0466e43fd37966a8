"""Parameters chosen in one span and used in the next, again and again. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest.folds import Fold
from spreadlake.quant.backtest.grid import (
    Ground,
    Part,
    Trial,
    grouped,
    part_signals,
    parts_of,
    runs,
)
from spreadlake.quant.backtest.inputs import Bars, Signals
from spreadlake.quant.backtest.parameters import ParameterSet
from spreadlake.quant.backtest.run import Run
from spreadlake.quant.sharpe import expected_maximum, probabilistic_sharpe, variance


@dataclass(frozen=True)
class Trained:
    """The best set of a training span: `number` of it, what it did, and among how many.

    `expected_maximum` is what the best of the `trials` that had a Sharpe ratio would show by
    chance, per bar, and `deflated` the probability that the true ratio is above it.
    """

    number: int
    trial: Trial
    trials: int
    expected_maximum: float
    deflated: float


@dataclass(frozen=True)
class FoldResult:
    """What was chosen in the training of a fold, and what it did in the span after it.

    None where no set had a Sharpe ratio in training: nothing is chosen then. `tested` runs over the
    bars of the test span; without a choice it is a run without trades.
    """

    fold: Fold
    trained: Trained | None
    tested: Run


def walk_forward(
    ground: Ground, sets: Sequence[ParameterSet], folds: Sequence[Fold]
) -> tuple[FoldResult, ...]:
    """Of each fold the set with the highest Sharpe ratio in training, run over its test span.

    Every span is a back-test of its own: it begins without a position, what is open at its last bar
    is closed at that one's closes, and windows reach back before it. So a choice depends on nothing
    after its training, and what a test earns on nothing after the test. Of equal ratios the first
    set is chosen.

    Memory holds the signals of one window and lookback at a time, a number for each set and fold,
    and the trades of the tests.
    """
    parts = (train_part(ground, sets, part, folds) for part in parts_of(sets))
    return tested(ground, sets, folds, parts)


class Training(NamedTuple):
    """What the sets `numbers` did in the training of each fold.

    sharpe: (folds, numbers). best: of each fold the number of the best set of them and what it did,
    None where none had a Sharpe ratio.
    """

    numbers: list[int]
    sharpe: Floats
    best: list[tuple[int, Trial] | None]


def train_part(
    ground: Ground, sets: Sequence[ParameterSet], part: Part, folds: Sequence[Fold]
) -> Training:
    """Runs the sets of a part over the training span of every fold."""
    numbers, signals = part_signals(ground, sets, part)
    some = [sets[number] for number in numbers]
    sharpe = np.full((len(folds), len(numbers)), np.nan)
    best: list[tuple[int, Trial] | None] = [None] * len(folds)
    for at, fold in enumerate(folds):
        rows = _rows(ground.bars, fold.train, fold.test)
        for column, run in enumerate(runs(ground, signals, some, rows)):
            sharpe[at, column] = run.changes.sharpe
            trial = Trial(some[column], run.summary, run.changes)
            best[at] = _better(best[at], (numbers[column], trial))
    return Training(numbers, sharpe, best)


def tested(
    ground: Ground,
    sets: Sequence[ParameterSet],
    folds: Sequence[Fold],
    parts: Iterable[Training],
) -> tuple[FoldResult, ...]:
    """The folds, once all parts of the sets were trained, in any order."""
    sharpe = np.full((len(folds), len(sets)), np.nan)
    best: list[tuple[int, Trial] | None] = [None] * len(folds)
    for part in parts:
        sharpe[:, part.numbers] = part.sharpe
        best = [_better(*both) for both in zip(best, part.best, strict=True)]
    trained = [None if one is None else _deflated(sharpe[at], *one) for at, one in enumerate(best)]
    return _test(ground, sets, folds, trained)


def _better(
    one: tuple[int, Trial] | None, other: tuple[int, Trial] | None
) -> tuple[int, Trial] | None:
    """The higher Sharpe ratio, or of equal ones the first of the grid; what has none is nothing."""
    if other is None or math.isnan(other[1].changes.sharpe):
        return one
    if one is None:
        return other
    ratios = one[1].changes.sharpe, other[1].changes.sharpe
    better = ratios[1] > ratios[0] or (ratios[1] == ratios[0] and other[0] < one[0])
    return other if better else one


def _deflated(sharpe: Floats, number: int, trial: Trial) -> Trained:
    known = sharpe[~np.isnan(sharpe)]
    expected = expected_maximum(len(known), variance(known))
    changes = trial.changes
    deflated = probabilistic_sharpe(
        changes.sharpe, changes.count, changes.skewness, changes.kurtosis, expected
    )
    return Trained(number, trial, len(known), expected, deflated)


def _test(
    ground: Ground,
    sets: Sequence[ParameterSet],
    folds: Sequence[Fold],
    trained: Sequence[Trained | None],
) -> tuple[FoldResult, ...]:
    spans = [_rows(ground.bars, fold.test, fold.end) for fold in folds]
    runs_of: dict[int, Run] = {}
    chosen = [at for at, one in enumerate(trained) if one is not None]
    used = [sets[one.number] for one in trained if one is not None]
    for numbers, signals in grouped(ground, used):
        for number in numbers:
            at = chosen[number]
            (runs_of[at],) = runs(ground, signals, [used[number]], spans[at])
    for at in set(range(len(folds))) - set(chosen):
        (runs_of[at],) = runs(ground, _no_signals(len(ground.bars)), [ParameterSet()], spans[at])
    return tuple(FoldResult(fold, trained[at], runs_of[at]) for at, fold in enumerate(folds))


def _no_signals(rows: int) -> Signals:
    none = np.full(rows, np.nan)
    return Signals(none, none, none)


def _rows(bars: Bars, start: int, end: int) -> tuple[int, int]:
    """Rows of the absolute bars [start, end)."""
    return bars.between(start * bars.length, end * bars.length)
