"""A year of minutes of one pair with 200 sets of parameters, against a plain loop over bars."""

import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

from spreadlake.quant.backtest import Bars, Costs, Signals
from spreadlake.quant.backtest.grid import Ground, run_grid
from spreadlake.quant.backtest.parameters import ParameterSet, ParameterSets
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.research.backtests.pair_history import PairHistory, Stretch
from tests.quant.backtest_loop import Bar, Rules, plain_backtest

BARS = 365 * 24 * 60
LOOKBACK = 300
SETS = ParameterSets.of(
    {"lookback": LOOKBACK},
    {
        "window": [30, 60, 120, 240],
        "entry": [1.5, 2.0, 2.5, 3.0, 3.5],
        "exit": [-0.5, 0.0, 0.25, 0.5, 1.0],
        "stop": [None, 5.0],
    },
).sets
LOOPED_BARS, LOOPED_SETS = 40_000, SETS[::23]  # of which the loop's time is scaled
START = 1_700_000_040 // 60


def main() -> None:
    """Prints one line, from a process of its own, so that the memory is that of this alone."""
    subprocess.run([sys.executable, "-m", "benchmarks.backtest"], check=True)


def measure() -> None:
    """Processor time, as other work is on the cores of many machines."""
    history = _history()
    begin = time.process_time()
    ground, computing = _ground(history)
    grid = run_grid(ground, SETS, (0, BARS))
    own, signals = time.process_time() - begin, sum(computing)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    loop = _loop(ground) * len(SETS) * BARS / LOOPED_BARS
    trades = sum(trial.summary.trades for trial in grid.trials)
    print(
        f"backtest: {len(SETS)} sets on {BARS:,} bars, {trades:,} trades, {own:.1f} s, of them "
        f"{signals:.1f} s for signals; a plain loop {loop:.0f} s without signals (scaled from "
        f"{LOOPED_BARS:,} bars of {len(LOOPED_SETS)} sets): ratio {loop / (own - signals):.0f} "
        f"without signals, {loop / own:.0f} with ours (target 100); peak {peak:,.0f} MiB"
    )


def _history() -> PairHistory:
    """A spread that comes back with a half-life of half an hour."""
    rng = np.random.default_rng(1)
    columns = BARS + LOOKBACK
    b = np.cumsum(rng.normal(0, 5e-4, columns))
    spread, noise = np.zeros(columns), rng.normal(0, 3e-4, columns).tolist()
    for at in range(1, columns):
        spread[at] = 0.98 * spread[at - 1] + noise[at]
    closes = np.stack([100 * np.exp(0.8 * b + spread), 50 * np.exp(b)])
    opens = np.concatenate([closes[:, :1], closes[:, :-1]], axis=1)
    traded = np.ones(closes.shape, dtype=np.bool_)
    matrix = CloseMatrix(
        60, START, ("A", "B"), closes, traded, np.zeros(closes.shape), np.full(2, START)
    )
    return PairHistory([Stretch(matrix, opens, LOOKBACK)], LOOKBACK, [], 30)


def _ground(history: PairHistory) -> tuple[Ground, list[float]]:
    """And the seconds that signals have taken."""
    seconds: list[float] = []

    def signals_of(some: Sequence[ParameterSet]) -> Signals:
        begin = time.process_time()
        found = history.signals(*some[0].series)
        seconds.append(time.process_time() - begin)
        return found

    return Ground(history.bars, signals_of, Costs(1.0)), seconds


def _loop(ground: Ground) -> float:
    """Seconds a set on the first bars; what it earns is what the core says."""
    rows = 0, LOOPED_BARS
    found = run_grid(ground, LOOPED_SETS, rows)
    seconds = 0.0
    for trial in found.trials:
        one = trial.parameters
        bars = _bars(ground.bars.part(*rows), ground.signals_of([one]).part(*rows))
        rules = Rules(one.rules.entry, one.rules.exit, one.rules.stop, cost_bps=1.0)
        begin = time.process_time()
        result = plain_backtest(bars, rules)
        seconds += time.process_time() - begin
        _require_same(result.equity[-1], trial.summary.net)
    return seconds / len(LOOPED_SETS)


def _bars(bars: Bars, signals: Signals) -> list[Bar]:
    prices = (bars.open_a, bars.open_b, bars.close_a, bars.close_b)
    zscores, betas = (
        [None if value != value else value for value in known.tolist()]
        for known in (signals.zscore, signals.beta)
    )
    times = bars.time.tolist(), bars.close_time.tolist()
    columns = zip(*times, *(price.tolist() for price in prices), zscores, betas, strict=True)
    return [
        Bar(time, close_time, open_a, open_b, close_a, close_b, True, z, beta)
        for time, close_time, open_a, open_b, close_a, close_b, z, beta in columns
    ]


def _require_same(theirs: float, own: float) -> None:
    if not np.isclose(theirs, own, rtol=1e-9, atol=1e-6):
        raise SystemExit(f"backtest: the loop earns {theirs}, and the core {own}")


if __name__ == "__main__":
    measure()
