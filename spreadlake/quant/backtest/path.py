"""The way of equity through a back-test, from the closes at which it moves only. Pure."""

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.trades import HeldBars, Trades


def equity_changes(trades: Trades, held: HeldBars, bars: int) -> Changes:
    """From close to close of so many bars; where nothing is held, equity does not change.

    A trade is settled at the close after its last one; where bars end before that, at the last one.
    """
    count = max(bars - 1, 0)
    if not len(trades):
        return Changes(count)
    first, last, net = held.first, held.last, trades.net
    profit = held.profit
    steps = np.empty(len(profit))
    np.subtract(profit[1:], profit[:-1], out=steps[1:])
    steps[first] = profit[first]
    settled = net - profit[last]
    if trades.positions.exit_fill[-1] == bars:
        steps[-1] += settled[-1]
        settled = settled[:-1]
    return Changes.of_steps(count, steps, settled)


def max_drawdown(trades: Trades, held: HeldBars, bars: int) -> float:
    """How far equity, which begins at 0, falls below its highest so far at most.

    Trade by trade: from a peak of before a trade it falls to the trade's worst close. Only where a
    trade may have fallen further from a peak within itself are its closes looked at.
    """
    if not len(trades):
        return 0.0
    after = np.cumsum(trades.net)
    before = np.concatenate([[0.0], after[:-1]])
    best, worst = before + trades.best, before + trades.worst
    widest = trades.best - trades.worst
    ended = trades.positions.exit_fill[-1] == bars
    if ended:  # at its last close all is sold: its closes are looked at
        best[-1] = worst[-1] = after[-1]
        widest[-1] = np.inf
    reached = np.maximum.accumulate(np.maximum(np.maximum(best, after), 0.0))
    peak = np.concatenate([[0.0], reached[:-1]])
    deepest = float(np.maximum(peak - worst, np.maximum(peak, best) - after).max(initial=0.0))
    first = held.first
    for at in np.argsort(-widest).tolist():
        if widest[at] <= deepest:
            break
        level = before[at] + held.profit[first[at] : first[at] + held.count[at]]
        if ended and at == len(trades) - 1:
            level[-1] = after[at]
        deepest = max(deepest, _fall(level, peak[at]))
    return deepest


def _fall(level: Floats, peak: float) -> float:
    return float((np.maximum(np.maximum.accumulate(level), peak) - level).max())
