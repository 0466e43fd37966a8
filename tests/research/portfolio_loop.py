"""A portfolio of the pairs that screens choose, as a plain loop over bars.

Every pair is the plain loop's machine, told of each of its bars; who may enter, and within which
limits, is asked anew at every bar. Screens and signals are the lake's own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from spreadlake.lake import Lake
from spreadlake.pairs import Pair
from spreadlake.research.backtests.pair_history import PairHistory
from spreadlake.research.backtests.screen_request import ScreenBacktestRequest
from spreadlake.research.screen import NoScreenError, take_screen
from tests.quant.backtest_loop import Bar, Machine, Rules, Trade
from tests.quant.backtest_markets import LENGTH, Market


@dataclass
class Followed:
    """A pair with its bars by time; `gross` is what its position was reckoned to cost."""

    pair: Pair
    bars: dict[int, Bar]
    machine: Machine
    seen: int = -1
    last: Bar | None = None
    gross: float = 0.0

    def take(self, bar: Bar) -> None:
        """The bar opens, and closes."""
        self.last = bar
        self.seen += 1
        self.machine.at_open(self.seen, bar)
        self.machine.at_close(self.seen, bar)

    @property
    def busy(self) -> bool:
        """Held, or waiting for a fill."""
        return self.machine.trade is not None or self.machine.waiting is not None


@dataclass
class PlainPortfolio:
    """Of each bar of any symbol, by its open: positions held and equity at its close."""

    trades: list[tuple[str, Trade]] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    equity: dict[int, float] = field(default_factory=dict)
    chosen: list[tuple[float, list[Pair]]] = field(default_factory=list)


def plain_portfolio(
    lake: Lake, request: ScreenBacktestRequest, times: Sequence[float], bars: Sequence[int]
) -> PlainPortfolio:
    """Screens at `times`; `bars` are the opens of all bars of the run."""
    result = PlainPortfolio()
    for time in times:
        result.chosen.append((time, _chosen(lake, request, time)))
    pairs = {pair for _, some in result.chosen for pair in some}
    followed = {pair: _followed(lake, request, pair) for pair in sorted(pairs)}
    for time in bars:
        now = [one for one in followed.values() if time in one.bars]
        for one in now:
            one.take(one.bars[time])
        result.positions[time] = sum(one.machine.trade is not None for one in followed.values())
        _decide(now, _newest(result.chosen, time + LENGTH), followed, time, request)
        for one in now:
            if time == max(one.bars):
                one.machine.end(one.bars[time])
        result.equity[time] = sum(
            one.machine.equity(one.last) for one in followed.values() if one.last is not None
        )
    for one in followed.values():
        result.trades += [(one.pair.name, trade) for trade in one.machine.trades]
    result.trades.sort(key=lambda one: (one[1].entry_time, one[1].signal_time, one[0]))
    return result


def _newest(chosen: Sequence[tuple[float, list[Pair]]], known: float) -> list[Pair]:
    return next((some for taken, some in reversed(chosen) if taken <= known), [])


def _decide(
    now: Sequence[Followed],
    newest: Sequence[Pair],
    followed: dict[Pair, Followed],
    time: int,
    request: ScreenBacktestRequest,
) -> None:
    flat = [one for one in now if not one.busy]
    for one in now:
        if one.busy or one.pair not in newest:
            one.machine.decide(one.bars[time], allowed=False)
    for pair in newest:
        one = followed[pair]
        if one not in flat:
            continue
        bar = one.bars[time]
        gross = _gross(bar, request)
        one.machine.decide(bar, bar.allowed and _within(one, gross, followed, request))
        one.gross = gross


def _within(
    one: Followed, gross: float, followed: dict[Pair, Followed], request: ScreenBacktestRequest
) -> bool:
    held = [other for other in followed.values() if other.busy]
    if any(set(other.pair) == set(one.pair) for other in held):
        return False
    most, worth = request.limits.positions, request.limits.notional
    if most is not None and len(held) >= most:
        return False
    return worth is None or math.fsum([gross, *(other.gross for other in held)]) <= worth


def _gross(bar: Bar, request: ScreenBacktestRequest) -> float:
    if bar.beta is None:
        return 0.0
    weight = abs(bar.beta)
    if request.prices == "raw":
        weight = weight * bar.close_b / bar.close_a
    return request.lane.costs.notional * (1 + weight)


def _chosen(lake: Lake, request: ScreenBacktestRequest, time: float) -> list[Pair]:
    try:
        rows = take_screen(lake, request.screen, time).rows.iter_rows(named=True)
    except NoScreenError:
        return []
    found = [
        Pair(row["symbol_a"], row["symbol_b"])
        for row in sorted(rows, key=lambda row: int(row["rank"]))
        if row["qvalue"] is not None
        and row["qvalue"] <= request.max_qvalue
        and row["edge_bps"] is not None
        and row["edge_bps"] > 0
    ]
    return found[: request.top]


def _followed(lake: Lake, request: ScreenBacktestRequest, pair: Pair) -> Followed:
    longest = max(request.window, request.lookback)
    history = PairHistory.read(
        lake, pair, request.timeframe, longest, request.max_stale_bars, request.start, request.end
    )
    rules, costs = request.lane.rules, request.lane.costs
    tested = None if rules.max_adf_pvalue is None else rules.entry
    signals = history.signals(request.window, request.lookback, request.prices, tested)
    rows = Market(history.bars, signals).rows(rules)
    plain = Rules(
        rules.entry,
        rules.exit,
        rules.stop,
        rules.max_bars,
        costs.notional,
        costs.fee_bps + costs.slippage_bps,
        request.prices == "log",
    )
    return Followed(pair, {bar.time: bar for bar in rows}, Machine(plain))
