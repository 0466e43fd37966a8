"""Back-test of z-score mean reversion on the bars of two legs: arrays in, trades out. Pure.

    runs = list(back_tests(bars, signals, [Lane(Rules(entry=2.0, exit=0.0))]))
    runs[0].trades, runs[0].summary, runs[0].equity()

Nothing that happens at a bar depends on anything after it, but for a position that is still open at
the last bar: it is closed there.
"""

from spreadlake.quant.backtest.frames import (
    EQUITY_SCHEMA,
    TRADES_SCHEMA,
    equity_frame,
    trades_frame,
)
from spreadlake.quant.backtest.inputs import Bars, Costs, Funding, Lane, Rules, Signals
from spreadlake.quant.backtest.positions import REASONS, opens
from spreadlake.quant.backtest.run import Equity, Run, back_tests
from spreadlake.quant.backtest.summary import SUMMARY_KEYS, Summary
from spreadlake.quant.backtest.trades import Trades

__all__ = [
    "EQUITY_SCHEMA",
    "REASONS",
    "SUMMARY_KEYS",
    "TRADES_SCHEMA",
    "Bars",
    "Costs",
    "Equity",
    "Funding",
    "Lane",
    "Rules",
    "Run",
    "Signals",
    "Summary",
    "Trades",
    "back_tests",
    "equity_frame",
    "opens",
    "trades_frame",
]
