"""The core of the back-test against the plain loop of its definition, on every kind of market."""

import math
from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant.backtest import Lane, Run, Summary, back_tests
from tests.quant.backtest_loop import Result, Trade
from tests.quant.backtest_markets import LENGTH, Market, lanes, markets

TOLERANCE = 1e-9
MONEY = (
    *("quantity_a", "quantity_b", "entry_price_a", "entry_price_b", "exit_price_a"),
    *("exit_price_b", "beta", "gross", "fees", "funding", "net", "worst", "best"),
)


def assert_close(found: float, want: float, size: float, name: str) -> None:
    """Equal to 1e-9 of `size`, the money or the number that it is made of."""
    assert math.isclose(found, want, rel_tol=TOLERANCE, abs_tol=TOLERANCE * size), (
        f"{name}: {found!r} and not {want!r}"
    )


def assert_same(run: Run, market: Market, want: Result) -> None:
    """Every number of a run is that of the loop."""
    trades, positions, bars = run.trades, run.trades.positions, run.market.bars
    opens = [*bars.time.tolist(), *bars.close_time[-1:].tolist()]
    assert len(trades) == len(want.trades)
    for at, trade in enumerate(want.trades):
        assert ("short", "", "long")[positions.side[at] + 1] == trade.side
        assert bars.time[positions.signal[at]] == trade.signal_time
        assert positions.fill[at] == trade.opened
        assert bars.time[positions.fill[at]] == trade.entry_time
        assert bars.time[positions.exit_signal[at]] == trade.exit_signal_time
        assert opens[positions.exit_fill[at]] == trade.exit_time
        assert ("exit", "stop", "time", "end")[positions.reason[at]] == trade.reason
        assert positions.bars_held[at] == trade.bars_held
        for name in MONEY:
            size = 0.0 if "price" in name or "quantity" in name else run.lane.costs.notional
            assert_close(getattr(trades, name)[at], getattr(trade, name), size, name)
    equity = run.equity()
    assert equity.position.tolist() == want.position
    np.testing.assert_allclose(
        equity.equity, want.equity, rtol=TOLERANCE, atol=TOLERANCE * run.lane.costs.notional
    )
    peaks = np.maximum.accumulate(want.equity)
    np.testing.assert_allclose(
        equity.drawdown, peaks - want.equity, atol=TOLERANCE * run.lane.costs.notional
    )


def assert_summary(found: Summary, want: Result, run: Run) -> None:
    """The numbers of all trades, from the loop's trades and its equity."""
    trades, notional = want.trades, run.lane.costs.notional
    nets = [trade.net for trade in trades]
    turnover = sum(turned(trade) for trade in trades)
    gross, funding = sum(t.gross for t in trades), sum(t.funding for t in trades)
    held = [trade.bars_held for trade in trades]
    won, lost = sum(n for n in nets if n > 0), -sum(n for n in nets if n < 0)
    equity = np.array(want.equity)
    numbers: dict[str, float | None] = {
        "trades": len(trades),
        "gross": gross,
        "fees": sum(t.fees for t in trades),
        "funding": funding,
        "net": sum(nets),
        "net_on_notional": sum(nets) / notional,
        "hit_rate": sum(n > 0 for n in nets) / len(nets) if nets else None,
        "profit_factor": won / lost if lost else None,
        "mean_bars_held": sum(held) / len(held) if held else None,
        "longest_bars_held": max(held, default=None),
        "time_in_market": sum(p != 0 for p in want.position) / len(want.position),
        "max_drawdown": float((np.maximum.accumulate(equity) - equity).max()),
        "sharpe": sharpe(equity),
        "turnover": turnover,
        "break_even_bps": (gross + funding) / turnover * 1e4 if turnover else None,
    }
    assert set(numbers) == set(Summary._fields)
    for name, number in numbers.items():
        value = getattr(found, name)
        if number is None or value is None:
            assert value is number, name
        else:
            assert_close(value, number, notional if name != "hit_rate" else 0, name)


def turned(trade: Trade) -> float:
    """The value of the four fills of a trade."""
    assert trade.exit_price_a is not None
    assert trade.exit_price_b is not None
    a = abs(trade.quantity_a) * (trade.entry_price_a + trade.exit_price_a)
    return a + abs(trade.quantity_b) * (trade.entry_price_b + trade.exit_price_b)


def sharpe(equity: Sequence[float] | np.ndarray) -> float | None:
    """Of the equity's changes per bar, times the square root of the bars in 365 days."""
    changes = np.diff(equity)
    if len(changes) < 2 or not changes.std(ddof=1) > 0:
        return None
    return float(changes.mean() / changes.std(ddof=1) * math.sqrt(365 * 86_400 / LENGTH))


@settings(max_examples=150, deadline=None)
@given(markets(), st.lists(lanes(), min_size=1, max_size=4))
def test_every_trade_and_every_bar_is_that_of_the_plain_loop(
    market: Market, some: list[Lane]
) -> None:
    runs = list(back_tests(market.bars, market.signals, some, market.funding()))
    assert len(runs) == len(some)
    for run, lane in zip(runs, some, strict=True):
        want = market.plain(lane)
        assert_same(run, market, want)
        assert_summary(run.summary, want, run)


@settings(max_examples=60, deadline=None)
@given(markets(), lanes(), st.data())
def test_no_trade_knows_what_comes_after_it(
    market: Market, lane: Lane, data: st.DataObject
) -> None:
    """A prefix of the bars gives a prefix of the trades, but for the position open at its end."""
    rows = data.draw(st.integers(1, len(market.bars)))
    bars, signals = market.bars.part(0, rows), market.signals.part(0, rows)
    (whole,) = back_tests(market.bars, market.signals, [lane], market.funding())
    (part,) = back_tests(bars, signals, [lane], market.funding())
    kept = int((part.trades.positions.exit_fill < rows).sum())
    assert len(part.trades) - kept <= 1
    for name in ("net", "worst", "best", "quantity_b", "funding"):
        found, want = getattr(part.trades, name)[:kept], getattr(whole.trades, name)[:kept]
        assert found.tobytes() == want.tobytes(), name
    ends = whole.trades.positions.exit_fill[:kept]
    assert (part.trades.positions.exit_fill[:kept] == ends).all()
    before = rows - 1  # at the last close the part sells
    np.testing.assert_array_equal(part.equity().equity[:before], whole.equity().equity[:before])
