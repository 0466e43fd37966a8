"""A back-test as a plain loop over bars, in the words of its definition: what the core is held to.

One bar after the other, one position at a time, floats and nothing else; slow, and easy to check
against docs/backtest.md line by line. It shares no code with the core.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bar:
    """A bar of both legs (times in Unix seconds), and what was known of the pair at its close."""

    time: int
    close_time: int
    open_a: float
    open_b: float
    close_a: float
    close_b: float
    traded: bool  # both legs
    zscore: float | None
    beta: float | None
    allowed: bool = True  # by the gates


@dataclass(frozen=True)
class Rules:
    """When to enter and leave, how much, and what a fill costs."""

    entry: float = 2.0
    exit: float = 0.0
    stop: float | None = None
    max_bars: int | None = None
    notional: float = 10_000.0
    cost_bps: float = 5.0
    log: bool = False


@dataclass(frozen=True)
class Funding:
    """A funding of leg "a" or "b" at a time (Unix seconds)."""

    time: float
    leg: str
    rate: float
    mark_price: float


@dataclass
class Trade:
    """A trade, open or closed; `opened` and `closed` are numbers of bars."""

    side: str
    signal_time: int
    opened: int
    entry_time: int
    quantity_a: float
    quantity_b: float
    entry_price_a: float
    entry_price_b: float
    beta: float
    entry_zscore: float
    fees: float
    funding: float = 0.0
    exit_signal_time: int | None = None
    exit_time: int | None = None
    exit_price_a: float | None = None
    exit_price_b: float | None = None
    exit_zscore: float | None = None
    bars_held: int = 0
    gross: float = 0.0
    net: float = 0.0
    worst: float | None = None
    best: float | None = None
    reason: str | None = None

    def profit(self, price_a: float, price_b: float) -> float:
        """What the legs have won at these prices, before costs."""
        won_a = self.quantity_a * (price_a - self.entry_price_a)
        won_b = self.quantity_b * (price_b - self.entry_price_b)
        return won_a + won_b


@dataclass
class Result:
    """The trades, and of each bar the position and the equity at its close."""

    trades: list[Trade] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Signal:
    """Decided at the close of a bar, and waiting for its fill; `side` or `reason` is meant."""

    bar: Bar
    side: str = ""
    reason: str = ""


def plain_backtest(bars: Sequence[Bar], rules: Rules, fundings: Sequence[Funding] = ()) -> Result:
    """The bars are those of the span, in order."""
    result = Result()
    realised = 0.0
    trade: Trade | None = None
    waiting: Signal | None = None
    stopped = False  # and |z| < entry was not seen since
    for number, bar in enumerate(bars):
        # At the open: what waits is filled where both legs trade.
        if waiting is not None and bar.traded:
            if trade is None:
                trade = _opened(waiting, number, bar, rules)
            else:
                _close(trade, bar.time, bar.open_a, bar.open_b, rules, waiting)
                _pay(trade, fundings, bar.time)
                realised += _booked(trade, result)
                trade = None
            waiting = None
        # At the close.
        if trade is not None:
            trade.bars_held = number - trade.opened + 1
            _pay(trade, fundings, bar.close_time)
            now = trade.profit(bar.close_a, bar.close_b) - trade.fees + trade.funding
            trade.worst = now if trade.worst is None else min(trade.worst, now)
            trade.best = now if trade.best is None else max(trade.best, now)
        if bar.zscore is not None and abs(bar.zscore) < rules.entry:
            stopped = False
        if waiting is None and trade is None and not stopped:
            waiting = _entry(bar, rules)
        elif waiting is None and trade is not None:
            waiting = _exit(trade, bar, rules)
            if waiting is not None and waiting.reason == "stop":
                stopped = True
        last = number == len(bars) - 1
        if last and trade is not None:
            _close(
                trade, bar.close_time, bar.close_a, bar.close_b, rules, Signal(bar, reason="end")
            )
            realised += _booked(trade, result)
        held = None if last else trade
        open_profit = (
            0.0
            if held is None
            else held.profit(bar.close_a, bar.close_b) - held.fees + held.funding
        )
        result.position.append(0 if trade is None else 1 if trade.side == "long" else -1)
        result.equity.append(realised + open_profit)
    return result


def _entry(bar: Bar, rules: Rules) -> Signal | None:
    if bar.zscore is None or bar.beta is None or not bar.allowed:
        return None
    if bar.zscore >= rules.entry:
        return Signal(bar, side="short")
    if bar.zscore <= -rules.entry:
        return Signal(bar, side="long")
    return None


def _exit(trade: Trade, bar: Bar, rules: Rules) -> Signal | None:
    if bar.zscore is None:
        return None
    against = bar.zscore if trade.side == "short" else -bar.zscore
    if against <= rules.exit:
        return Signal(bar, reason="exit")
    if rules.stop is not None and against >= rules.stop:
        return Signal(bar, reason="stop")
    if rules.max_bars is not None and trade.bars_held >= rules.max_bars:
        return Signal(bar, reason="time")
    return None


def _opened(signal: Signal, number: int, bar: Bar, rules: Rules) -> Trade:
    beta, zscore = signal.bar.beta, signal.bar.zscore
    assert beta is not None
    assert zscore is not None
    quantity_a = rules.notional / bar.open_a
    if rules.log:
        quantity_b = -beta * quantity_a * bar.open_a / bar.open_b
    else:
        quantity_b = -beta * quantity_a
    if signal.side == "short":
        quantity_a, quantity_b = -quantity_a, -quantity_b
    return Trade(
        side=signal.side,
        signal_time=signal.bar.time,
        opened=number,
        entry_time=bar.time,
        quantity_a=quantity_a,
        quantity_b=quantity_b,
        entry_price_a=bar.open_a,
        entry_price_b=bar.open_b,
        beta=beta,
        entry_zscore=zscore,
        fees=_cost(quantity_a, quantity_b, bar.open_a, bar.open_b, rules),
    )


def _close(
    trade: Trade, time: int, price_a: float, price_b: float, rules: Rules, signal: Signal
) -> None:
    trade.exit_signal_time = signal.bar.time
    trade.exit_zscore = signal.bar.zscore
    trade.exit_time = time
    trade.exit_price_a, trade.exit_price_b = price_a, price_b
    trade.gross = trade.profit(price_a, price_b)
    trade.fees += _cost(trade.quantity_a, trade.quantity_b, price_a, price_b, rules)
    trade.reason = signal.reason


def _booked(trade: Trade, result: Result) -> float:
    trade.net = trade.gross - trade.fees + trade.funding
    result.trades.append(trade)
    return trade.net


def _cost(
    quantity_a: float, quantity_b: float, price_a: float, price_b: float, rules: Rules
) -> float:
    return rules.cost_bps / 1e4 * (abs(quantity_a) * price_a + abs(quantity_b) * price_b)


def _pay(trade: Trade, fundings: Sequence[Funding], until: int) -> None:
    """Funding in (entry, until]."""
    trade.funding = 0.0
    for one in fundings:
        if trade.entry_time < one.time <= until:
            quantity = trade.quantity_a if one.leg == "a" else trade.quantity_b
            trade.funding += -quantity * one.mark_price * one.rate
