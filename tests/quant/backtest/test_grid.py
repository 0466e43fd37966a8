"""Many sets of parameters against each one alone, and what the best of noise is worth."""

import math

import numpy as np
import pytest

from spreadlake.quant.backtest import Lane, Rules, back_tests
from spreadlake.quant.backtest.grid import Grid, run_grid
from spreadlake.quant.backtest.parameters import ParameterSet, ParameterSets
from spreadlake.quant.sharpe import expected_maximum, probabilistic_sharpe
from tests.quant.backtest.market import noise, reverting

SETS = ParameterSets.of(
    {"window": 20, "lookback": 30},
    {"entry": [1.0, 1.5, 9.0], "window": [10, 20], "lookback": [30, 15], "stop": [None, 3.0]},
)
ROWS = 1500


def _grid(seed: int = 1) -> Grid:
    return run_grid(reverting(seed, ROWS), SETS.sets, (100, 1400))


def test_each_set_is_as_if_it_was_alone() -> None:
    ground, found = reverting(1, ROWS), _grid()
    assert [trial.parameters for trial in found.trials] == list(SETS.sets)
    assert len(found.trials) == len(SETS.sets) == 20
    for trial in found.trials:
        signals = ground.signals_of([trial.parameters]).part(100, 1400)
        lanes = [Lane(trial.parameters.rules, ground.costs)]
        (run,) = back_tests(ground.bars.part(100, 1400), signals, lanes)
        assert trial.summary == run.summary
        steps = np.diff(run.equity().equity)
        if trial.parameters.rules.entry == 9.0:
            assert trial.summary.sharpe is None
            assert math.isnan(trial.changes.sharpe)
            continue
        assert trial.changes.sharpe == pytest.approx(steps.mean() / steps.std(ddof=1), rel=1e-9)
        yearly = trial.changes.sharpe * math.sqrt(365 * 24 * 60)
        assert trial.summary.sharpe == pytest.approx(yearly, rel=1e-12)


def test_the_highest_sharpe_comes_first_and_none_last() -> None:
    found = _grid()
    ratios = found.sharpe[found.order]
    known = ratios[~np.isnan(ratios)]
    assert 0 < len(known) < len(ratios)
    assert (np.diff(known) <= 0).all()
    assert np.isnan(ratios[len(known) :]).all()


def test_of_equal_sets_the_first_of_the_grid_comes_first() -> None:
    sets = ParameterSets.of(
        {"window": 20, "lookback": 30}, {"stop": [90.0, None, 80.0], "entry": [1, 1.5]}
    )
    found = run_grid(reverting(1, ROWS), sets.sets, (0, ROWS))
    assert len(set(found.sharpe.tolist())) == 2
    order = found.order
    assert {tuple(order[:3]), tuple(order[3:])} == {(0, 2, 4), (1, 3, 5)}


def test_ratios_are_deflated_by_what_the_others_had() -> None:
    found = _grid()
    known = found.sharpe[~np.isnan(found.sharpe)]
    expected = expected_maximum(len(known), float(np.var(known, ddof=1)))
    assert found.deflated.expected_maximum == pytest.approx(expected, rel=1e-12)
    best = found.trials[found.order[0]].changes
    wanted = probabilistic_sharpe(
        best.sharpe, best.count, best.skewness, best.kurtosis, found.deflated.expected_maximum
    )
    assert best.count == 1299
    assert found.deflated.deflated[found.order[0]] == pytest.approx(wanted, rel=1e-12)


def test_the_best_of_noise_is_no_find() -> None:
    """Where no set has any merit, few of the best ones look as if they had after deflation."""
    sets = ParameterSets.of(
        {"window": 20, "lookback": 30},
        {"entry": [0.8, 1.0, 1.3, 1.6, 2.0], "exit": [-0.5, 0.0, 0.5], "window": [8, 15, 30]},
    )
    plain, deflated = [], []
    for seed in range(40):
        found = run_grid(noise(seed, 400), sets.sets, (0, 400))
        best = found.order[0]
        plain.append(found.deflated.probabilistic[best])
        deflated.append(found.deflated.deflated[best])
    assert np.mean(np.array(plain) > 0.95) > 0.2  # each looks like a find when it stands alone
    assert np.mean(np.array(deflated) > 0.95) < 0.1
    assert 0.25 < np.median(deflated) < 0.75


def test_rules_share_signals_that_are_computed_once() -> None:
    ground = reverting(1, 300)
    asked: list[tuple[int, int]] = []

    def signals_of(sets):  # type: ignore[no-untyped-def]
        asked.append((sets[0].window, sets[0].lookback))
        return ground.signals_of(sets)

    counted = type(ground)(ground.bars, signals_of, ground.costs)
    run_grid(counted, SETS.sets, (0, 300))
    assert sorted(asked) == [(10, 15), (10, 30), (20, 15), (20, 30)]


def test_bars_without_rows_have_no_trades() -> None:
    found = run_grid(reverting(1, 50), [ParameterSet(20, 30, rules=Rules())], (10, 10))
    assert found.trials[0].summary.trades == 0
    assert found.deflated.trials == 0
