"""A back-test of one pair on the bars of a lake."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from spreadlake.arguments import bars_of, flag_of, prices_of, require_span
from spreadlake.lake import Lake
from spreadlake.pairs import Pair
from spreadlake.quant.backtest import (
    Bars,
    Lane,
    Run,
    back_tests,
    equity_frame,
    opens,
    trades_frame,
)
from spreadlake.quant.backtest.parameters import require_tested
from spreadlake.research.backtests.funding_paid import read_paid
from spreadlake.research.backtests.pair_history import PairHistory
from spreadlake.research.pictures import Pictured
from spreadlake.research.pictures.tables import selection_frame
from spreadlake.series import Prices
from spreadlake.times import iso_utc
from spreadlake.words import count

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class BacktestRequest:
    """What to back-test: a pair, the series its signals are of, the time, and one lane.

    The signals are taken on the bars with start <= time < end (Unix seconds; None: all there are).
    InputError for values that no series or time can have.
    """

    pair: Pair
    timeframe: str = "1m"
    window: int = 60
    lookback: int = 300
    prices: Prices = "raw"
    start: float | None = None
    end: float | None = None
    lane: Lane = field(default_factory=Lane)
    funding: bool = False
    max_stale_bars: int = 30

    def __post_init__(self) -> None:
        plain = {
            "window": bars_of("window", self.window),
            "lookback": bars_of("lookback", self.lookback),
            "prices": prices_of(self.prices),
            "funding": flag_of("funding", self.funding),
        }
        for name, value in plain.items():
            object.__setattr__(self, name, value)
        require_tested(self.lane.rules, self.lookback)
        require_span(self.start, self.end)

    @property
    def settings(self) -> dict[str, Any]:
        """By the names of `OpenLake.backtest`; times as ISO 8601 in UTC."""
        start, end = (None if t is None else iso_utc(t) for t in (self.start, self.end))
        return {
            "pair": self.pair.name,
            "timeframe": self.timeframe,
            "window": self.window,
            "lookback": self.lookback,
            "prices": self.prices,
            "start": start,
            "end": end,
            **asdict(self.lane.rules),
            **asdict(self.lane.costs),
            "funding": self.funding,
        }


@dataclass(frozen=True)
class Backtest:
    """What a back-test of a pair gave.

    trades, equity: frames of TRADES_SCHEMA and EQUITY_SCHEMA (`spreadlake.quant.backtest`).
    summary: the numbers of all trades together, None for one without meaning. settings: what was
    asked for, by the names of `OpenLake.backtest`, and the bars that there were: `bars`, those
    `bars_with_zscore`, `first_bar` and `last_bar`. notes: what a reader of the numbers has to know.

    Of a grid all of this is of its best set; grid: all sets (GRID_SCHEMA in
    `spreadlake.quant.backtest.tables`). Of a walk-forward it is of the test spans put together, and
    settings has None for what is varied; folds, chosen: FOLDS_SCHEMA, CHOSEN_SCHEMA. selection:
    among how many sets was chosen, and what their Sharpe ratios are worth. None: not asked for.
    """

    trades: pl.DataFrame
    equity: pl.DataFrame
    summary: dict[str, Any]
    settings: dict[str, Any]
    notes: list[str]
    grid: pl.DataFrame | None = None
    folds: pl.DataFrame | None = None
    chosen: pl.DataFrame | None = None
    selection: dict[str, Any] | None = None

    def __repr__(self) -> str:
        net = self.summary["net"]
        traded = count(len(self.trades), "trade")
        return f"Backtest({self.settings['pair']}: {traded}, net {net:,.2f})"

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """What there is of `grid`, `folds` and `chosen`, by name."""
        there = {"grid": self.grid, "folds": self.folds, "chosen": self.chosen}
        return {name: frame for name, frame in there.items() if frame is not None}

    def plot(self) -> "go.Figure":
        """Equity, drawdown, z-score with the trades, costs, and what trades earned, as charts.

        >>> lake.backtest("ETHUSDT", "BTCUSDT").plot().layout.title.text
        'ETHUSDT/BTCUSDT · 1m'
        """
        from spreadlake.research.pictures import figure  # noqa: PLC0415 it imports what draws

        return figure(self.pictured())

    def pictured(self) -> Pictured:
        """What `spreadlake.research.pictures` makes a figure, a page and a PNG of."""
        title = f"{self.settings['pair']} · {self.settings['timeframe']}"
        chosen = {} if self.selection is None else {"selection": selection_frame(self.selection)}
        return Pictured(
            title,
            self.trades,
            self.equity,
            self.summary,
            self.settings,
            self.notes,
            chosen | self.tables,
        )


def take_backtest(lake: Lake, request: BacktestRequest) -> Backtest:
    """Runs it.

    InputError for what the lake does not have: a symbol, a timeframe, bars in that time, funding
    rates. RemovedError for bars that were removed to make room.
    """
    history = PairHistory.read(
        lake,
        request.pair,
        request.timeframe,
        max(request.window, request.lookback),
        request.max_stale_bars,
        request.start,
        request.end,
    )
    bars, rules = history.bars, request.lane.rules
    tested = None if rules.max_adf_pvalue is None else rules.entry
    signals = history.signals(request.window, request.lookback, request.prices, tested)
    funding, notes = read_paid(lake, request.pair, bars) if request.funding else (None, [])
    (run,) = back_tests(bars, signals, [request.lane], funding)
    return Backtest(
        trades_frame(run, request.pair.name),
        equity_frame(run),
        run.summary._asdict(),
        request.settings | extent(bars, [run]),
        [*notes, *why_none(run, request.window)],
    )


def why_none(run: Run, window: int) -> list[str]:
    """Why there is no trade, in a sentence; none where there are some."""
    if len(run.trades):
        return []
    bars, rules, zscore = run.market.bars, run.lane.rules, run.market.signals.zscore
    there = np.abs(zscore[~np.isnan(zscore)])
    if not len(there):
        return [
            f"no trade: none of {count(len(bars), 'bar')} has a z-score; a window of {window} "
            "bars has to fill first, in which both legs trade and their prices vary"
        ]
    reached = int((there >= rules.entry).sum())
    if not reached:
        return [f"no trade: |z| was {there.max():.3g} at most, and entry is {rules.entry:g}"]
    bars_there = f"no trade: |z| reached {rules.entry:g} at {count(reached, 'bar')}"
    if not opens(run.market.signals, rules).any():
        return [f"{bars_there}, none of which has {' and '.join(_gates(run))}"]
    return [f"{bars_there}, after which there is no bar in which both legs trade"]


def _gates(run: Run) -> list[str]:
    rules = run.lane.rules
    gates = []
    if rules.min_correlation is not None:
        gates.append(f"a correlation from {rules.min_correlation:g} on")
    if rules.max_adf_pvalue is not None:
        gates.append(f"an ADF p-value up to {rules.max_adf_pvalue:g}")
    return gates


def extent(bars: Bars, runs: Sequence[Run]) -> dict[str, Any]:
    """Of which bars the numbers are: all there are, and those of the runs with a z-score."""
    zscores = [run.market.signals.zscore for run in runs]
    return {
        "bars": len(bars),
        "bars_with_zscore": sum(int((~np.isnan(zscore)).sum()) for zscore in zscores),
        "first_bar": iso_utc(int(bars.time[0])),
        "last_bar": iso_utc(int(bars.time[-1])),
    }
