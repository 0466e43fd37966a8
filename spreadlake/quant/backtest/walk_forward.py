"""Parameters chosen in one span and used in the next, again and again. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest.folds import Fold
from spreadlake.quant.backtest.grid import Ground, Trial, grouped, runs
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
    trained = _train(ground, sets, folds)
    return _test(ground, sets, folds, trained)


def _train(
    ground: Ground, sets: Sequence[ParameterSet], folds: Sequence[Fold]
) -> list[Trained | None]:
    sharpe = np.full((len(folds), len(sets)), np.nan)
    best: list[tuple[int, Trial] | None] = [None] * len(folds)
    for numbers, signals in grouped(ground, sets):
        some = [sets[number] for number in numbers]
        for at, fold in enumerate(folds):
            rows = _rows(ground.bars, fold.train, fold.test)
            for number, run in zip(numbers, runs(ground, signals, some, rows), strict=True):
                sharpe[at, number] = run.changes.sharpe
                if _is_better(sharpe[at], number, best[at]):
                    best[at] = number, Trial(sets[number], run.summary, run.changes)
    return [None if one is None else _deflated(sharpe[at], *one) for at, one in enumerate(best)]


def _is_better(sharpe: Floats, number: int, best: tuple[int, Trial] | None) -> bool:
    if best is None:
        return not math.isnan(sharpe[number])
    # The sets do not come in the order of the grid.
    at = best[0]
    return bool(sharpe[number] > sharpe[at] or (sharpe[number] == sharpe[at] and number < at))


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
    tested: dict[int, Run] = {}
    chosen = [at for at, one in enumerate(trained) if one is not None]
    used = [sets[one.number] for one in trained if one is not None]
    for numbers, signals in grouped(ground, used):
        for number in numbers:
            at = chosen[number]
            (tested[at],) = runs(ground, signals, [used[number]], spans[at])
    for at in set(range(len(folds))) - set(chosen):
        (tested[at],) = runs(ground, _no_signals(len(ground.bars)), [ParameterSet()], spans[at])
    return tuple(FoldResult(fold, trained[at], tested[at]) for at, fold in enumerate(folds))


def _no_signals(rows: int) -> Signals:
    none = np.full(rows, np.nan)
    return Signals(none, none, none)


def _rows(bars: Bars, start: int, end: int) -> tuple[int, int]:
    """Rows of the absolute bars [start, end)."""
    return bars.between(start * bars.length, end * bars.length)
