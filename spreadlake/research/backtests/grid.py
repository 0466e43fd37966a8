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
from spreadlake.quant.backtest import Signals, equity_frame, trades_frame
from spreadlake.quant.backtest.changes import NO_CHANGES, Changes
from spreadlake.quant.backtest.folds import split_folds
from spreadlake.quant.backtest.grid import Grid, Ground, run_grid, run_set
from spreadlake.quant.backtest.joined import Joined, joined
from spreadlake.quant.backtest.parameters import GridValues, ParameterSet, ParameterSets, Value
from spreadlake.quant.backtest.summary import yearly
from spreadlake.quant.backtest.tables import chosen_frame, folds_frame, grid_frame
from spreadlake.quant.backtest.walk_forward import FoldResult, walk_forward
from spreadlake.quant.sharpe import probabilistic_sharpe
from spreadlake.research.backtests.funding_paid import read_paid
from spreadlake.research.backtests.pair import Backtest, BacktestRequest, extent
from spreadlake.research.backtests.pair_history import PairHistory
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


def take_grid(lake: Lake, asked: GridRequest) -> Backtest:
    """What the best of the sets did, with `grid` and `selection`; or the tests of a walk-forward.

    That has `folds`, `chosen` and `selection`. InputError for a grid that is none, spans that
    leave no bar to test on, and for what `take_backtest` refuses.
    """
    sets = ParameterSets.of(asked.base, asked.grid)
    spans = _spans(asked)
    request = asked.request
    history = PairHistory.read(
        lake,
        request.pair,
        request.timeframe,
        max(max(one.window, one.lookback) for one in sets.sets),
        request.max_stale_bars,
        request.start,
        request.end,
    )
    bars = history.bars
    funding, notes = read_paid(lake, request.pair, bars) if request.funding else (None, [])

    ground = Ground(bars, _LastSignals(history).of, request.lane.costs, funding)
    notes += [f"{count(n, 'set')} left out: {why}" for why, n in sets.left_out.items()]
    if spans is None:
        return _best(request, ground, sets, notes)
    return _walked(request, ground, sets, spans, notes)


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


class _LastSignals:
    """Signals of sets that share them; the last are kept, as the best set is often among these."""

    def __init__(self, history: PairHistory) -> None:
        self._history = history
        self._last: tuple[object, Signals] | None = None

    def of(self, some: Sequence[ParameterSet]) -> Signals:
        """The spread is tested wherever one of the sets may open."""
        entries = [one.rules.entry for one in some if one.rules.max_adf_pvalue is not None]
        asked = (*some[0].series, min(entries, default=None))
        if self._last is None or self._last[0] != asked:
            self._last = None  # not two at a time
            self._last = asked, self._history.signals(*asked)
        return self._last[1]


def _best(
    request: BacktestRequest, ground: Ground, sets: ParameterSets, notes: list[str]
) -> Backtest:
    rows = 0, len(ground.bars)
    grid = run_grid(ground, sets.sets, rows)
    best = sets.sets[grid.order[0]]
    run = run_set(ground, best, rows)
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
    request: BacktestRequest,
    ground: Ground,
    sets: ParameterSets,
    spans: tuple[int, int],
    notes: list[str],
) -> Backtest:
    bars = ground.bars
    first, last = (int(bars.time[at]) // bars.length for at in (0, -1))
    results = walk_forward(ground, sets.sets, split_folds(first, last + 1, *spans))
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
