"""When positions are opened and closed: each rule on a market that can be done by hand."""

from collections.abc import Sequence
from typing import Any

import pytest

from spreadlake.errors import InputError
from spreadlake.quant.backtest import REASONS, Costs, Rules, Run
from tests.quant.backtest.small_markets import NAN, bars_of, run, signals_of

ROWS = 10


def held(found: Run) -> list[tuple[int, int, int, int, int, str]]:
    """(side, signal, fill, exit signal, exit fill, reason) of each trade, as rows."""
    p = found.trades.positions
    columns = (p.side, p.signal, p.fill, p.exit_signal, p.exit_fill)
    reasons = [REASONS[reason] for reason in p.reason]
    return list(zip(*(column.tolist() for column in columns), reasons, strict=True))


def of(z: Sequence[float], rules: Rules | None = None, **market: Any) -> list[Any]:
    signals = {k: market.pop(k) for k in ("correlation", "adf_pvalue") if k in market}
    return held(run(bars_of([100.0] * len(z), **market), signals_of(z, **signals), rules))


@pytest.mark.parametrize(
    ("z", "rules", "trades"),
    [
        # At the thresholds themselves, short and long.
        ([0, 2, 1, 0, 5, 0], Rules(), [(-1, 1, 2, 3, 4, "exit"), (-1, 4, 5, 5, 6, "end")]),
        ([0, -2, -1, 0, 0, 0], Rules(), [(1, 1, 2, 3, 4, "exit")]),
        ([0, 1.99, -1.99, 0], Rules(), []),
        ([3, 1, 0.5, 0, 0], Rules(exit=0.5), [(-1, 0, 1, 2, 3, "exit")]),
        ([3, 0, -1, -1, 0], Rules(exit=-1), [(-1, 0, 1, 2, 3, "exit")]),
        ([-3, 0, 1, 1, 0], Rules(exit=-1), [(1, 0, 1, 2, 3, "exit")]),
        # The bar of the fill may close what it has opened.
        ([2, 0, 0], Rules(), [(-1, 0, 1, 1, 2, "exit")]),
        # From the bar of the closing fill on, and not before, a position may be opened.
        ([2, 0, -2, 0, 0], Rules(), [(-1, 0, 1, 1, 2, "exit"), (1, 2, 3, 3, 4, "exit")]),
        ([2, -2, 0, 0, 0], Rules(), [(-1, 0, 1, 1, 2, "exit")]),
        # A signal at the last bar is never filled; what is open is sold at the last close.
        ([0, 0, 2], Rules(), []),
        ([0, 2, 2], Rules(), [(-1, 1, 2, 2, 3, "end")]),
        ([2, 1, 0], Rules(), [(-1, 0, 1, 2, 3, "end")]),
        # Other bars than the first of a signal do not matter.
        ([2, 3, 3, 0, 0], Rules(), [(-1, 0, 1, 3, 4, "exit")]),
        # No z: nothing opens, nothing closes.
        ([NAN, 2, NAN, NAN, 0, 0], Rules(), [(-1, 1, 2, 4, 5, "exit")]),
    ],
)
def test_z_opens_and_closes(z: Sequence[float], rules: Rules, trades: list[Any]) -> None:
    assert of(z, rules) == trades


@pytest.mark.parametrize(
    ("z", "rules", "trades"),
    [
        # On the losing side only, at the very threshold; then calm before the next entry.
        (
            [2, 3, 2, 4, 2, 1.9, 2, 0, 0],
            Rules(stop=4),
            [(-1, 0, 1, 3, 4, "stop"), (-1, 6, 7, 7, 8, "exit")],
        ),
        (
            [-2, -4, -2, 0, -2, 0, 0],
            Rules(stop=4),
            [(1, 0, 1, 1, 2, "stop"), (1, 4, 5, 5, 6, "exit")],
        ),
        ([-2, -3, -3.9, -4, -2], Rules(stop=4), [(1, 0, 1, 3, 4, "stop")]),
        ([-2, 4, 1, 0, 0], Rules(stop=4), [(1, 0, 1, 1, 2, "exit")]),
        # The other side is no calm either.
        (
            [2, 4, -3, -3, 0, -3, 0, 0],
            Rules(stop=4),
            [(-1, 0, 1, 1, 2, "stop"), (1, 5, 6, 6, 7, "exit")],
        ),
        # Calm that is seen while the closing order waits counts (rows 2 and 3 do not trade).
        (
            [2, 4, 1, 1, 2, 0, 0],
            Rules(stop=4),
            [(-1, 0, 1, 1, 4, "stop"), (-1, 4, 5, 5, 6, "exit")],
        ),
        # Calm without a z is none.
        ([2, 4, NAN, 2, 2, 0], Rules(stop=4), [(-1, 0, 1, 1, 2, "stop")]),
        # Beyond the stop at once: it is entered all the same, and stopped if that goes on.
        ([5, 5, 0, 0], Rules(stop=4), [(-1, 0, 1, 1, 2, "stop")]),
    ],
)
def test_stop(z: Sequence[float], rules: Rules, trades: list[Any]) -> None:
    idle = (2, 3) if trades[0][4] == 4 and trades[0][3] == 1 else ()
    assert of(z, rules, idle_a=idle) == trades


@pytest.mark.parametrize(
    ("z", "rules", "trades"),
    [
        # One bar: its own; a new entry may be decided at once.
        ([2, 2, 2, 2, 2], Rules(max_bars=1), [(-1, 0, 1, 1, 2, "time"), (-1, 2, 3, 3, 4, "time")]),
        (
            [2, 2, 2, 2, 2, 0],
            Rules(max_bars=3),
            [(-1, 0, 1, 3, 4, "time"), (-1, 4, 5, 5, 6, "end")],
        ),
        # Rows without a z close nothing: the next with one does.
        ([2, 2, NAN, NAN, 2, 2], Rules(max_bars=2), [(-1, 0, 1, 4, 5, "time")]),
        # Where several hold at one bar: exit, stop, time.
        ([2, 2, 0, 0], Rules(max_bars=2), [(-1, 0, 1, 2, 3, "exit")]),
        ([2, 2, 4, 2, 2, 2], Rules(max_bars=2, stop=4), [(-1, 0, 1, 2, 3, "stop")]),
        (
            [2, 2, 2, 4, 2, 2],
            Rules(max_bars=2, stop=4),
            [(-1, 0, 1, 2, 3, "time"), (-1, 3, 4, 5, 6, "end")],
        ),
    ],
)
def test_max_bars(z: Sequence[float], rules: Rules, trades: list[Any]) -> None:
    assert of(z, rules) == trades


def test_an_order_waits_for_a_bar_in_which_both_trade() -> None:
    z = [2, 0, 0, 1, 0, 0, 0, 0, 0]
    trades = of(z, idle_a=[1, 5], idle_b=[2, 6])
    assert trades == [(-1, 0, 3, 4, 7, "exit")]
    assert of(z, idle_a=range(1, 9)) == []
    assert of(z, idle_b=range(5, 9)) == [(-1, 0, 1, 1, 2, "exit")]
    assert of(z, idle_b=range(2, 9)) == [(-1, 0, 1, 8, 9, "end")]


def test_gates_are_asked_at_the_bar_of_the_entry_and_nowhere_else() -> None:
    z = [2, 2, 2, 1, 0, 0]
    rules = Rules(min_correlation=0.5)
    assert of(z, rules, correlation=[0.4, NAN, 0.5, 0, 0, 0]) == [(-1, 2, 3, 4, 5, "exit")]
    rules = Rules(max_adf_pvalue=0.05)
    assert of(z, rules, adf_pvalue=[0.06, 0.05, NAN, 1, 1, 1]) == [(-1, 1, 2, 4, 5, "exit")]
    both = Rules(min_correlation=0.5, max_adf_pvalue=0.05)
    assert of(z, both, correlation=[1, 0, 0, 0, 0, 0], adf_pvalue=[1, 0, 0, 0, 0, 0]) == []


def test_without_a_hedge_nothing_is_opened() -> None:
    beta = [NAN, 1, 1, 1]
    found = run(bars_of([100.0] * 4), signals_of([2, 2, 1, 0], beta))
    assert held(found) == [(-1, 1, 2, 3, 4, "end")]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"entry": 0}, "entry 0 is not above 0"),
        ({"entry": NAN}, "entry nan is not a number"),
        ({"entry": 1, "exit": 1}, "exit 1 is not below entry 1"),
        ({"stop": 2}, "stop 2 is not above entry 2"),
        ({"stop": float("inf")}, "stop inf is not a number"),
        ({"max_bars": 0}, "max_bars 0 is not a number of bars from 1"),
        ({"max_bars": 1.5}, "max_bars 1.5 is not a number of bars"),
        ({"max_bars": 2**63}, "is not a number of bars from 1 to 1,000,000,000"),
        ({"max_bars": 10**400}, "is not a number that can be used"),
        ({"min_correlation": 1.5}, "min_correlation 1.5 is not from -1 to 1"),
        ({"max_adf_pvalue": -0.1}, "max_adf_pvalue -0.1 is not from 0 to 1"),
        ({"fee_bps": -1}, "fee_bps -1 is negative"),
        ({"slippage_bps": -1}, "slippage_bps -1 is negative"),
        ({"notional": 0}, "notional 0 is not above 0"),
        ({"fee_bps": 1e308}, r"fee_bps 1e\+308 is more than the 10,000 of a whole fill"),
        ({"notional": 1e308}, r"notional 1e\+308 is more than 1e\+15"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], message: str) -> None:
    kind = Costs if values.keys() & {"fee_bps", "slippage_bps", "notional"} else Rules
    with pytest.raises(InputError, match=message):
        kind(**values)
