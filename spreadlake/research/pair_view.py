"""What is drawn of a pair: its numbers over a span of time in a bounded number of points."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.breaks import read_breaks
from spreadlake.lake.analytics.definition import definition_of
from spreadlake.lake.analytics.events import (
    AlertEvent,
    WatchingRule,
    series_events,
    watching_rules,
)
from spreadlake.lake.analytics.past import past_version
from spreadlake.lake.analytics.removal import removed_before
from spreadlake.lake.analytics.slow_statistics import NewestTest, newest_test
from spreadlake.quant.envelope import envelope, step_of
from spreadlake.quant.pair_states import series_status
from spreadlake.research.bar_source import BarSource
from spreadlake.research.frames.bars import analytics_of
from spreadlake.research.frames.pairs import PAIR_FRAME, PairRequest, pair_frame
from spreadlake.research.spans import Span
from spreadlake.series import BARS, PAIR_ANALYTICS, Prices, SeriesKey
from spreadlake.times import iso_utc

MOST_BARS_DRAWN = 200_000
"""Of the bars of one view; memory and time are bounded by it."""

_STORED = ("price_a", "price_b", "spread", "spread_mean", "spread_std", "zscore", "correlation")
DRAWN = (*_STORED, "deviation")
"""Columns of `pair_analytics`, and `deviation`, the spread less its mean."""

_LATEST = ("alpha", "beta", "return_correlation", "hedge_bars", "prices")
MOST_EVENTS = 1_000
"""Of one view, the newest."""

_LOOKED_AT = 20_000  # newest events of the pair, of whatever series; where little is new:
_LOOKED_AT_AGAIN = 200


@dataclass(frozen=True)
class ViewRequest:
    """A series, and the span [start, end) (s) of it that is looked at.

    `end` None is the newest bar, `start` None so many `bars` before the end. `points` are to be
    drawn at most about, or one for each `step` seconds where that is given. With `since` only what
    is of then or later is asked for, and nothing where `newest` is still the end of the newest bar.
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


class ViewState(NamedTuple):
    """What a series is worth now, as `pair_status` says it, in a word and in a sentence."""

    state: str
    message: str


@dataclass(frozen=True)
class PairView:
    """What is drawn: `points` as `envelope` gives them, each of `step` seconds.

    [start, end) is what was looked at; `newest` the end of the lake's newest bar (all in s).
    `latest` is the last row, None where there is none, `state` None where nothing is new, `tested`
    the newest slow statistics of the span. `kept` says that the lake keeps the rows up to date,
    `past` is another text once what was there before may be other than it was.
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
    state: ViewState | None
    events: list[AlertEvent]
    rules: list[WatchingRule]
    tested: NewestTest | None
    past: str

    @property
    def bars(self) -> int:
        """Of the whole span."""
        return max(0, self.end - self.start) // self.length


class _Facts(NamedTuple):
    """What one look at the lake says of a series."""

    source: BarSource
    prices: Prices  # that are asked for
    other: Prices | None  # the same where the lake's own are on others
    max_stale_bars: int
    told: tuple[str, str] | None  # state and message in pair_status, of what the lake keeps
    kept_from: int
    begun: int  # the first bar of both since the last break
    rules: list[WatchingRule]
    past: str

    @classmethod
    def of(cls, db: sqlite3.Connection, lake: Lake, request: ViewRequest) -> "_Facts":
        key, definition = request.key, definition_of(db)
        source = BarSource.of(db, lake, key.timeframe, key.legs)
        # Numbers on the prices that the lake's own are on may be stored, asked for or not.
        prices = request.prices or definition.prices
        other = None if prices == definition.prices else prices
        told = None if other else _told(db, key)
        if told:
            kept_from = removed_before(db, PAIR_ANALYTICS, key.timeframe)
        else:
            kept_from = removed_before(db, BARS, source.stored)
        broken = max((end for _, end in read_breaks(db)), default=0)
        begun = max(*source.first.values(), -(-broken // source.length))
        first = max(source.first.values()) * source.length
        return cls(
            source,
            prices,
            other,
            definition.max_stale_bars,
            told,
            kept_from,
            begun,
            [] if other else watching_rules(db, key),
            past_version(db, key, first),
        )

    @property
    def first(self) -> int:
        """Of which second on there can be rows."""
        return max(max(self.source.first.values()) * self.source.length, self.kept_from)


def pair_view(lake: Lake, request: ViewRequest) -> PairView:
    """What is drawn of a series, with the numbers of `pair_analytics`.

    InputError for a symbol without bars, for a timeframe that the stored bars do not divide, and
    for a span of more bars than are drawn at once.
    """
    key = request.key
    with analytics_of(lake) as db:
        facts = _Facts.of(db, lake, request)
    length, newest = facts.source.length, facts.source.end * facts.source.length
    start, end = _span(request, facts, newest)
    _require_drawable(request, (end - start) // length)
    step = _step(request, length, (end - start) // length)
    since = start if request.since is None else max(start, request.since // step * step)
    if request.newest == newest:
        since = end  # nothing is new
    span = Span(since, max(since, end))
    rows = _rows(lake, PairRequest(key, facts.other, span), facts.prices)
    return PairView(
        request=request,
        prices=facts.prices,
        kept=facts.told is not None,
        length=length,
        step=step,
        start=start,
        end=end,
        first=facts.first,
        newest=newest,
        points=envelope(rows, DRAWN, step, ("zscore", request.threshold)),
        latest=rows.row(-1, named=True) if rows.height else None,
        state=None if request.newest == newest else _state(request, facts, rows, newest),
        events=[] if facts.other else _events(lake, request, since, max(since, end)),
        tested=_tested(lake, key, start, end, facts.prices) if facts.told else None,
        rules=facts.rules,
        past=facts.past,
    )


def rows_of_view(lake: Lake, request: ViewRequest) -> PairRequest:
    """Which rows the view is of, for whoever wants all of them; raises as `pair_view` does.

    As many as there are: of these there is no most.
    """
    with analytics_of(lake) as db:
        facts = _Facts.of(db, lake, request)
    span = _span(request, facts, facts.source.end * facts.source.length)
    return PairRequest(request.key, facts.other, Span(*span))


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


def _events(lake: Lake, request: ViewRequest, start: int, end: int) -> list[AlertEvent]:
    with analytics_of(lake) as db:
        among = _LOOKED_AT if request.since is None else _LOOKED_AT_AGAIN
        return series_events(db, request.key, start, end, MOST_EVENTS, among)


def _tested(lake: Lake, key: SeriesKey, start: int, end: int, prices: Prices) -> NewestTest | None:
    with analytics_of(lake) as db:
        return newest_test(db, key.stationarity, start, end, prices)


def _told(db: sqlite3.Connection, key: SeriesKey) -> tuple[str, str] | None:
    query = f"SELECT state, message FROM pair_status WHERE {PAIR_ANALYTICS.is_series}"
    row = db.execute(query, key).fetchone()
    return None if row is None else (row[0], row[1])


def _span(request: ViewRequest, facts: _Facts, newest: int) -> tuple[int, int]:
    """Seconds [start, end) of bars that are there; empty where none of them is."""
    length = facts.source.length
    end = newest if request.end is None else min(newest, _ceiling(request.end, length))
    start = end - request.bars * length
    if request.start is not None:
        start = _ceiling(request.start, length)
    end = max(end, facts.first)
    return min(max(start, facts.first), end), end


def _require_drawable(request: ViewRequest, bars: int) -> None:
    if bars > MOST_BARS_DRAWN:
        raise InputError(
            f"that are {bars:,} bars of {request.key.timeframe}, and at most "
            f"{MOST_BARS_DRAWN:,} are drawn at once: choose a shorter range or a longer timeframe"
        )


def _ceiling(seconds: float, length: int) -> int:
    return int(-(-seconds // length)) * length


def _step(request: ViewRequest, length: int, bars: int) -> int:
    if request.step is None:
        return step_of(max(bars, 1), request.points) * length
    if request.step % length:
        raise InputError(
            f"step={request.step} is no whole number of bars, which are {length} s long each"
        )
    return request.step


def _state(request: ViewRequest, facts: _Facts, rows: pl.DataFrame, newest: int) -> ViewState:
    """As the job tells it of what it keeps; of others the same words, by their newest row."""
    source, key = facts.source, request.key
    if facts.told is not None:
        return ViewState(*facts.told)
    have = source.end - facts.begun
    if have < key.window:
        return ViewState("warming", f"warming up: {max(0, have)} of {key.window} bars")
    if not rows.height:
        first, last = facts.first, newest - source.length
        return ViewState(
            "none",
            f"no row in that time: the lake has {max(0, newest - first) // source.length:,} bars "
            f"of both, from {iso_utc(first)} to {iso_utc(last)}, and a row needs {key.window}",
        )
    last_row = rows.row(-1, named=True)
    status = series_status(
        have,
        last_row["hedge_bars"] or 0,
        key.window,
        key.lookback,
        facts.max_stale_bars,
        stale=last_row["hedge_bars"] is None,
        flat=last_row["zscore"] is None,
    )
    return ViewState(status.state, status.message)
