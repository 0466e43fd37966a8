"""Nothing at a bar depends on what comes after it; and a lane does what it does alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spreadlake.quant.backtest import (
    Bars,
    Funding,
    Lane,
    Signals,
    back_tests,
    equity_frame,
    trades_frame,
)
from spreadlake.quant.backtest import positions as positions_of
from tests.quant.backtest.small_markets import lanes, markets

Market = tuple[Bars, Signals, Funding | None]


@given(market=markets(), lane=lanes(), share=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_a_part_of_the_data_gives_that_part_of_the_trades(
    market: Market, lane: Lane, share: float
) -> None:
    """But for what is open at its last bar, which is closed there."""
    bars, signals, funding = market
    rows = int(len(bars) * share)
    (whole,) = back_tests(bars, signals, [lane], funding)
    (part,) = back_tests(bars.part(0, rows), signals.part(0, rows), [lane], funding)
    closed = trades_frame(part).filter(reason="end").height == 0
    kept = len(part.trades) - (not closed)
    assert trades_frame(part)[:kept].equals(trades_frame(whole)[:kept])
    assert len(whole.trades) >= len(part.trades)
    known = ("trade", "side", "signal_time", "entry_time", "quantity_a", "quantity_b", "beta")
    assert (
        trades_frame(part)
        .select(known)
        .equals(trades_frame(whole).select(known)[: len(part.trades)])
    )
    same = rows if closed else rows - 1
    assert equity_frame(part)[:same].equals(equity_frame(whole)[:same])


@given(market=markets(), some=st.lists(lanes(), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_lane_among_others_is_the_lane_alone(market: Market, some: list[Lane]) -> None:
    bars, signals, funding = market
    for lane, found in zip(some, back_tests(bars, signals, some, funding), strict=True):
        (alone,) = back_tests(bars, signals, [lane], funding)
        assert found.summary == alone.summary
        assert trades_frame(found).equals(trades_frame(alone))
        assert equity_frame(found).equals(equity_frame(alone))


@given(market=markets(), some=st.lists(lanes(), min_size=4, max_size=8))
@settings(max_examples=30, deadline=None)
def test_where_there_is_no_room_for_tables_they_are_made_again(
    market: Market, some: list[Lane]
) -> None:
    bars, signals, funding = market
    wanted = [run.summary for run in back_tests(bars, signals, some, funding)]
    most, positions_of._MOST_BYTES = positions_of._MOST_BYTES, 1
    try:
        assert [run.summary for run in back_tests(bars, signals, some, funding)] == wanted
    finally:
        positions_of._MOST_BYTES = most


@given(market=markets(), lane=lanes())
@settings(max_examples=150, deadline=None)
def test_the_numbers_agree_with_each_other(market: Market, lane: Lane) -> None:
    bars, signals, funding = market
    (run,) = back_tests(bars, signals, [lane], funding)
    equity, trades, p = run.equity(), run.trades, run.trades.positions
    assert equity.equity[-1] == pytest.approx(run.summary.net, rel=1e-9, abs=1e-9)
    assert equity.equity[0] == 0
    assert abs(equity.drawdown.max() - run.summary.max_drawdown) <= 1e-9 * (
        1 + equity.drawdown.max()
    )
    changes = np.diff(equity.equity)
    if len(trades) and len(changes) > 1 and changes.std() > 1e-9:
        wanted = changes.mean() / changes.std(ddof=1) * math.sqrt(365 * 24 * 60)
        assert run.summary.sharpe == pytest.approx(wanted, rel=1e-6, abs=1e-6)
    assert (equity.position != 0).sum() == p.bars_held.sum()
    assert (p.signal < p.fill).all()
    assert (p.fill <= p.exit_signal).all()
    assert (p.exit_fill[:-1] <= p.signal[1:]).all()
    assert bars.tradable[p.fill].all()
    assert (trades.worst <= trades.best).all()
    assert (trades.fees >= 0).all()
