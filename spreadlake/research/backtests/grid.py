"""Back-tests of many sets of parameters on the bars of a lake, and walk-forward over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.quant.backtest import equity_frame, trades_frame
from spreadlake.quant.backtest.changes import NO_CHANGES, Changes
from spreadlake.quant.backtest.folds import Fold, split_folds
from spreadlake.quant.backtest.grid import Grid, Part, joined_grid, parts_of, run_set
from spreadlake.quant.backtest.joined import Joined, joined
from spreadlake.quant.backtest.parameters import GridValues, ParameterSets, Value
from spreadlake.quant.backtest.summary import yearly
from spreadlake.quant.backtest.tables import chosen_frame, folds_frame, grid_frame
from spreadlake.quant.backtest.walk_forward import FoldResult, tested
from spreadlake.quant.sharpe import probabilistic_sharpe
from spreadlake.research.backtests.grid_tasks import GridTask, PairGround, TrainingTask
from spreadlake.research.backtests.pair import Backtest, BacktestRequest, extent
from spreadlake.tasks import InProcess, Progress, Tasks, spread
from spreadlake.times import bars_of_span, length_of
from spreadlake.words import count

Duration = str | int | timedelta
"""A time such as "30d" or "12h", a number of bars, or a timedelta."""


@dataclass(frozen=True)
class GridRequest:
    """Which sets of parameters to back-test, and of what.

    `base` says by name what is not varied of window, lookback, prices and rules; all else is as in
    `request`, whose own ones are not used. With `train` and `test` it is a walk-forward.
    """

    request: BacktestRequest
    base: Mapping[str, Value]
    grid: GridValues
    train: Duration | None = None
    test: Duration | None = None

    @classmethod
    def around(
        cls,
        request: BacktestRequest,
        rules: Mapping[str, Value],
        grid: GridValues,
        train: Duration | None = None,
        test: Duration | None = None,
    ) -> "GridRequest":
        """What is not varied is as in `request`, and of the rules as in `rules`."""
        series = {name: getattr(request, name) for name in ("window", "lookback", "prices")}
        return cls(request, {**series, **rules}, grid, train, test)


def take_grid(
    lake: Lake, asked: GridRequest, tasks: Tasks | None = None, advance: Progress | None = None
) -> Backtest:
    """What the best of the sets did, with `grid` and `selection`; or the tests of a walk-forward.

    That has `folds`, `chosen` and `selection`. The sets are `tasks` (None: in this process);
    `advance` is told how many parts of them are done. InputError for a grid that is none, spans
    that leave no bar to test on, and for what `take_backtest` refuses.
    """
    sets = ParameterSets.of(asked.base, asked.grid)
    spans = _spans(asked)
    longest = max(max(one.window, one.lookback) for one in sets.sets)
    own = PairGround(lake, asked.request, longest)
    shared = _Shared(own, asked, sets, tasks or InProcess(), advance)
    notes = list(shared.own.paid[1])
    notes += [f"{count(n, 'set')} left out: {why}" for why, n in sets.left_out.items()]
    if spans is None:
        return _best(asked.request, shared, notes)
    return _walked(asked.request, shared, spans, notes)


@dataclass(frozen=True)
class _Shared:
    """The sets over one ground, and where they are run."""

    own: PairGround
    asked: GridRequest
    sets: ParameterSets
    tasks: Tasks
    advance: Progress | None

    @property
    def parts(self) -> list[Part]:
        sets = self.sets.sets
        return parts_of(sets, spread(len(sets), self.tasks.workers))

    @property
    def ground(self) -> PairGround:
        """For the tasks: that of this process, or one to be read elsewhere."""
        return self.own if isinstance(self.tasks, InProcess) else self.own.pinned()

    def grid(self) -> Grid:
        """All sets over all bars."""
        task = GridTask(self.ground, self.asked.base, self.asked.grid)
        return joined_grid(len(self.sets.sets), self.tasks.map(task, self.parts, self.advance))

    def walked(self, folds: Sequence[Fold]) -> tuple[FoldResult, ...]:
        """Each fold's best in training, over its test."""
        task = TrainingTask(self.ground, self.asked.base, self.asked.grid, folds)
        trained = self.tasks.map(task, self.parts, self.advance)
        return tested(self.own.ground, self.sets.sets, folds, trained)


def _spans(asked: GridRequest) -> tuple[int, int] | None:
    """Bars of training and of test; None where there is no walk-forward."""
    if asked.train is None and asked.test is None:
        return None
    if asked.train is None or asked.test is None:
        raise InputError("a walk-forward needs both spans, train and test, such as 30d and 7d")
    length = length_of(asked.request.timeframe)
    return _bars_of(asked.train, "train", length), _bars_of(asked.test, "test", length)


def _bars_of(span: Duration, name: str, length: int) -> int:
    text = f"{span.total_seconds():.15g}s" if isinstance(span, timedelta) else str(span)
    try:
        return bars_of_span(text, length)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _best(request: BacktestRequest, shared: _Shared, notes: list[str]) -> Backtest:
    grid, sets, ground = shared.grid(), shared.sets, shared.own.ground
    best = sets.sets[grid.order[0]]
    run = run_set(ground, best, (0, len(ground.bars)))
    if not grid.deflated.trials:
        notes = [*notes, f"none of {count(len(sets.sets), 'set')} made a trade"]
    return Backtest(
        trades_frame(run, request.pair.name),
        equity_frame(run),
        run.summary._asdict(),
        request.settings | best.values | extent(ground.bars, [run]),
        notes,
        grid=grid_frame(grid),
        selection=_of_sets(sets) | _selection(grid, ground.bars.length),
    )


def _of_sets(sets: ParameterSets) -> dict[str, Any]:
    return {"varied": list(sets.varied), "sets": len(sets.sets), "left_out": sets.left_out}


def _selection(grid: Grid, length: int) -> dict[str, Any]:
    """What the best Sharpe ratio is worth; ratios are yearly, None is without meaning."""
    best, deflated = grid.order[0], grid.deflated
    changes = grid.trials[best].changes
    return {
        "trials": deflated.trials,
        "observations": changes.count,
        "sharpe": yearly(changes.sharpe, length),
        "expected_maximum_sharpe": yearly(deflated.expected_maximum, length),
        "skewness": _known(changes.skewness),
        "kurtosis": _known(changes.kurtosis),
        "probabilistic_sharpe": _known(deflated.probabilistic[best]),
        "deflated_sharpe": _known(deflated.deflated[best]),
    }


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _walked(
    request: BacktestRequest, shared: _Shared, spans: tuple[int, int], notes: list[str]
) -> Backtest:
    sets, bars = shared.sets, shared.own.ground_bars
    first, last = (int(bars.time[at]) // bars.length for at in (0, -1))
    results = shared.walked(split_folds(first, last + 1, *spans))
    none = sum(one.trained is None for one in results)
    if none:
        notes = [*notes, f"in training of {count(none, 'fold')} no set made a trade: none is used"]
    runs = [one.tested for one in results]
    found = joined(runs, request.pair.name)
    varied = dict.fromkeys(sets.varied)  # of what is varied no one value is that of the whole
    return Backtest(
        found.trades,
        found.equity,
        found.summary._asdict(),
        request.settings | sets.sets[0].values | varied | extent(bars, runs),
        notes,
        folds=folds_frame(results),
        chosen=chosen_frame(sets, results),
        selection={
            **_of_sets(sets),
            "folds": len(results),
            "folds_without_choice": none,
            "train_bars": spans[0],
            "test_bars": spans[1],
            "in_sample": _in_sample(results, bars.length),
            "out_of_sample": _out_of_sample(found, bars.length),
        },
    )


def _in_sample(results: Sequence[FoldResult], length: int) -> dict[str, Any]:
    """What the chosen sets earned in their training spans, put together as if one followed another.

    The spans overlap where training is longer than a test: to be compared are ratios, not sums.
    """
    trials = [one.trained.trial for one in results if one.trained is not None]
    changes = reduce(add, (trial.changes for trial in trials), NO_CHANGES)
    return {
        "trades": sum(trial.summary.trades for trial in trials),
        "net": sum(trial.summary.net for trial in trials),
        **_per_bar(changes, length),
    }


def _out_of_sample(found: Joined, length: int) -> dict[str, Any]:
    changes, summary = found.changes, found.summary
    probability = probabilistic_sharpe(
        changes.sharpe, changes.count, changes.skewness, changes.kurtosis
    )
    return {
        "trades": summary.trades,
        "net": summary.net,
        **_per_bar(changes, length),
        "probabilistic_sharpe": _known(probability),
    }


def _per_bar(changes: Changes, length: int) -> dict[str, Any]:
    days = changes.count * length / 86_400
    return {
        "observations": changes.count,
        "net_per_day": changes.total / days if days else None,
        "sharpe": yearly(changes.sharpe, length),
    }
