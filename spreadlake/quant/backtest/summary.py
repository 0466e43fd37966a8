"""The numbers of all trades of a back-test together. Pure."""

import math
from typing import NamedTuple

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.inputs import Costs
from spreadlake.quant.backtest.trades import Trades

_YEAR_SECONDS = 365 * 86_400


class Summary(NamedTuple):
    """Money is in the quote currency; None is a number without meaning.

    net_on_notional = net / notional. hit_rate: share of the trades whose net is above 0.
    profit_factor: what these earned over what the others lost. time_in_market: share of the bars
    at whose close something was held. max_drawdown: how far equity fell below its highest, 0 or
    more. sharpe: mean over standard deviation (ddof 1) of the equity's changes from bar to bar,
    times the square root of the number of bars in 365 days. turnover: value of all fills.
    break_even_bps: cost of a fill in bps at which net would be 0: (gross + funding) / turnover.
    """

    trades: int
    gross: float
    fees: float
    funding: float
    net: float
    net_on_notional: float
    hit_rate: float | None
    profit_factor: float | None
    mean_bars_held: float | None
    longest_bars_held: int | None
    time_in_market: float | None
    max_drawdown: float
    sharpe: float | None
    turnover: float
    break_even_bps: float | None


SUMMARY_KEYS = Summary._fields


def summarise(
    trades: Trades, max_drawdown: float, changes: Changes, bars: int, length: int, costs: Costs
) -> Summary:
    """Of trades over so many bars of `length` seconds, and how equity fell and changed."""
    net, count = trades.net, trades.positions.bars_held
    gross, funding = float(trades.gross.sum()), float(trades.funding.sum())
    turnover = float(trades.turnover.sum())
    return Summary(
        trades=len(trades),
        gross=gross,
        fees=float(trades.fees.sum()),
        funding=funding,
        net=float(net.sum()),
        net_on_notional=float(net.sum()) / costs.notional,
        hit_rate=_ratio(int((net > 0).sum()), len(trades)),
        profit_factor=_ratio(float(net[net > 0].sum()), -float(net[net < 0].sum())),
        mean_bars_held=_ratio(int(count.sum()), len(trades)),
        longest_bars_held=int(count.max()) if len(trades) else None,
        time_in_market=_ratio(int(count.sum()), bars),
        max_drawdown=max_drawdown,
        sharpe=yearly(changes.sharpe, length),
        turnover=turnover,
        break_even_bps=_ratio((gross + funding) * 1e4, turnover),
    )


def sharpe_of(equity: Floats, length: int) -> float | None:
    """Yearly Sharpe ratio of equity (bars,) at the closes of bars of `length` seconds."""
    if not len(equity):
        return None
    return yearly(Changes.of(equity - equity[0], len(equity) - 1).sharpe, length)


def max_drawdown_of(equity: Floats) -> float:
    """How far equity that begins at 0 falls below its highest at most, 0 or more."""
    peaks = np.maximum.accumulate(np.maximum(equity, 0.0))
    return float((peaks - equity).max(initial=0.0))


def yearly(sharpe: float, length: int) -> float | None:
    """A Sharpe ratio per bar times the square root of the bars in 365 days; None for NaN."""
    return None if math.isnan(sharpe) else sharpe * math.sqrt(_YEAR_SECONDS / length)


def _ratio(of: float, to: float) -> float | None:
    return of / to if to else None
