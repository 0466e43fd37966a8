"""Many sets of parameters over the same bars and signals, one run each. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.inputs import Bars, Funding, Lane, Signals
from spreadlake.quant.backtest.path import equity_changes, max_drawdown
from spreadlake.quant.backtest.positions import PositionFinder
from spreadlake.quant.backtest.summary import Summary, summarise
from spreadlake.quant.backtest.trades import Market, Trades, account, held_bars


@dataclass(frozen=True)
class Equity:
    """Arrays (rows,) at each bar's close: profit since the first, and what is held through it.

    position: 1 long the spread, -1 short, 0 nothing. drawdown: how far equity is below its highest
    so far, 0 or more.
    """

    position: Ints
    equity: Floats
    drawdown: Floats


@dataclass(frozen=True)
class Run:
    """What one lane did over the bars. It is as small as its trades; the market is shared."""

    lane: Lane
    market: Market
    trades: Trades
    summary: Summary
    changes: Changes

    def equity(self) -> Equity:
        """Realised and open profit at every close, after costs; computed at each call."""
        rows, trades = len(self.market.bars), self.trades
        held, positions = held_bars(self.market, trades), trades.positions
        ended = bool(len(trades)) and positions.exit_fill[-1] == rows
        equity, position = np.zeros(rows), np.zeros(rows, dtype=np.int64)
        equity[np.minimum(positions.exit_fill, rows - 1)] = trades.net
        equity = np.cumsum(equity)
        still = slice(-1) if ended else slice(None)  # at the last close all is sold
        equity[held.row[still]] += held.profit[still]
        position[held.row] = np.repeat(positions.side, held.count)
        drawdown = np.maximum.accumulate(equity) - equity if rows else equity
        return Equity(position, equity, drawdown)


def back_tests(
    bars: Bars, signals: Signals, lanes: Iterable[Lane], funding: Funding | None = None
) -> Iterator[Run]:
    """A run of each lane, in order; lanes that share a rule beside each other cost least.

    Memory does not grow with the number of lanes, but for what the caller keeps.
    """
    market, finder = Market(bars, signals, funding), PositionFinder(bars, signals)
    for lane in lanes:
        trades, held = account(market, finder.find(lane.rules), lane.costs)
        rows = len(bars)
        changes = equity_changes(trades, held, rows)
        drawdown = max_drawdown(trades, held, rows)
        summary = summarise(trades, drawdown, changes, rows, bars.length, lane.costs)
        yield Run(lane, market, trades, summary, changes)
