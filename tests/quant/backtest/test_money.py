"""What trades cost and earn: each sum done by hand, on markets of a few bars."""

import math
from dataclasses import replace

import numpy as np
import pytest

from spreadlake.quant.backtest import Costs, Funding, Rules, Trades, equity_frame, trades_frame
from tests.quant.backtest.small_markets import BEGIN, FREE, bars_of, run, signals_of

# Opens; each bar closes at the next one's open. Long at row 1, closed at row 3.
OPEN_A, OPEN_B = [99.0, 100, 104, 110, 111], [21.0, 20, 19, 22, 23]
LONG, SHORT = [-2, -1, 0, 0, 0], [2, 1, 0, 0, 0]
MINUTE_MS = 60_000


def only(trades: Trades, *names: str) -> tuple[float, ...]:
    """Of the only trade."""
    return tuple(getattr(trades, name).item() for name in names)


def test_a_long_spread_on_raw_prices() -> None:
    found = run(bars_of(OPEN_A, OPEN_B), signals_of(LONG, [1.5, 9, 9, 9, 9])).trades
    assert only(found, "quantity_a", "quantity_b") == (
        10,
        -15,
    )  # 1,000 of A; the beta of the signal
    assert only(found, "entry_price_a", "entry_price_b") == (100, 20)
    assert only(found, "exit_price_a", "exit_price_b") == (110, 22)
    assert found.gross == 10 * 10 - 15 * 2
    assert only(found, "fees", "funding", "net") == (0, 0, found.gross[0])
    # Open at the closes of rows 1 and 2: 104 and 19, 110 and 22.
    assert only(found, "worst", "best") == (10 * 4 + 15 * 1, 10 * 10 - 15 * 2)


def test_a_short_spread_on_log_prices() -> None:
    signals = signals_of(SHORT, [1.5, 9, 9, 9, 9], "log")
    found = run(bars_of(OPEN_A, OPEN_B), signals).trades
    assert only(found, "quantity_a", "quantity_b") == (-10, 1.5 * 10 * 100 / 20)
    assert found.gross == -10 * 10 + 75 * 2


def test_a_negative_beta_has_both_legs_on_one_side() -> None:
    found = run(bars_of(OPEN_A, OPEN_B), signals_of(LONG, -1.5)).trades
    assert only(found, "quantity_a", "quantity_b") == (10, 15)


def test_each_leg_pays_at_each_fill() -> None:
    costs = Costs(fee_bps=7, slippage_bps=3, notional=1_000)
    found = run(bars_of(OPEN_A, OPEN_B), signals_of(LONG, 1.5), costs=costs)
    trades = found.trades
    entry, closing = 0.001 * (10 * 100 + 15 * 20), 0.001 * (10 * 110 + 15 * 22)
    assert trades.fees == pytest.approx(entry + closing, rel=1e-15)
    assert trades.net == pytest.approx(70 - entry - closing, rel=1e-15)
    assert trades.best == pytest.approx(70 - entry, rel=1e-15)
    assert found.equity().equity == pytest.approx(
        [0, 55 - entry, 70 - entry, 70 - entry - closing, 70 - entry - closing], rel=1e-15
    )
    assert found.equity().position.tolist() == [0, 1, 1, 0, 0]
    assert found.summary.turnover == 10 * 100 + 15 * 20 + 10 * 110 + 15 * 22


def test_what_is_open_at_the_end_is_sold_at_the_last_close() -> None:
    """At 112 and 24: a unit above the last open."""
    costs = Costs(fee_bps=10, notional=1_000)
    found = run(bars_of(OPEN_A, OPEN_B), signals_of([0, 0, 0, -2, -1], 1.0), costs=costs)
    trades = found.trades
    quantity = 1_000 / 111
    gross = quantity * (112 - 111) - quantity * (24 - 23)
    fees = 0.001 * quantity * (111 + 23 + 112 + 24)
    assert trades.net == pytest.approx(gross - fees, rel=1e-12)
    assert trades.worst == pytest.approx(gross - 0.001 * quantity * (111 + 23), rel=1e-12)
    assert found.equity().equity[-1] == pytest.approx(gross - fees, rel=1e-12)
    assert found.equity().position.tolist() == [0, 0, 0, 0, 1]
    assert (found.summary.time_in_market, found.summary.longest_bars_held) == (0.2, 1)
    frame = trades_frame(found, "A/B")
    assert frame["exit_time"].dt.epoch("s").to_list() == [BEGIN + 5 * 60]
    assert frame["exit_signal_time"].dt.epoch("s").to_list() == [BEGIN + 4 * 60]


@pytest.mark.parametrize(
    ("after_ms", "paid"),
    [
        (1 * MINUTE_MS, False),  # at the very fill: it is not held yet
        (1 * MINUTE_MS + 1, True),
        (2 * MINUTE_MS, True),
        (3 * MINUTE_MS, True),  # at the closing fill
        (3 * MINUTE_MS + 1, False),
    ],
)
def test_funding_is_paid_after_the_entry_and_up_to_the_exit(after_ms: int, paid: bool) -> None:
    at = np.array([BEGIN * 1000 + after_ms])
    none = np.empty(0, np.int64)
    funding = Funding(at, np.array([0.05]), none, np.empty(0))
    found = run(bars_of(OPEN_A, OPEN_B), signals_of(LONG, 1.5), funding=funding)
    assert found.trades.funding == (-10 * 0.05 if paid else 0)
    of_b = Funding(none, np.empty(0), at, np.array([0.05]))
    found = run(bars_of(OPEN_A, OPEN_B), signals_of(LONG, 1.5), funding=of_b)
    assert found.trades.funding == pytest.approx(15 * 0.05 if paid else 0)
    assert found.trades.net == found.trades.gross + found.trades.funding


def test_funding_is_in_equity_from_the_close_that_knows_of_it() -> None:
    ends = np.array([BEGIN * 1000 + 2 * MINUTE_MS])  # of row 1, the first that is held
    late = Funding(ends + 1, np.array([1.0]), ends + 1, np.zeros(1))
    at_end = Funding(ends, np.array([1.0]), ends, np.zeros(1))
    bars, signals = bars_of(OPEN_A, OPEN_B), signals_of(LONG, 1.5)
    assert run(bars, signals, funding=at_end).equity().equity.tolist() == [0, 45, 60, 60, 60]
    found = run(bars, signals, funding=late)
    assert found.equity().equity.tolist() == [0, 55, 60, 60, 60]
    assert only(found.trades, "worst", "best") == (55, 60)
    assert found.summary.break_even_bps == pytest.approx(1e4 * 60 / found.summary.turnover)


def test_funding_at_the_end_counts_until_the_last_bar_closes() -> None:
    end = BEGIN * 1000 + 5 * MINUTE_MS
    times, paid = np.array([end, end + 1]), np.array([1.0, 100.0])
    funding = Funding(times, paid, times, np.zeros(2))
    found = run(bars_of(OPEN_A, OPEN_B), signals_of([0, -2, -1, -1, -1]), funding=funding)
    assert found.trades.funding == pytest.approx(-1_000 / 104)


def test_the_summary() -> None:
    """Three trades of one bar each, on B at rest: +10, −10, 0 by a notional of 1,000."""
    rows = [100.0, 100, 101, 100, 99, 100, 100, 100]
    z = [-2, 0, -2, 0, -2, 0, 0, 0]
    bars, costs = bars_of(rows), Costs(fee_bps=0, notional=1_000)
    found = run(bars, signals_of(z, 0.0), Rules(), costs)
    nets = [10.0, -10.0, 0.0]
    assert found.trades.net == pytest.approx(nets)
    summary, equity = found.summary, found.equity()
    assert equity.equity == pytest.approx([0, 10, 10, 0, 0, 0, 0, 0], abs=1e-12)
    assert equity.drawdown == pytest.approx([0, 0, 0, 10, 10, 10, 10, 10])
    assert summary.trades == 3
    assert summary.net == pytest.approx(0, abs=1e-12)
    assert summary.hit_rate == pytest.approx(1 / 3)
    assert summary.profit_factor == pytest.approx(1)
    assert (summary.mean_bars_held, summary.longest_bars_held) == (1, 1)
    assert summary.time_in_market == 3 / 8
    assert summary.max_drawdown == pytest.approx(10)
    assert summary.turnover == pytest.approx(1_000 + 1_010 + 1_000 + 990 + 1_000 + 1_000)


def test_sharpe_is_of_the_changes_from_bar_to_bar() -> None:
    found = run(bars_of(OPEN_A, OPEN_B), signals_of(LONG, 1.5))
    changes = np.diff(found.equity().equity)
    wanted = changes.mean() / changes.std(ddof=1) * math.sqrt(365 * 24 * 60)
    assert found.summary.sharpe == pytest.approx(wanted, rel=1e-12)


def test_without_a_trade_what_has_no_meaning_is_none() -> None:
    found = run(bars_of(OPEN_A, OPEN_B), signals_of([0, 0, 0, 0, 0]))
    assert found.summary._asdict() == {
        **dict.fromkeys(found.summary._fields),
        **dict.fromkeys(("gross", "fees", "funding", "net", "net_on_notional"), 0.0),
        "trades": 0,
        "turnover": 0.0,
        "max_drawdown": 0.0,
        "time_in_market": 0.0,
    }
    assert trades_frame(found).is_empty()
    assert equity_frame(found)["equity"].to_list() == [0.0] * 5


def test_only_losses_have_a_profit_factor_of_0_and_only_gains_none() -> None:
    won = run(bars_of(OPEN_A, OPEN_B), signals_of(LONG, 1.5))
    lost = run(bars_of(OPEN_A, OPEN_B), signals_of(SHORT, 1.5))
    assert (won.summary.profit_factor, won.summary.hit_rate) == (None, 1)
    assert (lost.summary.profit_factor, lost.summary.hit_rate) == (0, 0)
    assert lost.summary.max_drawdown == 70


def test_no_bars_are_no_error() -> None:
    bars = bars_of(OPEN_A, OPEN_B)
    for rows in (0, 1, 2):
        found = run(bars.part(0, rows), signals_of(LONG, 1.5).part(0, rows), costs=replace(FREE))
        assert (len(found.trades), found.summary.sharpe) == (rows // 2, None)
        assert len(found.equity().equity) == equity_frame(found).height == rows
        assert trades_frame(found).height == rows // 2
