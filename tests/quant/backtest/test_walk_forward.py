"""Walk-forward against choosing by hand; and that nothing of a later span is known in a choice."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest import (
    EQUITY_SCHEMA,
    TRADES_SCHEMA,
    Lane,
    Rules,
    Run,
    back_tests,
    equity_frame,
    trades_frame,
)
from spreadlake.quant.backtest.folds import Fold, split_folds
from spreadlake.quant.backtest.grid import Ground
from spreadlake.quant.backtest.joined import joined
from spreadlake.quant.backtest.parameters import ParameterSet, ParameterSets
from spreadlake.quant.backtest.summary import sharpe_of
from spreadlake.quant.backtest.tables import folds_frame
from spreadlake.quant.backtest.walk_forward import FoldResult, walk_forward
from spreadlake.quant.sharpe import expected_maximum
from tests.quant.backtest.market import LENGTH, START, ground_of, reverting

SETS = ParameterSets.of(
    {"window": 20, "lookback": 30},
    {"entry": [1.0, 1.5, 2.0], "window": [10, 20], "exit": [0.0, 0.5], "lookback": [30, 15]},
).sets
ROWS = 900
FOLDS = split_folds(START, START + ROWS, 300, 100)


def _alone(ground: Ground, one: ParameterSet, start: int, end: int) -> Run:
    """A back-test of one set at the absolute bars [start, end)."""
    low, high = ground.bars.between(start * LENGTH, end * LENGTH)
    signals = ground.signals_of([one]).part(low, high)
    lanes = [Lane(one.rules, ground.costs)]
    (run,) = back_tests(ground.bars.part(low, high), signals, lanes)
    return run


def _sharpe(run: Run) -> float:
    steps = np.diff(run.equity().equity)
    return float(steps.mean() / steps.std(ddof=1)) if np.ptp(steps) else math.nan


def _chosen(results: tuple[FoldResult, ...]) -> list[int | None]:
    return [None if one.trained is None else one.trained.number for one in results]


def test_the_best_of_training_is_used_in_the_test() -> None:
    ground = reverting(2, ROWS)
    results = walk_forward(ground, SETS, FOLDS)
    assert len(results) == 6
    assert len(set(_chosen(results))) > 1  # or the test would not tell
    for fold, result in zip(FOLDS, results, strict=True):
        assert result.fold == fold
        trained = [_alone(ground, one, fold.train, fold.test) for one in SETS]
        ratios = np.array([_sharpe(run) for run in trained])
        best = int(np.nanargmax(ratios))
        assert result.trained is not None
        assert result.trained.number == best
        assert result.trained.trial.summary == trained[best].summary
        assert result.trained.trials == int((~np.isnan(ratios)).sum())
        spread = float(np.nanvar(ratios, ddof=1))
        wanted = expected_maximum(result.trained.trials, spread)
        assert result.trained.expected_maximum == pytest.approx(wanted, rel=1e-9)
        tested = _alone(ground, SETS[best], fold.test, fold.end)
        assert result.tested.summary == tested.summary
        assert trades_frame(result.tested).equals(trades_frame(tested))


def test_the_test_spans_are_put_together() -> None:
    runs = [one.tested for one in walk_forward(reverting(2, ROWS), SETS, FOLDS)]
    found = joined(runs, "A/B")
    trades, equity, summary = found.trades, found.equity, found.summary
    assert trades.schema == TRADES_SCHEMA
    assert equity.schema == EQUITY_SCHEMA
    assert trades["trade"].to_list() == list(range(1, summary.trades + 1))
    assert trades["entry_time"].is_sorted()
    assert equity.height == ROWS - 300
    assert equity["time"].is_sorted()
    assert equity["time"].n_unique() == equity.height
    values = equity["equity"].to_numpy()
    assert values[-1] == pytest.approx(summary.net)
    assert summary.net == pytest.approx(trades["net"].sum())
    assert summary.gross - summary.fees + summary.funding == pytest.approx(summary.net)
    assert summary.sharpe == pytest.approx(sharpe_of(values, LENGTH), rel=1e-9)
    drawdown = np.maximum.accumulate(np.maximum(values, 0.0)) - values
    assert equity["drawdown"].to_numpy() == pytest.approx(drawdown, abs=1e-9)
    assert summary.max_drawdown == pytest.approx(drawdown.max())
    assert summary.time_in_market == pytest.approx((equity["position"] != 0).mean())
    assert summary.trades == sum(run.summary.trades for run in runs)
    assert (trades["reason"] == "end").sum() > 1  # closed at the end of its span


def test_of_one_span_the_whole_is_that_span() -> None:
    ground = reverting(3, 400)
    run = _alone(ground, SETS[0], START, START + 400)
    found = joined([run])
    assert found.trades.equals(trades_frame(run))
    assert found.equity.equals(equity_frame(run))
    for name, value in run.summary._asdict().items():
        assert getattr(found.summary, name) == pytest.approx(value, rel=1e-12), name


def test_without_a_trade_in_training_nothing_is_chosen() -> None:
    none = [ParameterSet(20, 30, rules=Rules(entry=50.0))]
    results = walk_forward(reverting(2, ROWS), none, FOLDS)
    assert _chosen(results) == [None] * 6
    found = joined([one.tested for one in results])
    assert (found.summary.trades, found.summary.net, found.summary.sharpe) == (0, 0, None)
    assert found.equity.height == ROWS - 300


def test_of_equal_sets_the_first_is_chosen() -> None:
    """Also where signals are shared by sets that do not stand together in the grid."""
    rules = [Rules(entry=1.0, stop=stop) for stop in (70.0, 80.0, None)]
    sets = [ParameterSet(20, 30, rules=rules[0]), ParameterSet(10, 30, rules=Rules(entry=40.0))]
    sets += [ParameterSet(20, 30, rules=rule) for rule in rules[1:]]
    assert _chosen(walk_forward(reverting(2, ROWS), sets, FOLDS)) == [0] * 6
    same = [ParameterSet(20, lookback, rules=rules[0]) for lookback in (31, 30)]
    flat = reverting(2, ROWS)
    signals_of = flat.signals_of
    alike = replace(flat, signals_of=lambda _: signals_of(same[:1]))
    assert _chosen(walk_forward(alike, same, FOLDS)) == [0] * 6


def _after(ground: Ground, row: int, seed: int) -> Ground:
    """The same up to `row`, other bars from there on."""
    rng, bars = np.random.default_rng(seed), ground.bars
    later = len(bars) - row

    def other(x: Floats) -> Floats:
        return np.concatenate([x[:row], x[row] * np.exp(rng.normal(0, 0.02, later))])

    traded = np.concatenate([bars.traded_a[:row], rng.random(later) < 0.5])
    return ground_of(
        replace(
            bars,
            open_a=other(bars.open_a),
            open_b=other(bars.open_b),
            close_a=other(bars.close_a),
            close_b=other(bars.close_b),
            traded_a=traded,
        )
    )


@settings(max_examples=5)
@given(st.integers(0, 10_000), st.integers(0, 5), st.integers(0, 1000))
def test_no_choice_knows_what_comes_after_its_training(seed: int, at: int, other: int) -> None:
    ground = reverting(seed, ROWS)
    before = walk_forward(ground, SETS, FOLDS)
    changed = walk_forward(_after(ground, FOLDS[at].test - START, other), SETS, FOLDS)
    for one, same in zip(before[: at + 1], changed[: at + 1], strict=True):
        assert one.trained == same.trained
    for one, same in zip(before[:at], changed[:at], strict=True):
        assert trades_frame(one.tested).equals(trades_frame(same.tested))


@settings(max_examples=5)
@given(st.integers(0, 10_000), st.integers(301, ROWS))
def test_a_prefix_of_the_bars_has_a_prefix_of_the_result(seed: int, rows: int) -> None:
    ground = reverting(seed, ROWS)
    whole = walk_forward(ground, SETS, FOLDS)
    start = ground_of(ground.bars.part(0, rows))
    part = walk_forward(start, SETS, split_folds(START, START + rows, 300, 100))
    for one, same in zip(part, whole[: len(part)], strict=True):
        assert one.trained == same.trained
    for one, same in zip(part[:-1], whole[: len(part) - 1], strict=True):
        assert trades_frame(one.tested).equals(trades_frame(same.tested))
    ended, longer = (trades_frame(results[len(part) - 1].tested) for results in (part, whole))
    closed = ended.filter(ended["reason"] != "end")
    assert closed.equals(longer.head(closed.height))


def test_a_hole_in_the_bars_leaves_folds_where_they_are() -> None:
    """Spans are of time: a fold without bars is empty, and the others are as they would be."""
    ground = reverting(2, ROWS)
    bars = ground.bars
    kept = (bars.time < (START + 420) * LENGTH) | (bars.time >= (START + 610) * LENGTH)
    arrays = {
        name: getattr(bars, name)[kept] for name in bars.__dataclass_fields__ if name != "length"
    }
    results = walk_forward(ground_of(replace(bars, **arrays)), SETS, FOLDS)
    assert [one.fold for one in results] == list(FOLDS)
    assert len(results[2].tested.market.bars) == 0
    assert results[2].fold == Fold(START + 200, START + 500, START + 600)
    whole = walk_forward(ground, SETS, FOLDS)
    assert results[0].trained == whole[0].trained
    found = joined([one.tested for one in results])
    equity, summary = found.equity, found.summary
    assert equity.height == ROWS - 300 - 190
    assert summary.net == pytest.approx(equity["equity"][-1])
    assert summary.sharpe == pytest.approx(sharpe_of(equity["equity"].to_numpy(), LENGTH), rel=1e-9)


def test_a_ratio_that_is_worth_nothing_known_is_null() -> None:
    one = walk_forward(reverting(2, ROWS), SETS, FOLDS)[0]
    assert one.trained is not None
    unknown = replace(one, trained=replace(one.trained, deflated=math.nan))
    assert folds_frame([unknown])["train_deflated_sharpe"].to_list() == [None]
