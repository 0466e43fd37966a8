"""What the screens would have chosen at each time, traded as a portfolio: point in time, all of it.

At each time the screen is taken as it was known then. A pair may be entered at the closes at which
the newest screen had chosen it; what it then does is the single pair's back-test, to its own exit.
Which entries are taken, where the limits bear no more, is decided bar by bar over all pairs.
"""

import math
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from spreadlake.arguments import threads_of
from spreadlake.errors import InputError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.analytics.removal import refuse_removed_rows
from spreadlake.quant.arrays import Ints
from spreadlake.quant.backtest.choices import stretches_of
from spreadlake.quant.backtest.frames import TRADES_SCHEMA, frame_of_trades
from spreadlake.quant.backtest.limits import Wanted, within_limits
from spreadlake.quant.backtest.portfolio import Portfolio
from spreadlake.quant.backtest.trades import Market, account
from spreadlake.research.backtests.funding_paid import read_paid
from spreadlake.research.backtests.pair_tables import pairs_frame
from spreadlake.research.backtests.screen_choices import TakenScreens, take_screens
from spreadlake.research.backtests.screen_openings import Found, OpeningFinder, iter_openings
from spreadlake.research.backtests.screen_request import ScreenBacktestRequest
from spreadlake.research.bar_source import BarSource
from spreadlake.research.pictures import Pictured
from spreadlake.series import BARS
from spreadlake.tasks import InProcess, Progress, Tasks
from spreadlake.times import iso_utc
from spreadlake.words import count

if TYPE_CHECKING:
    import plotly.graph_objects as go


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


def take_screen_backtest(
    lake: Lake,
    request: ScreenBacktestRequest,
    advance: Progress | None = None,
    threads: int = 1,
    tasks: Tasks | None = None,
) -> ScreenBacktest:
    """Runs it; `advance` is told how many of how many screens are taken, each by `threads`.

    `tasks` takes the screens and follows what the pairs would open; None: in this process.

    InputError for what the lake does not have: symbols, a timeframe, bars in that time, funding
    rates; and where there was nothing to screen at any time. RemovedError for bars that were
    removed to make room.
    """
    threads = threads_of(threads)
    with closing(open_reader(lake.analytics_db)) as db:
        source, _ = BarSource.of_those_with_bars(db, lake, request.timeframe, request.symbols)
        refuse_removed_rows(db, lake, BARS, source.stored, request.start)
    low, high = _span(source, request)
    tasks = tasks or InProcess()
    screens = take_screens(lake, request, source, (low, high), advance, threads, tasks)
    finder = OpeningFinder(lake, request, source, (low, high))
    run = _Run(finder)
    found = run.numbered(iter_openings(tasks, finder, stretches_of(screens.choices, high)))
    numbers = finder.bars.numbers(low, high)
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
    found: Sequence[Found],
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

    def __init__(self, finder: OpeningFinder) -> None:
        self._finder, self._lake, self._request = finder, finder.lake, finder.request
        self._pairs: dict[tuple[str, str], int] = {}
        self._legs: dict[frozenset[str], int] = {}

    def numbered(self, found: Iterable[Found]) -> list[Found]:
        """Each pair, and its legs, under one number."""
        return [self._numbered(one) for one in found]

    def _numbered(self, one: Found) -> Found:
        pair = self._pairs.setdefault(one.stretch.pair, len(self._pairs))
        legs = self._legs.setdefault(frozenset(one.stretch.pair), len(self._legs))
        wanted, count_of = one.wanted, len(one.wanted.signal)
        return replace(
            one,
            wanted=replace(wanted, pair=np.full(count_of, pair), legs=np.full(count_of, legs)),
        )

    def account(
        self, found: Sequence[Found], portfolio: Portfolio
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

    def _account(
        self, one: Found, places: Ints, portfolio: Portfolio
    ) -> tuple[pl.DataFrame, list[str]]:
        """The trades of a stretch with their `place` in the order of decisions (-1: not taken)."""
        kept = np.flatnonzero(places >= 0)
        positions = one.openings.positions
        kept = kept[positions.exit_fill[kept] > positions.fill[kept]]  # others wait to the end
        if not len(kept):
            return pl.DataFrame(schema={**TRADES_SCHEMA, "place": pl.Int64}), []
        market = self._finder.market(one.stretch, one.high)
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
