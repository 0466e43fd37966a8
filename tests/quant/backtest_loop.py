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
    machine = Machine(rules, fundings)
    result = Result(machine.trades)
    for number, bar in enumerate(bars):
        machine.at_open(number, bar)
        machine.at_close(number, bar)
        machine.decide(bar)
        result.position.append(machine.position)
        if number == len(bars) - 1:
            machine.end(bar)
        result.equity.append(machine.equity(bar))
    return result


@dataclass
class Machine:
    """One pair's position, told of one bar after the other."""

    rules: Rules
    fundings: Sequence[Funding] = ()
    trade: Trade | None = None
    waiting: Signal | None = None
    stopped: bool = False  # and |z| < entry was not seen since
    realised: float = 0.0
    trades: list[Trade] = field(default_factory=list)

    @property
    def position(self) -> int:
        """1 long the spread, -1 short, 0 nothing."""
        if self.trade is None:
            return 0
        return 1 if self.trade.side == "long" else -1

    def at_open(self, number: int, bar: Bar) -> None:
        """What waits is filled where both legs trade."""
        if self.waiting is None or not bar.traded:
            return
        if self.trade is None:
            self.trade = _opened(self.waiting, number, bar, self.rules)
        else:
            self._leave(bar.time, bar.open_a, bar.open_b, self.waiting)
        self.waiting = None

    def at_close(self, number: int, bar: Bar) -> None:
        """The open profit of the position, and how long it has been held."""
        trade = self.trade
        if trade is None:
            return
        trade.bars_held = number - trade.opened + 1
        _pay(trade, self.fundings, bar.close_time)
        now = self._open_profit(bar)
        trade.worst = now if trade.worst is None else min(trade.worst, now)
        trade.best = now if trade.best is None else max(trade.best, now)

    def decide(self, bar: Bar, allowed: bool = True) -> None:
        """Whether to enter (if that is allowed) or to leave at the next fill."""
        if bar.zscore is not None and abs(bar.zscore) < self.rules.entry:
            self.stopped = False
        if self.waiting is not None:
            return
        if self.trade is None:
            if allowed and not self.stopped:
                self.waiting = _entry(bar, self.rules)
            return
        self.waiting = _exit(self.trade, bar, self.rules)
        if self.waiting is not None and self.waiting.reason == "stop":
            self.stopped = True

    def end(self, bar: Bar) -> None:
        """No bar comes after this one: what is open is closed at its closes."""
        if self.trade is not None:
            self._leave(bar.close_time, bar.close_a, bar.close_b, Signal(bar, reason="end"))
            self.waiting = None

    def equity(self, bar: Bar) -> float:
        """Realised and open profit at the bar's close, after costs."""
        return self.realised + (0.0 if self.trade is None else self._open_profit(bar))

    def _open_profit(self, bar: Bar) -> float:
        assert self.trade is not None
        won = self.trade.profit(bar.close_a, bar.close_b)
        return won - self.trade.fees + self.trade.funding

    def _leave(self, time: int, price_a: float, price_b: float, signal: Signal) -> None:
        assert self.trade is not None
        _close(self.trade, time, price_a, price_b, self.rules, signal)
        _pay(self.trade, self.fundings, time)
        self.trade.net = self.trade.gross - self.trade.fees + self.trade.funding
        self.realised += self.trade.net
        self.trades.append(self.trade)
        self.trade = None


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
    quantity_b = -beta * quantity_a
    if rules.log:
        quantity_b = -beta * quantity_a * bar.open_a / bar.open_b
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
