"""The same fills in other engines: their cash and positions say what our equity says."""

import importlib
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest import Costs, Lane, Rules, Run, back_tests
from spreadlake.series import Prices
from tests.quant.backtest_engines import Orders, backtrader_equity, orders_of, vectorbt_equity
from tests.quant.backtest_markets import walking_market

ENGINES = {"backtrader": backtrader_equity, "vectorbt": vectorbt_equity}
LANES = {
    "plain": Lane(Rules(1.5, 0.0), Costs(0.0, 0.0)),
    "with costs": Lane(Rules(1.5, 0.5), Costs(5.0, 1.5)),
    "stopped": Lane(Rules(1.0, -0.5, stop=2.0, max_bars=12), Costs(10.0, 0.0, 2_500.0)),
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Callable[[Orders], Floats]:
    name = request.param
    try:
        module: ModuleType = importlib.import_module(name)
    except ImportError:
        pytest.skip(f"{name} is not installed: pip install {name}")
    return lambda orders: ENGINES[name](module, orders)


def run_of(seed: int, lane: Lane, prices: Prices) -> Run:
    market = walking_market(seed, 400, prices, window=30, lookback=60)
    (run,) = back_tests(market.bars, market.signals, [lane])
    return run


@pytest.mark.parametrize("lane", LANES.values(), ids=LANES)
@pytest.mark.parametrize("prices", ["raw", "log"])
def test_equity_is_that_of_another_engine(
    engine: Callable[[Orders], Floats], lane: Lane, prices: Prices
) -> None:
    for seed in range(4):
        run = run_of(seed, lane, prices)
        equity, want = run.equity().equity, engine(orders_of(run))
        before = len(equity) - 1  # what is open at the last close is sold a row later there
        np.testing.assert_allclose(equity[:before], want[:before], rtol=0, atol=1e-6)
        np.testing.assert_allclose(equity[-1], want[-1], rtol=0, atol=1e-6)
        assert len(run.trades) > 3


def test_the_runs_end_in_every_way() -> None:
    runs = [run_of(seed, lane, "raw") for seed in range(4) for lane in LANES.values()]
    assert {reason for run in runs for reason in run.trades.positions.reason.tolist()} == {
        0,
        1,
        2,
        3,
    }
