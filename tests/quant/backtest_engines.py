"""The accounts of other back-testing engines, for the same orders on the same bars.

They hold cash and two assets, know of fills and commissions, and nothing of pairs; what they do not
have is funding. Each is an import that a machine may not have.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest import Run

CASH = 1_000_000.0


@dataclass(frozen=True)
class Orders:
    """(legs, rows): signed sizes to fill at the opens, and the bars; `rate` is paid of each fill.

    Where the back-test sells at the last closes there is one row more, whose opens and closes they
    are: every order is filled at an open.
    """

    size: Floats
    open: Floats
    close: Floats
    rate: float


def orders_of(run: Run) -> Orders:
    """What a run ordered."""
    bars, trades = run.market.bars, run.trades
    rows = len(bars)
    size = np.zeros((2, rows + 1))
    for leg, quantity in enumerate((trades.quantity_a, trades.quantity_b)):
        np.add.at(size[leg], trades.positions.fill, quantity)
        np.add.at(size[leg], trades.positions.exit_fill, -quantity)
    close = np.stack([bars.close_a, bars.close_b])
    opens = np.stack([bars.open_a, bars.open_b])
    last = close[:, -1:]
    rate = run.lane.costs.rate
    return Orders(size, np.hstack([opens, last]), np.hstack([close, last]), rate)


def backtrader_equity(bt: Any, orders: Orders) -> Floats:
    """(rows,) cash and positions at each close, less the cash at first, by backtrader.

    Its broker fills a market order at the next bar's open: each is given a bar before.
    """
    equity: list[float] = []

    class Given(bt.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            equity.append(self.broker.getvalue() - CASH)
            following = len(self)
            sizes = orders.size[:, following : following + 1].ravel().tolist()
            for data, size in zip(self.datas, sizes, strict=False):
                if size:
                    (self.buy if size > 0 else self.sell)(data=data, size=abs(size))

    cerebro = bt.Cerebro(stdstats=False)
    feed = _feed(bt)
    for opens, closes in zip(orders.open.tolist(), orders.close.tolist(), strict=True):
        cerebro.adddata(feed(rows=list(zip(opens, closes, strict=True))))
    cerebro.broker.setcash(CASH)
    cerebro.broker.set_checksubmit(False)
    cerebro.broker.setcommission(commission=orders.rate)
    cerebro.addstrategy(Given)
    cerebro.run()
    return np.array(equity)


def _feed(bt: Any) -> Any:
    """Bars of a minute from a list of (open, close)."""
    begin = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)

    class Arrays(bt.feed.DataBase):  # type: ignore[misc]
        params = (("rows", ()),)

        def start(self) -> None:
            super().start()
            self.waiting = iter(enumerate(self.p.rows))

        def _load(self) -> bool:
            at, row = next(self.waiting, (0, None))
            if row is None:
                return False
            self.lines.datetime[0] = bt.date2num(begin + timedelta(minutes=at))
            self.lines.open[0], self.lines.close[0] = row
            self.lines.high[0], self.lines.low[0] = max(row), min(row)
            self.lines.volume[0] = self.lines.openinterest[0] = 0.0
            return True

    return Arrays


def vectorbt_equity(vbt: Any, orders: Orders) -> Floats:
    """The same by vectorbt, which is given the fills' prices."""
    portfolio = vbt.Portfolio.from_orders(
        close=orders.close.T,
        size=orders.size.T,
        price=orders.open.T,
        fees=orders.rate,
        init_cash=CASH,
        cash_sharing=True,
        group_by=np.zeros(2, dtype=np.int64),
    )
    return np.asarray(portfolio.value(), dtype=np.float64).ravel() - CASH
