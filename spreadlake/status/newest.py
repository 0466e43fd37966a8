"""How far the bars of a lake reach, which is what there is to draw."""

from dataclasses import dataclass

from spreadlake.lake import Lake
from spreadlake.status.snapshots import snapshot
from spreadlake.times import timeframe_seconds


@dataclass(frozen=True)
class BarSpan:
    """The bars of the shortest timeframe: its length, the open of the first, the end of the last.

    All in seconds, Unix time.
    """

    length: int
    first: int
    end: int


# The inner max(time) is one seek at the end of each symbol's range of keys.
_SPANS = """
SELECT timeframe, min(time), max((
  SELECT max(time) FROM bars
  WHERE bars.symbol = first_bars.symbol AND bars.timeframe = first_bars.timeframe))
FROM first_bars GROUP BY timeframe
"""


def bar_span(lake: Lake) -> BarSpan | None:
    """The span of the bars of `lake`; None where it has none."""
    with snapshot(lake.analytics_db) as db:
        rows = [] if db is None else db.execute(_SPANS).fetchall()
    spans = [
        BarSpan(length, first, last + length)
        for length, first, last in ((timeframe_seconds(t), *rest) for t, *rest in rows)
        if last is not None
    ]
    return min(spans, key=lambda span: span.length, default=None)
