"""What is drawn of a pair: its numbers over a span of time in a bounded number of points."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.events import (
    AlertEvent,
    WatchingRule,
    ended_events,
    series_events,
)
from spreadlake.lake.analytics.slow_statistics import NewestTest, newest_test
from spreadlake.quant.envelope import envelope, step_of
from spreadlake.research.frames.bars import analytics_of
from spreadlake.research.frames.pairs import PAIR_FRAME, PairRequest, pair_frame
from spreadlake.research.series_facts import SeriesFacts, SeriesState
from spreadlake.research.spans import Span
from spreadlake.series import Prices, SeriesKey

MOST_BARS_DRAWN = 200_000
"""Of the bars of one view; memory and time are bounded by it."""

MOST_BARS_READ = 600_000
"""Of the stored bars of a leg that the rows of one view are computed from: a year of minutes."""

MOST_STEPS = 4_000
"""Of one view, whatever step is asked for."""

_STORED = ("price_a", "price_b", "spread", "spread_mean", "spread_std", "zscore", "correlation")
DRAWN = (*_STORED, "deviation")
"""Columns of `pair_analytics`, and `deviation`, the spread less its mean."""

_LATEST = ("beta", "return_correlation", "hedge_bars", "prices")
MOST_EVENTS = 1_000
"""Of one view, the newest."""

_LOOKED_AT = 20_000  # newest events of the pair, of whatever series; where little is new:
_LOOKED_AT_AGAIN = 200


@dataclass(frozen=True)
class ViewRequest:
    """A series, and the span [start, end) (s) of it that is looked at.

    `end` None is the newest bar, `start` None so many `bars` before the end. `points` are to be
    drawn at most about, or one for each `step` seconds where that is given and are not too many.
    With `since` only what is of then or later is asked for, and nothing where `newest` is still the
    end of the newest bar.
    """

    key: SeriesKey
    threshold: float
    prices: Prices | None = None
    start: float | None = None
    end: float | None = None
    bars: int = 900
    points: int = 1000
    step: int | None = None
    since: int | None = None
    newest: int | None = None


@dataclass(frozen=True)
class PairView:
    """What is drawn: `points` as `envelope` gives them, each of `step` seconds.

    [start, end) is what was looked at; `newest` the end of the lake's newest bar (all in s).
    `latest` is the row of the last bar, None where that has none, `state` None where nothing is
    new, `tested` the newest slow statistics of the span. `kept` says that the lake keeps the rows
    up to date, `past` is another text once what was there before may be other than it was.
    """

    request: ViewRequest
    prices: Prices
    kept: bool
    length: int
    step: int
    start: int
    end: int
    first: int
    newest: int
    points: pl.DataFrame
    latest: Mapping[str, object] | None
    state: SeriesState | None
    events: list[AlertEvent]
    rules: list[WatchingRule]
    tested: NewestTest | None
    past: str

    @property
    def bars(self) -> int:
        """Of the whole span."""
        return max(0, self.end - self.start) // self.length


def pair_view(lake: Lake, request: ViewRequest) -> PairView:
    """What is drawn of a series, with the numbers of `pair_analytics`.

    InputError for a symbol without bars, for a timeframe that the stored bars do not divide, and
    for a span of more bars than are drawn at once, or than are computed from.
    """
    with analytics_of(lake) as db:
        facts = SeriesFacts.of(db, lake, request.key, request.prices)
        start, end = _span(request, facts)
        _require_drawable(request, facts, (end - start) // facts.source.length)
        step, since = _steps(request, facts, start, end)
        events = [] if facts.other else _events(db, request, since, max(since, end))
        tested = _tested(db, facts, start, end)
    asked = PairRequest(request.key, facts.other, Span(since, max(since, end)))
    rows = _rows(lake, asked, facts.prices)
    last = rows.row(-1, named=True) if rows.height else None
    latest = last if last and last["time"] + facts.source.length >= end else None
    absent = last is None and facts.first < facts.newest and (end < facts.newest or start == end)
    state = facts.without_rows() if absent else facts.state(latest, last["time"] if last else None)
    return PairView(
        request=request,
        prices=facts.prices,
        kept=facts.told is not None,
        length=facts.source.length,
        step=step,
        start=start,
        end=end,
        first=facts.first,
        newest=facts.newest,
        points=envelope(
            pl.concat([_before(lake, facts, asked.span, rows), rows], how="diagonal"),
            DRAWN,
            step,
            ("zscore", request.threshold),
        ),
        latest=latest,
        state=None if request.newest == facts.newest else state,
        events=events,
        tested=tested,
        rules=facts.rules,
        past=facts.past,
    )


def rows_of_view(lake: Lake, request: ViewRequest) -> PairRequest:
    """Which rows the view is of, for whoever wants all of them; raises as `pair_view` does.

    As many as there are: of these there is no most.
    """
    with analytics_of(lake) as db:
        facts = SeriesFacts.of(db, lake, request.key, request.prices)
    return PairRequest(request.key, facts.other, Span(*_span(request, facts)))


def what_there_is(lake: Lake, request: ViewRequest) -> str:
    """From when to when there are bars for rows of the view's series, in words."""
    with analytics_of(lake) as db:
        return SeriesFacts.of(db, lake, request.key, request.prices).what_there_is()


def _rows(lake: Lake, asked: PairRequest, prices: Prices) -> pl.DataFrame:
    """The rows, with `time` in Unix seconds; those on other prices, of before, are left out."""
    nothing = asked.span.start == asked.span.end
    frame = PAIR_FRAME.to_frame().lazy() if nothing else pair_frame(lake, asked)
    return (
        frame.select("time", *_STORED, *_LATEST)
        .collect()
        .filter(pl.col("prices") == prices)
        .with_columns(
            time=pl.col("time").cast(pl.Int64) // 1_000_000,
            deviation=pl.col("spread") - pl.col("spread_mean"),
        )
    )


def _before(lake: Lake, facts: SeriesFacts, span: Span, rows: pl.DataFrame) -> pl.DataFrame:
    """Prices of the span's bars before its first row: no window is complete there yet."""
    source, pair = facts.source, facts.key.legs
    begins = rows["time"][0] if rows.height else int(span.end or 0)
    low, high = int(span.start or 0) // source.length, begins // source.length
    if high <= low:
        return rows.clear()
    with analytics_of(lake) as db:
        closes = source.matrix(db, tuple(pair), low, high)
    prices = {"price_a": closes.close[0], "price_b": closes.close[1]}
    times = (closes.start + np.arange(closes.close.shape[1])) * source.length
    frame = pl.DataFrame({"time": times.astype(np.int64), **prices}, nan_to_null=True)
    return frame.drop_nulls()


def _events(db: sqlite3.Connection, request: ViewRequest, start: int, end: int) -> list[AlertEvent]:
    if request.since is None:
        return series_events(db, request.key, start, end, MOST_EVENTS, _LOOKED_AT)
    # Of those that are open the one that ends now may have opened before all of these.
    again = series_events(db, request.key, start, end, MOST_EVENTS, _LOOKED_AT_AGAIN)
    ended = ended_events(db, request.key, start, end, MOST_EVENTS)
    found = {one.id: one for one in (*again, *ended)}
    return sorted(found.values(), key=lambda one: -one.opened_at)


def _tested(db: sqlite3.Connection, facts: SeriesFacts, start: int, end: int) -> NewestTest | None:
    if facts.told is None:
        return None
    return newest_test(db, facts.key.stationarity, start, end, facts.prices)


def _span(request: ViewRequest, facts: SeriesFacts) -> tuple[int, int]:
    """Seconds [start, end) of bars that are there; empty where none of them is."""
    length, newest = facts.source.length, facts.newest
    end = newest if request.end is None else min(newest, _ceiling(request.end, length))
    start = end - request.bars * length
    if request.start is not None:
        start = _ceiling(request.start, length)
    end = max(end, facts.first)
    return min(max(start, facts.first), end), end


def _require_drawable(request: ViewRequest, facts: SeriesFacts, bars: int) -> None:
    if bars > MOST_BARS_DRAWN:
        raise InputError(
            f"that are {bars:,} bars of {request.key.timeframe}, and at most "
            f"{MOST_BARS_DRAWN:,} are drawn at once: choose a shorter range or a longer timeframe"
        )
    read = facts.read_for(bars)
    if read > MOST_BARS_READ:
        raise InputError(
            f"that is computed from {read:,} bars of {facts.source.stored}, and at most "
            f"{MOST_BARS_READ:,} are read at once: choose a shorter range, window or lookback, "
            "or a timeframe that the lake has"
        )


def _ceiling(seconds: float, length: int) -> int:
    return int(-(-seconds // length)) * length


def _steps(request: ViewRequest, facts: SeriesFacts, start: int, end: int) -> tuple[int, int]:
    """Seconds that a point stands for, and the time from which on there are points."""
    length = facts.source.length
    usual = step_of(max((end - start) // length, 1), request.points) * length
    step = usual if request.step is None else request.step
    if step % length:
        raise InputError(f"step={step} is no whole number of bars, which are {length} s long each")
    since = _since(request, step, start)
    if (end - since) // step > MOST_STEPS:
        step, since = usual, _since(request, usual, start)
    return step, end if request.newest == facts.newest else since  # that is: nothing is new


def _since(request: ViewRequest, step: int, start: int) -> int:
    return start if request.since is None else max(start, request.since // step * step)
