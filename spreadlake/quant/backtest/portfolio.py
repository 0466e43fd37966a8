"""Trades of many pairs put together: what is held and earned at every bar. Pure."""

from typing import NamedTuple

import numpy as np
import polars as pl

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.backtest.changes import Changes
from spreadlake.quant.backtest.frames import times_of
from spreadlake.quant.backtest.inputs import Costs
from spreadlake.quant.backtest.joined import joined_trades
from spreadlake.quant.backtest.positions import Positions
from spreadlake.quant.backtest.summary import Summary, max_drawdown_of, summarise
from spreadlake.quant.backtest.trades import HeldBars, Market, Trades
from spreadlake.schemas import UTC_TIME

PORTFOLIO_SCHEMA = pl.Schema(
    [
        ("time", UTC_TIME),
        ("close_time", UTC_TIME),
        ("positions", pl.Int64()),
        ("notional", pl.Float64()),
        ("equity", pl.Float64()),
        ("drawdown", pl.Float64()),
    ]
)


def gross_values(market: Market, positions: Positions, costs: Costs) -> Floats:
    """(positions,) value of both legs at the closes of the bar that decides, before any fill."""
    bars, at = market.bars, positions.signal
    weight = np.abs(market.signals.beta[at])
    if market.signals.prices == "raw":
        weight = weight * bars.close_b[at] / bars.close_a[at]
    return np.asarray(costs.notional * (1 + weight))


class Portfolio:
    """What the trades of all pairs hold and earn at the closes of `numbers` (bars of `length`).

    Numbers are absolute (time // length) and rise; those of every market are among them.
    """

    def __init__(self, length: int, numbers: Ints) -> None:
        self._length, self._numbers = length, numbers
        self._open = np.zeros(len(numbers))  # open profit at each close
        self._settled = np.zeros(len(numbers))  # net of what is closed within each bar
        self._positions = np.zeros(len(numbers), dtype=np.int64)
        self._notional = np.zeros(len(numbers))
        self._trades: list[Trades] = []

    def add(self, market: Market, trades: Trades, held: HeldBars) -> None:
        """Takes in trades of one pair, with their open profits."""
        self._trades.append(trades)
        positions, number = trades.positions, market.bars.time // self._length
        row = np.searchsorted(self._numbers, number)
        ended = positions.exit_fill == len(number)
        last = np.where(ended, len(number) - 1, positions.exit_fill)
        np.add.at(self._settled, row[last], trades.net)
        paid = np.abs(trades.quantity_a) * trades.entry_price_a
        paid += np.abs(trades.quantity_b) * trades.entry_price_b
        first, last_held = held.first, held.last
        for at in range(len(trades)):
            profit = held.profit[first[at] : last_held[at] + 1]
            low, high = int(row[positions.fill[at]]), int(row[last[at]]) + int(ended[at])
            # Between two bars of the pair others may have some: it stands where it stood.
            rows = row[positions.fill[at] : positions.fill[at] + len(profit)]
            carried = np.searchsorted(rows, np.arange(low, high), side="right") - 1
            self._positions[low:high] += 1
            self._notional[low:high] += paid[at]
            still = high - low - int(ended[at])  # at the last close all is sold
            self._open[low : low + still] += profit[carried[:still]]

    def frame(self) -> pl.DataFrame:
        """At every bar (PORTFOLIO_SCHEMA): positions held at its close, their value at their fills.

        equity: realised and open profit, after costs; drawdown: how far below its highest so far.
        """
        equity = self._equity
        peak = np.maximum.accumulate(equity) if len(equity) else equity
        time = self._numbers * self._length
        columns = {
            "time": times_of(time),
            "close_time": times_of(time + self._length),
            "positions": self._positions,
            "notional": self._notional,
            "equity": equity,
            "drawdown": peak - equity,
        }
        return pl.DataFrame(columns, schema=PORTFOLIO_SCHEMA)

    def summary(self, costs: Costs) -> "PortfolioSummary":
        """The numbers of all trades together."""
        equity, bars = self._equity, len(self._numbers)
        changes = Changes.of(equity, max(bars - 1, 0))
        together = joined_trades([_NOTHING, *self._trades])
        drawdown = max_drawdown_of(equity)
        found = summarise(together, drawdown, changes, bars, self._length, costs)
        held = int((self._positions > 0).sum())
        return PortfolioSummary(
            found._replace(time_in_market=held / bars if bars else None),
            int(self._positions.max(initial=0)),
            float(self._notional.max(initial=0.0)),
        )

    @property
    def _equity(self) -> Floats:
        return np.asarray(np.cumsum(self._settled) + self._open)


class PortfolioSummary(NamedTuple):
    """The numbers of all trades, and how many positions were held at most, of which value.

    `time_in_market` is the share of the bars at whose close anything is held; `net_on_notional`
    is on that of one trade.
    """

    all: Summary
    most_positions: int
    most_notional: float

    def asdict(self) -> dict[str, float | int | None]:
        """By name."""
        return {
            **self.all._asdict(),
            "most_positions": self.most_positions,
            "most_notional": self.most_notional,
        }


_NO_ROWS: Ints = np.empty(0, dtype=np.int64)
_NOTHING = Trades(Positions(*[_NO_ROWS] * 6), *[np.empty(0)] * 13)
