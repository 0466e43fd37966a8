"""The way of equity through a back-test, at the closes at which it moves only. Pure."""

from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.trades import HeldBars, Trades


class Path(NamedTuple):
    """Equity at each close at which something is held, one trade after another.

    first, last (trades,): where each trade's closes begin and end; before, after (trades,): equity
    before it and, at the close after its last one, when it is settled. Where bars end before that,
    it is settled at the last one.
    """

    level: Floats
    first: Ints
    last: Ints
    before: Floats
    after: Floats

    @classmethod
    def of(cls, trades: Trades, held: HeldBars, bars: int) -> "Path":
        """Of trades over so many bars, and their open profits."""
        after = np.cumsum(trades.net)
        before = np.concatenate([[0.0], after[:-1]])[: len(trades)]
        level = np.repeat(before, held.count)
        level += held.profit
        if len(trades) and trades.positions.exit_fill[-1] == bars:
            level[-1] = after[-1]
        first = held.first
        return cls(level, first, first + held.count - 1, before, after)

    def changes(self, count: int) -> Changes:
        """From close to close; those of `count` at which nothing is held are 0."""
        steps = np.diff(self.level, prepend=0.0)
        steps[self.first] = self.level[self.first] - self.before
        return Changes.of_steps(count, steps, self.after - self.level[self.last])

    @property
    def max_drawdown(self) -> float:
        """How far equity falls below its highest so far at most; it begins at 0."""
        peak = self.level.copy()
        peak[self.first] = np.maximum(peak[self.first], self.before)
        np.maximum.accumulate(peak, out=peak)
        settled = np.max(peak[self.last] - self.after, initial=0.0)
        peak -= self.level
        return float(np.max(peak, initial=settled))
