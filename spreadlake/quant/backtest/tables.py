"""Grids of parameters and walk-forwards as frames. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from spreadlake.quant.backtest.grid import Grid
from spreadlake.quant.backtest.parameters import PARAMETERS, ParameterSets, Value, shown_value
from spreadlake.quant.backtest.summary import SUMMARY_KEYS
from spreadlake.quant.backtest.walk_forward import FoldResult
from spreadlake.schemas import UTC_TIME

_WHOLE = ("window", "lookback", "max_bars", "trades", "longest_bars_held")


def _kind(name: str) -> pl.DataType:
    if name == "prices":
        return pl.String()
    return pl.Int64() if name in _WHOLE else pl.Float64()


_PARAMETERS_SCHEMA = {name: _kind(name) for name in PARAMETERS}

GRID_SCHEMA = pl.Schema(
    {
        "rank": pl.Int64(),
        **_PARAMETERS_SCHEMA,
        **{name: _kind(name) for name in SUMMARY_KEYS},
        "skewness": pl.Float64(),
        "kurtosis": pl.Float64(),
        "probabilistic_sharpe": pl.Float64(),
        "deflated_sharpe": pl.Float64(),
    }
)
"""A row for each set of parameters: its values, its summary, and what its Sharpe ratio is worth."""

FOLDS_SCHEMA = pl.Schema(
    {
        "fold": pl.Int64(),
        "train_start": UTC_TIME,
        "test_start": UTC_TIME,
        "test_end": UTC_TIME,
        **_PARAMETERS_SCHEMA,
        "train_trades": pl.Int64(),
        "train_net": pl.Float64(),
        "train_sharpe": pl.Float64(),
        "train_deflated_sharpe": pl.Float64(),
        "test_trades": pl.Int64(),
        "test_net": pl.Float64(),
        "test_sharpe": pl.Float64(),
    }
)
"""A row for each fold: what was chosen, what it earned in training, and what in the test after."""

CHOSEN_SCHEMA = pl.Schema(
    {"parameter": pl.String(), "value": pl.String(), "folds": pl.Int64(), "share": pl.Float64()}
)
"""In how many folds each value of what is varied was chosen, and in which share of them."""


def grid_frame(grid: Grid) -> pl.DataFrame:
    """The sets (GRID_SCHEMA) from the highest Sharpe ratio down, those without one last."""
    deflated = grid.deflated
    rows = [
        {
            "rank": rank,
            **trial.parameters.values,
            **trial.summary._asdict(),
            "skewness": trial.changes.skewness,
            "kurtosis": trial.changes.kurtosis,
            "probabilistic_sharpe": deflated.probabilistic[number],
            "deflated_sharpe": deflated.deflated[number],
        }
        for rank, number in enumerate(grid.order, start=1)
        for trial in [grid.trials[number]]
    ]
    return _without_nan(pl.DataFrame(rows, schema=GRID_SCHEMA))


def folds_frame(results: Sequence[FoldResult]) -> pl.DataFrame:
    """The folds (FOLDS_SCHEMA), in order of time; null for what was not chosen."""
    length = results[0].tested.market.bars.length
    rows = [_fold_row(number, one, length) for number, one in enumerate(results, start=1)]
    return _without_nan(pl.DataFrame(rows, schema=FOLDS_SCHEMA))


def chosen_frame(sets: ParameterSets, results: Sequence[FoldResult]) -> pl.DataFrame:
    """How often each value of each varied parameter was chosen (CHOSEN_SCHEMA)."""
    chosen: Counter[tuple[str, Value]] = Counter()
    for one in results:
        if one.trained is not None:
            chosen.update(one.trained.trial.parameters.values.items())
    there = dict.fromkeys((name, s.values[name]) for name in sets.varied for s in sets.sets)
    rows = [
        (name, shown_value(value), chosen[name, value], chosen[name, value] / len(results))
        for name, value in there
    ]
    return pl.DataFrame(rows, schema=CHOSEN_SCHEMA, orient="row")


def _without_nan(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Float64).fill_nan(None))


def _fold_row(number: int, one: FoldResult, length: int) -> dict[str, object]:
    fold, tested = one.fold, one.tested.summary
    row: dict[str, object] = {
        "fold": number,
        "train_start": datetime.fromtimestamp(fold.train * length, UTC),
        "test_start": datetime.fromtimestamp(fold.test * length, UTC),
        "test_end": datetime.fromtimestamp(fold.end * length, UTC),
        "test_trades": tested.trades,
        "test_net": tested.net,
        "test_sharpe": tested.sharpe,
    }
    if one.trained is not None:
        trained = one.trained.trial
        row |= trained.parameters.values
        row |= {
            "train_trades": trained.summary.trades,
            "train_net": trained.summary.net,
            "train_sharpe": trained.summary.sharpe,
            "train_deflated_sharpe": one.trained.deflated,
        }
    return row
