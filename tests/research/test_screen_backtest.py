"""A portfolio of the pairs that screens choose: against a plain loop, and point in time."""

import math
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from spreadlake.errors import InputError
from spreadlake.funding import FundingRate
from spreadlake.lake import Lake, atomic, open_ticks_writer
from spreadlake.lake.ticks.funding import save_funding
from spreadlake.quant.arrays import Floats
from spreadlake.quant.backtest import Costs, Lane, Rules
from spreadlake.quant.backtest.limits import Limits
from spreadlake.research.backtests.screen import ScreenBacktest, take_screen_backtest
from spreadlake.research.backtests.screen_request import ScreenBacktestRequest
from tests.research.bar_lake import BEGIN, make_bar_lake
from tests.research.portfolio_loop import PlainPortfolio, plain_portfolio

SYMBOLS = [f"{letter}USDT" for letter in "ABCDEFGH"]
BARS = 420
LATE, GONE = "GUSDT", "HUSDT"
BASE = ScreenBacktestRequest(window=20, lookback=60, every=1_200, max_qvalue=0.6, max_stale_bars=12)


def market(seed: int, bars: int = BARS) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Closes and opens: every second symbol goes with the one before, with a lag of its spread.

    One symbol is listed at bar 200, one leaves at bar 300.
    """
    rng = np.random.default_rng(seed)
    logs = np.cumsum(rng.normal(0, 1e-3, (len(SYMBOLS), BARS)), axis=1)
    for at in range(1, len(SYMBOLS), 2):
        spread = rng.normal(0, 1.5e-3, BARS)
        for bar in range(1, BARS):
            spread[bar] += 0.7 * spread[bar - 1]
        logs[at] = rng.uniform(0.5, 1.5) * logs[at - 1] + spread
    close = 100 * np.exp(logs)
    opens = close * np.exp(rng.normal(0, 3e-4, close.shape))
    close[SYMBOLS.index(LATE), :200] = np.nan
    close[SYMBOLS.index(GONE), 300:] = np.nan
    named = zip(SYMBOLS, close[:, :bars], opens[:, :bars], strict=True)
    kept = [(name, x, y) for name, x, y in named if not np.isnan(x).all()]
    return {name: x for name, x, _ in kept}, {name: y for name, _, y in kept}


def lake_of(root: Path, seed: int, bars: int = BARS) -> Lake:
    close, opens = market(seed, bars)
    rng = np.random.default_rng(seed)
    idle = {symbol: np.flatnonzero(rng.random(BARS) < 0.3).tolist() for symbol in SYMBOLS}
    root.mkdir(exist_ok=True)
    return make_bar_lake(root, close, opens=opens, idle=idle)


def times_of(request: ScreenBacktestRequest, bars: int = BARS) -> list[float]:
    end = BEGIN + bars * 60 if request.end is None else request.end
    begin = request.start
    if begin is None:
        enough = BEGIN + request.lookback * 60
        begin = math.ceil(enough / request.every) * request.every
    return [begin + k * request.every for k in range(math.ceil((end - begin) / request.every))]


def plain(lake: Lake, request: ScreenBacktestRequest) -> PlainPortfolio:
    low = BEGIN if request.start is None else request.start
    high = BEGIN + BARS * 60 if request.end is None else request.end
    bars = [BEGIN + 60 * at for at in range(BARS) if low <= BEGIN + 60 * at < high]
    return plain_portfolio(lake, request, times_of(request), bars)


def assert_same(found: ScreenBacktest, want: PlainPortfolio) -> None:
    rows = found.trades.with_columns(pl.col(pl.Datetime).dt.epoch("s"))
    rows = rows.sort("entry_time", "signal_time", "pair")
    assert rows["pair"].to_list() == [pair for pair, _ in want.trades]
    for row, (_, trade) in zip(rows.iter_rows(named=True), want.trades, strict=True):
        for name in ("side", "signal_time", "entry_time", "exit_time", "reason", "bars_held"):
            assert row[name] == getattr(trade, name), name
        for name in ("quantity_a", "quantity_b", "entry_price_b", "exit_price_a", "beta"):
            assert math.isclose(row[name], getattr(trade, name), rel_tol=1e-9), name
        for name in ("gross", "fees", "net", "worst", "best"):
            assert math.isclose(row[name], getattr(trade, name), rel_tol=1e-9, abs_tol=1e-5), name
    equity = found.equity.with_columns(pl.col("time").dt.epoch("s"))
    assert equity["time"].to_list() == list(want.equity)
    assert equity["positions"].to_list() == list(want.positions.values())
    np.testing.assert_allclose(equity["equity"], list(want.equity.values()), atol=1e-5)


REQUESTS = {
    "defaults": BASE,
    "two places": replace(
        BASE, lane=Lane(Rules(1.0, 0.0, stop=2.5, max_bars=15)), limits=Limits(2)
    ),
    "raw, little money": replace(
        BASE,
        prices="raw",
        lane=Lane(Rules(1.0, 0.5, min_correlation=0.2), Costs(1.0, 0.5, 1_000.0)),
        limits=Limits(None, 5_000.0),
    ),
    "a span, few chosen": replace(
        BASE,
        every=600,
        top=3,
        start=BEGIN + 130 * 60 + 30,
        end=BEGIN + 390 * 60,
        lane=Lane(Rules(1.2, -0.5, stop=2.0), Costs(0.5)),
        limits=Limits(1),
    ),
    "tested": replace(
        BASE,
        top=3,
        lane=Lane(Rules(1.8, -3.0, max_bars=200, max_adf_pvalue=0.05), Costs(1.0)),
        limits=Limits(3),
    ),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_it_is_the_plain_loop_over_all_pairs(
    tmp_path: Path, request_: ScreenBacktestRequest, seed: int
) -> None:
    lake = lake_of(tmp_path, seed)
    found, want = take_screen_backtest(lake, request_), plain(lake, request_)
    assert want.trades
    assert_same(found, want)
    chosen = {pair.name for _, pairs in want.chosen for pair in pairs}
    assert set(found.pairs["pair"]) == chosen
    assert found.screens["chosen"].sum() == found.pairs["screens"].sum()


def test_a_prefix_of_the_bars_gives_a_prefix_of_the_trades(tmp_path: Path) -> None:
    request = REQUESTS["two places"]
    whole = take_screen_backtest(lake_of(tmp_path / "whole", 3), request)
    for bars in (215, 290, 360):
        lake = lake_of(tmp_path / str(bars), 3, bars)
        part = take_screen_backtest(lake, request)
        closed = part.trades.filter(pl.col("reason") != "end")
        assert len(part.trades) - len(closed) <= 2
        assert len(closed) > 5
        entries = part.trades.select("pair", "side", "entry_time", "quantity_a", "quantity_b")
        assert entries.equals(whole.trades.select(entries.columns).head(len(entries)))
        assert closed.equals(whole.trades.join(closed, on=("pair", "entry_time"), how="semi"))
        equity = part.equity.head(bars - 1)  # at the last close the part sells
        np.testing.assert_allclose(
            equity["equity"], whole.equity["equity"].head(bars - 1), atol=1e-9
        )
        assert part.screens.equals(whole.screens.head(len(part.screens)))


def test_nothing_of_a_symbol_is_chosen_before_it_is_listed(tmp_path: Path) -> None:
    found = take_screen_backtest(lake_of(tmp_path, 1), BASE)
    listed = BEGIN + 200 * 60
    of_it = found.trades.filter(pl.col("pair").str.contains(LATE))
    assert len(of_it)
    assert of_it["signal_time"].dt.epoch("s").min() >= listed + BASE.lookback * 60  # type: ignore[operator]
    known = found.screens.filter(pl.col("time").dt.epoch("s") < listed + BASE.lookback * 60)
    assert known["symbols"].max() == len(SYMBOLS) - 1


@pytest.mark.parametrize("places", [1, 2, 4])
def test_no_more_is_held_than_the_limits_say(tmp_path: Path, places: int) -> None:
    lake = lake_of(tmp_path, 2)
    lane = Lane(Rules(1.0))
    found = take_screen_backtest(lake, replace(BASE, lane=lane, limits=Limits(places)))
    assert found.equity["positions"].max() == places == found.summary["most_positions"]
    worth = 12_000.0 * places
    found = take_screen_backtest(lake, replace(BASE, lane=lane, limits=Limits(None, worth)))
    # Reckoned at the closes of the deciding bar, and filled at opens near them.
    assert 0 < found.summary["most_notional"] <= 1.02 * worth


def test_two_positions_in_the_same_symbols_are_never_held(tmp_path: Path) -> None:
    found = take_screen_backtest(lake_of(tmp_path, 1), replace(BASE, lane=Lane(Rules(1.0))))
    both = pl.col("pair").str.split("/").list.sort().list.join("/")
    trades = found.trades.with_columns(legs=both).sort("legs", "entry_time")
    later = trades.with_columns(before=pl.col("exit_time").shift().over("legs"))
    assert later.filter(pl.col("entry_time") <= pl.col("before")).is_empty()
    assert found.trades["pair"].n_unique() > trades["legs"].n_unique()


def test_the_sums_are_those_of_the_trades(tmp_path: Path) -> None:
    found = take_screen_backtest(lake_of(tmp_path, 1), BASE)
    trades, summary = found.trades, found.summary
    for name in ("gross", "fees", "funding", "net"):
        assert math.isclose(summary[name], trades[name].sum(), rel_tol=1e-9)
        assert math.isclose(summary[name], found.pairs[name].sum(), rel_tol=1e-9)
    assert math.isclose(found.equity["equity"][-1], summary["net"], rel_tol=1e-9)
    assert summary["trades"] == len(trades) == found.pairs["trades"].sum()
    assert summary["time_in_market"] == (found.equity["positions"] > 0).mean()
    assert trades["trade"].to_list() == list(range(1, len(trades) + 1))
    assert math.isclose(summary["max_drawdown"], found.equity["drawdown"].max())  # type: ignore[arg-type]


def test_funding_is_paid_by_both_legs_of_every_pair(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, 1)
    rng = np.random.default_rng(1)
    rates = [
        FundingRate(symbol, (BEGIN + at * 600) * 1000 + 7, rate, 100.0 + at)
        for at in range(BARS // 10)
        for symbol, rate in zip(SYMBOLS, rng.normal(0, 1e-3, len(SYMBOLS)), strict=True)
    ]
    with closing(open_ticks_writer(lake)) as db, atomic(db):
        save_funding(db, rates)
    request = replace(BASE, lane=Lane(Rules(1.0)))
    free, found = (
        take_screen_backtest(lake, replace(request, funding=funding)) for funding in (False, True)
    )
    assert found.notes == []
    assert free.trades.drop("funding", "net", "worst", "best").equals(
        found.trades.drop("funding", "net", "worst", "best")
    )
    for trade in found.trades.iter_rows(named=True):
        begin, end = (trade[name].timestamp() * 1000 for name in ("entry_time", "exit_time"))
        paid = 0.0
        for symbol, quantity in zip(trade["pair"].split("/"), ("a", "b"), strict=True):
            for rate in rates:
                if rate.symbol == symbol and begin < rate.time_ms <= end:
                    assert rate.mark_price is not None
                    paid -= trade[f"quantity_{quantity}"] * rate.mark_price * rate.rate
        assert math.isclose(trade["funding"], paid, rel_tol=1e-9, abs_tol=1e-9)
        assert math.isclose(trade["net"], trade["gross"] - trade["fees"] + paid, abs_tol=1e-7)
    assert found.trades["funding"].abs().sum() > 1
    assert math.isclose(found.equity["equity"][-1], found.summary["net"], rel_tol=1e-9)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"max_qvalue": 0.0}, "no pair of .* screens had a q-value up to 0 and an edge"),
        ({"lane": Lane(Rules(50.0))}, "of no chosen pair reached 50"),
        ({"limits": Limits(None, 5.0)}, "the limits bear none"),
    ],
)
def test_why_there_is_no_trade_is_said(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    found = take_screen_backtest(lake_of(tmp_path, 1), replace(BASE, **change))  # type: ignore[arg-type]
    assert found.trades.is_empty()
    assert found.equity["equity"].abs().max() == 0
    assert found.summary["net"] == 0
    assert found.summary["hit_rate"] is None
    assert re.search(told, " ".join(found.notes))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"end": BEGIN - 60.0}, "the lake has bars from"),
        ({"end": BEGIN + 3_000.0}, "nothing to screen at any time"),
        ({"start": BEGIN + 60.0, "end": BEGIN + 60.0}, "is not before"),
        ({"lookback": 20}, "lookback 20 is not a number of bars from 30"),
        ({"every": 0}, "every"),
        ({"top": 0}, "choose 1 pair or more"),
        ({"max_qvalue": 1.5}, "from 0 to 1"),
        ({"symbols": ("AUSDT",)}, "needs two symbols"),
        ({"symbols": ("AUSDT", "XUSDT")}, "no bars of XUSDT"),
        ({"timeframe": "7s"}, "bars of 7 s cannot be made"),
    ],
)
def test_what_cannot_be_is_said(tmp_path: Path, change: dict[str, object], told: str) -> None:
    lake = lake_of(tmp_path, 1)
    with pytest.raises(InputError, match=told):
        take_screen_backtest(lake, replace(BASE, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("limits", [{"positions": 0}, {"notional": 0.0}, {"notional": math.inf}])
def test_limits_that_let_nothing_in_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"lets nothing in|inf is not a number"):
        Limits(**limits)  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", [30, 0])
def test_after_a_break_nothing_is_chosen_until_there_is_enough(
    tmp_path: Path, missing: int
) -> None:
    """What was chosen before it is not entered on windows that reach over it.

    Also where no bar is missing: one that is long enough holds both ends of a break.
    """
    close, opens = market(1)
    gap = slice(150, 150 + missing)
    for values in (*close.values(), *opens.values()):
        values[gap] = np.nan
    end = BEGIN + gap.stop * 60
    lake = make_bar_lake(
        tmp_path, close, opens=opens, breaks=[(BEGIN + gap.start * 60 - 30, end + 10)]
    )
    request = replace(BASE, every=600, lane=Lane(Rules(1.0)))
    found = take_screen_backtest(lake, request)
    assert len(found.equity) == BARS - missing
    signals = found.trades["signal_time"].dt.epoch("s")
    assert signals.is_between(BEGIN + 100 * 60, BEGIN + gap.start * 60 - 60).any()
    waiting = signals.is_between(BEGIN + gap.start * 60, end + (BASE.window - 2) * 60)
    assert not waiting.any()
    bars = [BEGIN + 60 * at for at in range(BARS) if not gap.start <= at < gap.stop]
    assert_same(found, plain_portfolio(lake, request, times_of(request), bars))
