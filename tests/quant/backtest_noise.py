"""Markets of noise alone, back-tested: all there is to earn is the costs, and they are lost.

`python -m tests.quant.backtest_noise [BARS]` prints, over 200 markets of two walks that know
nothing of each other, the mean gross, fees and net of a market with the standard error of each.
The second line is the same where each signal is that of the bar after its own, as a look ahead of
one bar would have it: filled before the very move that made it, it is far from 0.
"""

import sys
from dataclasses import replace

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest import Lane, Signals, back_tests
from tests.quant.backtest_markets import Market, walking_markets

MARKETS, BARS = 200, 2_000


def earned(bars: int) -> tuple[Floats, Floats]:
    """(markets, 4): number of trades, gross, fees and net of each; then those of a look ahead."""
    rows: list[list[tuple[float, ...]]] = [[], []]
    for market in walking_markets(range(MARKETS), bars):
        for ahead in (0, 1):
            (run,) = back_tests(market.bars, _early(market, ahead), [Lane()])
            one = run.summary
            rows[ahead].append((one.trades, one.gross, one.fees, one.net))
    return np.array(rows[0], dtype=np.float64), np.array(rows[1], dtype=np.float64)


def mean_and_error(values: Floats) -> tuple[float, float]:
    """The mean, and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _early(market: Market, ahead: int) -> Signals:
    """The signals of so many bars later."""
    signals = market.signals
    last = len(signals.zscore) - 1
    at = np.minimum(np.arange(last + 1) + ahead, last)
    return replace(signals, zscore=signals.zscore[at], beta=signals.beta[at])


def _show(bars: int) -> None:
    for ahead, found in enumerate(earned(bars)):
        told = [f"{int(found[:, 0].sum())} trades"]
        for at, name in enumerate(("gross", "fees", "net"), 1):
            mean, error = mean_and_error(found[:, at])
            told.append(f"{name} {mean:+.2f} ± {error:.2f}")
        print(f"{ahead} bars ahead:", ", ".join(told))


if __name__ == "__main__":
    _show(int(sys.argv[1]) if len(sys.argv) > 1 else BARS)
