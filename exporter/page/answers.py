"""What the page is told of the lake, as JSON: a view of a pair, what there is, the newest screen.

A number without meaning is null. Times are Unix seconds in UTC, opens of bars but where they are
called a close.
"""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.page.parameters import OF_SERIES, parse_query, view_request
from spreadlake.lake import Lake
from spreadlake.lake.analytics.screens import best_pairs, newest_screens
from spreadlake.status import snapshot
from spreadlake.times import timeframe_seconds

if TYPE_CHECKING:
    from spreadlake.research.pair_view import PairView

_SYMBOLS = 5_000
_RANKED = 25
# Of what is drawn as a line alone, and how many bars a point has: the page asks for neither.
_OF_ONE_LINE = ("_mean_min", "_mean_max", "_std_min", "_std_max", "rows")
_FIRST_SERIES = """
SELECT pair, timeframe, window_bars, lookback_bars, threshold FROM alert_rules
UNION ALL SELECT pair, timeframe, window_bars, lookback_bars, 2.0 FROM pair_status LIMIT 1
"""


def json_bytes(answer: object) -> bytes:
    """As JSON; what is no number is null."""
    return msgspec.json.encode(answer)


def about_lake(lake: Lake) -> dict[str, Any]:
    """The symbols and timeframes that there are, and the series to begin with."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return {"symbols": [], "timeframes": [], "first": None}
        symbols = [
            name
            for (name,) in db.execute(
                "SELECT DISTINCT symbol FROM first_bars ORDER BY symbol LIMIT ?", [_SYMBOLS]
            )
        ]
        names = [name for (name,) in db.execute("SELECT DISTINCT timeframe FROM first_bars")]
        first = db.execute(_FIRST_SERIES).fetchone()
    return {
        "symbols": symbols,
        "timeframes": sorted(names, key=timeframe_seconds),
        "first": _first(first, symbols, names),
    }


def _first(
    series: Sequence[Any] | None, symbols: Sequence[str], timeframes: Sequence[str]
) -> dict[str, Any] | None:
    """What a rule watches or what is kept, else the first two symbols."""
    if series is None and len(symbols) < 2:
        return None
    if series is None:
        shortest = min(timeframes, key=timeframe_seconds)
        series = (f"{symbols[0]}/{symbols[1]}", shortest, 60, 300, 2.0)
    pair, timeframe, window, lookback, threshold = series
    a, b = pair.split("/")
    return {
        "a": a,
        "b": b,
        "timeframe": timeframe,
        "window": window,
        "lookback": lookback,
        "threshold": threshold,
    }


def newest_ranking(lake: Lake) -> list[dict[str, Any]]:
    """The first pairs of the newest screen of each kind; empty where the job does not screen."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return []
        return [
            {
                **key._asdict(),
                **screen._asdict(),
                "close": screen.time + timeframe_seconds(key.timeframe),
                "now": time.time(),
                "ranking": [one._asdict() for one in best_pairs(db, key, screen.time, _RANKED)],
            }
            for key, screen in newest_screens(db).items()
        ]


def view_of_pair(lake: Lake, query: str) -> dict[str, Any]:
    """The view that a query string asks for; InputError where it cannot be had."""
    request = view_request(parse_query(query, OF_SERIES))
    from spreadlake.research.pair_view import MOST_EVENTS, pair_view  # noqa: PLC0415

    return _as_json(pair_view(lake, request), MOST_EVENTS)


def _as_json(view: "PairView", most_alerts: int) -> dict[str, Any]:
    key, points = view.request.key, view.points
    whole = view.step > view.length  # else a point is a bar, and its least and greatest are itself
    left_out = _OF_ONE_LINE if whole else ("_min", "_max", *_OF_ONE_LINE)
    wanted = [name for name in points.columns if not name.endswith(left_out)]
    return {
        "a": key.legs.a,
        "b": key.legs.b,
        "timeframe": key.timeframe,
        "window": key.window,
        "lookback": key.lookback,
        "prices": view.prices,
        "threshold": view.request.threshold,
        "kept": view.kept,
        "length": view.length,
        "step": view.step,
        "start": view.start,
        "end": view.end,
        "bars": view.bars,
        "first": view.first,
        "newest": view.newest,
        "now": time.time(),
        "past": view.past,
        "state": None if view.state is None else view.state._asdict(),
        "latest": view.latest,
        "tested": None if view.tested is None else view.tested._asdict(),
        "points": {name: points[name].to_list() for name in wanted},
        "alerts": [one._asdict() for one in view.events],
        "most_alerts": most_alerts,
        "rules": [one._asdict() for one in view.rules],
    }
