"""What is taken trade by trade, against equity at every bar."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant.backtest import Costs, Lane, Rules, back_tests
from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.parameters import ParameterSet
from tests.quant.backtest.market import reverting

_SET = ParameterSet(20, 30)

rules = st.builds(
    Rules,
    entry=st.sampled_from([0.8, 1.5, 2.2]),
    exit=st.sampled_from([-0.5, 0.0, 0.5]),
    stop=st.sampled_from([None, 2.5]),
    max_bars=st.sampled_from([None, 1, 7, 60]),
)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 160), rules, st.sampled_from([0.0, 2.0, 20.0]))
def test_drawdown_and_changes_are_those_of_every_bar(
    seed: int, rows: int, rule: Rules, fee_bps: float
) -> None:
    """Short spans, so that trades that are open at the end and ones of a single bar count."""
    ground = reverting(seed, 200)
    bars = ground.bars.part(40, 40 + rows)
    signals = ground.signals_of([_SET]).part(40, 40 + rows)
    (run,) = back_tests(bars, signals, [Lane(rule, Costs(fee_bps))])
    equity = run.equity().equity
    drawdown = (np.maximum.accumulate(np.maximum(equity, 0.0)) - equity).max()
    assert run.summary.max_drawdown == pytest.approx(drawdown, rel=1e-9, abs=1e-9)
    wanted = Changes.of(equity[1:], rows - 1)
    for name in ("count", "total", "squares", "cubes", "fourths"):
        value = getattr(wanted, name)
        assert getattr(run.changes, name) == pytest.approx(value, rel=1e-9, abs=1e-6), name
