"""What each position of a back-test earns and costs, at its end and at every close before. Pure."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spreadlake.quant.arrays import Floats, Ints
from spreadlake.quant.backtest.inputs import Bars, Costs, Funding, Signals
from spreadlake.quant.backtest.positions import Positions


@dataclass(frozen=True)
class Market:
    """What all lanes run over."""

    bars: Bars
    signals: Signals
    funding: Funding | None = None

    @cached_property
    def paid_until_close(self) -> tuple[Floats, Floats]:
        """(rows,) what a unit of A, and one of B, paid up to each bar's close."""
        if self.funding is None:
            return np.zeros(len(self.bars)), np.zeros(len(self.bars))
        return self.funding.paid_until(self.bars.close_time * 1000)


@dataclass(frozen=True)
class Trades:
    """Arrays (trades,), in order of time: quantities are signed, money is in the quote currency.

    gross − fees + funding = net; fees (slippage among them) are what is paid, 0 or more. worst,
    best: the lowest and highest open profit at the closes on the way, less the costs paid so far.
    """

    positions: Positions
    beta: Floats
    quantity_a: Floats
    quantity_b: Floats
    entry_price_a: Floats
    entry_price_b: Floats
    exit_price_a: Floats
    exit_price_b: Floats
    entry_fees: Floats
    exit_fees: Floats
    gross: Floats
    funding: Floats
    worst: Floats
    best: Floats

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def fees(self) -> Floats:
        """Of all four fills."""
        return self.entry_fees + self.exit_fees

    @property
    def net(self) -> Floats:
        """What is left of each."""
        return self.gross - self.fees + self.funding

    @property
    def turnover(self) -> Floats:
        """The value of the four fills of each: both legs, in and out."""
        a = np.abs(self.quantity_a) * (self.entry_price_a + self.exit_price_a)
        return np.asarray(a + np.abs(self.quantity_b) * (self.entry_price_b + self.exit_price_b))


@dataclass(frozen=True)
class HeldBars:
    """Each bar at whose close a position was open, one trade after another: its `row`.

    count: (trades,) how many each has, one or more. profit: the open profit then, less the fees of
    the entry, with the funding so far.
    """

    row: Ints
    count: Ints
    profit: Floats

    @property
    def first(self) -> Ints:
        """(trades,) where those of each begin."""
        return np.asarray(np.cumsum(self.count) - self.count)

    @property
    def last(self) -> Ints:
        """(trades,) where they end, the last one's own place."""
        return np.asarray(np.cumsum(self.count) - 1)


def account(market: Market, positions: Positions, costs: Costs) -> tuple[Trades, HeldBars]:
    """The trades that the positions are, and their open profits.

    Long: quantity_a = notional / open_a of the fill; quantity_b = −beta·quantity_a, on log prices
    times open_a / open_b, with the beta of the deciding bar; short: the opposite.
    """
    bars, fill = market.bars, positions.fill
    price_a, price_b = bars.open_a[fill], bars.open_b[fill]
    exit_a, exit_b = _exit_prices(bars, positions)
    beta = market.signals.beta[positions.signal]
    a = positions.side * costs.notional / price_a
    b = -beta * a * price_a / price_b if market.signals.prices == "log" else -beta * a
    fees = costs.rate * (np.abs(a) * price_a + np.abs(b) * price_b)
    held = _held(market, positions, (a, b), (price_a, price_b), fees)
    first = held.first
    trades = Trades(
        positions=positions,
        beta=beta,
        quantity_a=a,
        quantity_b=b,
        entry_price_a=price_a,
        entry_price_b=price_b,
        exit_price_a=exit_a,
        exit_price_b=exit_b,
        entry_fees=fees,
        exit_fees=costs.rate * (np.abs(a) * exit_a + np.abs(b) * exit_b),
        gross=a * (exit_a - price_a) + b * (exit_b - price_b),
        funding=_funding(market, positions, a, b),
        worst=np.minimum.reduceat(held.profit, first) if len(first) else np.empty(0),
        best=np.maximum.reduceat(held.profit, first) if len(first) else np.empty(0),
    )
    return trades, held


def held_bars(market: Market, trades: Trades) -> HeldBars:
    """The open profits of trades, once more."""
    quantities = trades.quantity_a, trades.quantity_b
    prices = trades.entry_price_a, trades.entry_price_b
    return _held(market, trades.positions, quantities, prices, trades.entry_fees)


def _exit_prices(bars: Bars, positions: Positions) -> tuple[Floats, Floats]:
    """The opens of the bar of the fill; the last closes where the bars end before one."""
    row = positions.exit_fill
    if not len(row) or row[-1] < len(bars):
        return bars.open_a[row], bars.open_b[row]
    before = row[:-1]  # only the last one can be open at the end
    return (
        np.append(bars.open_a[before], bars.close_a[-1]),
        np.append(bars.open_b[before], bars.close_b[-1]),
    )


def _held(
    market: Market,
    positions: Positions,
    quantities: tuple[Floats, Floats],
    prices: tuple[Floats, Floats],
    fees: Floats,
) -> HeldBars:
    bars, count = market.bars, positions.bars_held
    row = np.repeat(positions.fill - (np.cumsum(count) - count), count)
    row += np.arange(len(row))
    profit = np.repeat(-fees, count)
    for quantity, price, close in zip(
        quantities, prices, (bars.close_a, bars.close_b), strict=True
    ):
        won = close.take(row)
        won -= np.repeat(price, count)
        won *= np.repeat(quantity, count)
        profit += won
    if market.funding is not None:
        entered = market.funding.paid_until(bars.time[positions.fill] * 1000)
        for quantity, until, since in zip(
            quantities, market.paid_until_close, entered, strict=True
        ):
            paid = until.take(row)
            paid -= np.repeat(since, count)
            paid *= np.repeat(quantity, count)
            profit -= paid
    return HeldBars(row, count, profit)


def _funding(market: Market, positions: Positions, a: Floats, b: Floats) -> Floats:
    """What was received, less what was paid, at the funding times in (entry, exit]."""
    if market.funding is None:
        return np.zeros(len(positions))
    bars = market.bars
    ended = positions.exit_fill == len(bars)
    last = np.where(ended, len(bars) - 1, positions.exit_fill)
    exit_time = np.where(ended, bars.close_time[last], bars.time[last])
    until_a, until_b = market.funding.paid_until(exit_time * 1000)
    since_a, since_b = market.funding.paid_until(bars.time[positions.fill] * 1000)
    return np.asarray(0.0 - (a * (until_a - since_a) + b * (until_b - since_b)))
