"""What the screens would have chosen at each time, traded as a portfolio: point in time, all of it.

At each time the screen is taken as it was known then. A pair may be entered at the closes at which
the newest screen had chosen it; what it then does is the single pair's back-test, to its own exit.
Which entries are taken, where the limits bear no more, is decided bar by bar over all pairs.
"""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from spreadlake.arguments import threads_of
from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.removal import refuse_removed_rows
from spreadlake.quant.arrays import Ints
from spreadlake.quant.backtest.choices import Stretch, stretches_of
from spreadlake.quant.backtest.frames import TRADES_SCHEMA, frame_of_trades
from spreadlake.quant.backtest.limits import Wanted, within_limits
from spreadlake.quant.backtest.portfolio import Portfolio, gross_values
from spreadlake.quant.backtest.positions import Openings, PositionFinder
from spreadlake.quant.backtest.trades import Market, account
from spreadlake.research.backtests.funding_paid import read_paid
from spreadlake.research.backtests.market_bars import MarketBars
from spreadlake.research.backtests.pair_tables import pairs_frame
from spreadlake.research.backtests.screen_choices import TakenScreens, take_screens
from spreadlake.research.backtests.screen_request import ScreenBacktestRequest
from spreadlake.research.bar_source import BarSource
from spreadlake.research.pictures import Pictured
from spreadlake.research.screen import Progress
from spreadlake.series import BARS
from spreadlake.times import iso_utc
from spreadlake.words import count

if TYPE_CHECKING:
    import plotly.graph_objects as go

_NEVER = 2**62  # a bar that does not come


@dataclass(frozen=True)
class ScreenBacktest:
    """What trading the chosen pairs gave.

    trades: as those of one pair (TRADES_SCHEMA), of all pairs in order of time. equity: at every
    bar (PORTFOLIO_SCHEMA). pairs: a row for each pair that was chosen, what it earned. screens: a
    row for each screen. summary: the numbers of all trades together, None for one without
    meaning. settings: what was asked for, and the bars there were. notes: what a reader of the
    numbers has to know.
    """

    trades: pl.DataFrame
    equity: pl.DataFrame
    pairs: pl.DataFrame
    screens: pl.DataFrame
    summary: dict[str, Any]
    settings: dict[str, Any]
    notes: list[str]
    selection: None = None  # no sets of parameters to choose among

    def __repr__(self) -> str:
        pairs, traded = count(len(self.pairs), "pair"), count(len(self.trades), "trade")
        return f"ScreenBacktest({pairs} chosen: {traded}, net {self.summary['net']:,.2f})"

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """`pairs` and `screens`, by name."""
        return {"pairs": self.pairs, "screens": self.screens}

    def plot(self) -> "go.Figure":
        """Equity, drawdown, costs, and what trades earned, as charts.

        >>> lake.backtest_screen("1m").plot()  # doctest: +SKIP
        """
        from spreadlake.research.pictures import figure  # noqa: PLC0415 it imports what draws

        return figure(self.pictured())

    def pictured(self) -> Pictured:
        """What `spreadlake.research.pictures` makes a figure, a page and a PNG of."""
        title = f"pairs that screens chose · {self.settings['timeframe']}"
        return Pictured(
            title, self.trades, self.equity, self.summary, self.settings, self.notes, self.tables
        )


@dataclass(frozen=True)
class _Found:
    """Openings of one stretch, over the bars [stretch.low, high)."""

    stretch: Stretch
    high: int
    openings: Openings
    wanted: Wanted


def take_screen_backtest(
    lake: Lake,
    request: ScreenBacktestRequest,
    advance: Progress | None = None,
    threads: int = 1,
) -> ScreenBacktest:
    """Runs it; `advance` is told how many of how many screens are taken, each by `threads`.

    InputError for what the lake does not have: symbols, a timeframe, bars in that time, funding
    rates; and where there was nothing to screen at any time. RemovedError for bars that were
    removed to make room.
    """
    threads = threads_of(threads)
    with closing(open_reader(lake.analytics_db)) as db:
        source, _ = BarSource.of_those_with_bars(db, lake, request.timeframe, request.symbols)
        refuse_removed_rows(db, BARS, source.stored, request.start)
    low, high = _span(source, request)
    screens = take_screens(lake, request, source, (low, high), advance, threads)
    longest = max(request.window, request.lookback)
    bars = MarketBars(lake, source, longest, request.max_stale_bars, low, high)
    run = _Run(lake, request, bars, high)
    found = run.openings(stretches_of(screens.choices, high))
    numbers = bars.numbers(low, high)
    if not len(numbers):
        raise InputError(f"the lake has no {request.timeframe} bars in that time")
    portfolio = Portfolio(source.length, numbers)
    trades, notes = run.account(found, portfolio)
    extent = {
        "bars": len(numbers),
        "first_bar": iso_utc(int(numbers[0]) * source.length),
        "last_bar": iso_utc(int(numbers[-1]) * source.length),
    }
    return ScreenBacktest(
        trades,
        portfolio.frame(),
        pairs_frame(trades, [choice.pairs for choice in screens.choices]),
        screens.frame,
        portfolio.summary(request.lane.costs).asdict(),
        request.settings | extent,
        [*notes, *_why_none(request, screens, found, trades)],
    )


def _why_none(
    request: ScreenBacktestRequest,
    screens: TakenScreens,
    found: Sequence["_Found"],
    trades: pl.DataFrame,
) -> list[str]:
    """Why there is no trade, in a sentence; none where there are some."""
    if len(trades):
        return []
    if not screens.frame["chosen"].sum():
        return [
            f"no trade: no pair of {count(len(screens.frame), 'screen')} had a q-value up to "
            f"{request.max_qvalue:g} and an edge above 0 after costs"
        ]
    if not found:
        gates = request.lane.rules.min_correlation, request.lane.rules.max_adf_pvalue
        more = "" if gates == (None, None) else " with what entries need"
        return [
            f"no trade: |z| of no chosen pair reached {request.lane.rules.entry:g} before the "
            f"next screen{more}"
        ]
    return ["no trade: the limits bear none, or there was no later bar in which both legs trade"]


def _span(source: BarSource, request: ScreenBacktestRequest) -> tuple[int, int]:
    """Absolute bars [low, high) of the time asked for."""
    low, high = min(source.first.values()), source.end
    if low >= high:
        raise InputError(
            f"the lake has no finished {request.timeframe} bar yet: wait, or name a shorter one"
        )
    if request.start is not None:
        low = max(low, math.ceil(request.start / source.length))
    if request.end is not None:
        high = min(high, math.ceil(request.end / source.length))
    if low >= high:
        first = iso_utc(min(source.first.values()) * source.length)
        last = iso_utc(max(source.end - 1, 0) * source.length)
        raise InputError(
            f"no finished {request.timeframe} bar in that time: the lake has bars from {first} "
            f"to {last}"
        )
    return low, high


class _Run:
    """The chosen pairs, one stretch after another; the bars of one are held at a time."""

    def __init__(
        self, lake: Lake, request: ScreenBacktestRequest, bars: MarketBars, end: int
    ) -> None:
        self._lake, self._request, self._bars, self._end = lake, request, bars, end
        self._pairs: dict[tuple[str, str], int] = {}
        self._legs: dict[frozenset[str], int] = {}

    def openings(self, stretches: Sequence[Stretch]) -> list[_Found]:
        """What each stretch would open, followed to its end."""
        found = (self._openings(stretch) for stretch in stretches)
        return [one for one in found if one is not None]

    def account(
        self, found: Sequence[_Found], portfolio: Portfolio
    ) -> tuple[pl.DataFrame, list[str]]:
        """The trades within the limits, which are added to the portfolio; and notes on them."""
        taken = within_limits(_together([one.wanted for one in found]), self._request.limits)
        place = np.full(sum(len(one.openings.again) for one in found), -1)
        place[taken] = np.arange(len(taken))
        frames, notes, at = [], dict[str, None](), 0
        for one in found:
            places = place[at : at + len(one.openings.again)]
            at += len(places)
            frame, said = self._account(one, places, portfolio)
            frames.append(frame)
            notes |= dict.fromkeys(said)
        order = pl.DataFrame(schema={**TRADES_SCHEMA, "place": pl.Int64})
        trades = pl.concat([order, *frames]).sort("entry_time", "place").drop("place")
        count_through = pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
        return trades.with_columns(trade=count_through), list(notes)

    def _openings(self, stretch: Stretch) -> _Found | None:
        """None where nothing would be opened. Bars are added until all of it has ended."""
        high = stretch.high
        while True:
            high = min(stretch.low + 2 * (high - stretch.low), self._end)
            market = self._market(stretch, high)
            number = market.bars.time // market.bars.length
            finder = PositionFinder(market.bars, market.signals)
            found = finder.openings(self._request.lane.rules, number < stretch.high)
            if high == self._end or bool((found.again < len(number)).all()):
                break
        if not len(found.again):
            return None
        return _Found(stretch, high, found, self._wanted(stretch, market, found))

    def _market(self, stretch: Stretch, high: int) -> Market:
        request, rules = self._request, self._request.lane.rules
        history = self._bars.history(stretch.pair, stretch.low, high)
        tested = None if rules.max_adf_pvalue is None else rules.entry
        signals = history.signals(request.window, request.lookback, request.prices, tested)
        return Market(history.bars, signals)

    def _wanted(self, stretch: Stretch, market: Market, found: Openings) -> Wanted:
        """In absolute bars; what ends with the bars is over after the last one."""
        number = market.bars.time // market.bars.length
        positions = found.positions
        later = np.append(number, number[-1] + 1)
        filled = positions.fill < len(number)
        signal = number[positions.signal]
        pair = self._pairs.setdefault(stretch.pair, len(self._pairs))
        legs = self._legs.setdefault(frozenset(stretch.pair), len(self._legs))
        return Wanted(
            signal=signal,
            closed=np.where(filled, later[positions.exit_fill], _NEVER),
            again=np.where(filled, later[found.again], _NEVER),
            pair=np.full(len(signal), pair),
            legs=np.full(len(signal), legs),
            rank=stretch.rank_at(signal),
            gross=gross_values(market, positions, self._request.lane.costs),
        )

    def _account(
        self, one: _Found, places: Ints, portfolio: Portfolio
    ) -> tuple[pl.DataFrame, list[str]]:
        """The trades of a stretch with their `place` in the order of decisions (-1: not taken)."""
        kept = np.flatnonzero(places >= 0)
        positions = one.openings.positions
        kept = kept[positions.exit_fill[kept] > positions.fill[kept]]  # others wait to the end
        if not len(kept):
            return pl.DataFrame(schema={**TRADES_SCHEMA, "place": pl.Int64}), []
        market = self._market(one.stretch, one.high)
        notes: list[str] = []
        if self._request.funding:
            funding, notes = read_paid(self._lake, one.stretch.pair, market.bars)
            market = Market(market.bars, market.signals, funding)
        trades, held = account(market, positions.some(kept), self._request.lane.costs)
        portfolio.add(market, trades, held)
        frame = frame_of_trades(market, trades, one.stretch.pair.name)
        return frame.with_columns(place=pl.Series(places[kept], dtype=pl.Int64)), notes


def _together(parts: Sequence[Wanted]) -> Wanted:
    names = Wanted.__dataclass_fields__
    ints = dict.fromkeys(names, np.empty(0, dtype=np.int64)) | {"gross": np.empty(0)}
    return Wanted(
        **{
            name: np.concatenate([none, *(getattr(one, name) for one in parts)])
            for name, none in ints.items()
        }
    )
