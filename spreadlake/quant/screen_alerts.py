"""Alerts on the pairs of a screen: one screen and the open events in, events out. Pure.

The meaning is that of `spreadlake.quant.alerts`, with a screen in the place of a bar: an event
opens where |z| is above the threshold and all else that is asked holds, keeps its peak, and closes
at the first screen whose z has come under the close level, or has crossed to the other side. A pair
has one event at a time, whichever way round a screen tests it: z is of the spread as it was when
the event opened. A pair that a screen leaves out, or gives no z-score, is no evidence either way;
after an hour of that its event closes without a z-score. For `quiet_seconds` after an end the rule
opens no other event of that pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import copysign
from typing import NamedTuple

import polars as pl

from spreadlake.quant.alerts import AlertEvent
from spreadlake.quant.screen import pair_by_name, ranked

UNSEEN_SECONDS = 3_600
"""How long an event stays open while no screen has a z-score of its pair."""


class ScreenLevels(NamedTuple):
    """What a rule asks of a pair; at most `max_open` of its events are open at once.

    `min_persistence` None asks nothing, and lets a pair without one through.
    """

    threshold: float
    close_below: float
    max_qvalue: float
    min_edge_bps: float
    min_persistence: float | None
    min_volume: float
    max_open: int
    quiet_seconds: float = 0.0


@dataclass(frozen=True)
class ScreenEvent:
    """An event of `pair`, named as the screen that opened it did, with that screen's numbers.

    `half_life` is in bars; `seen_at` is the time of the newest screen with a z-score of the pair.
    """

    pair: str
    event: AlertEvent
    qvalue: float
    edge_bps: float
    half_life: float | None
    persistence: float | None
    seen_at: int

    @property
    def is_open(self) -> bool:
        """Whether it goes on at the next screen."""
        return self.event.closed_at is None

    @property
    def name(self) -> str:
        """Of its pair, whichever way round."""
        return "/".join(sorted(self.pair.split("/")))

    def quiets(self, time: int, seconds: float) -> bool:
        """Whether it ended less than so many seconds before the bar `time`."""
        return self.event.closed_at is not None and time < self.event.closed_at + seconds


class ScreenedAlerts(NamedTuple):
    """What a screen made of one rule's events: those that opened, stayed open or closed.

    `left_out` is how many pairs met the rule and found no place among those that may be open.
    """

    events: list[ScreenEvent]
    left_out: int


def scan_screen(
    known: Sequence[ScreenEvent], rows: pl.DataFrame, time: int, levels: ScreenLevels
) -> ScreenedAlerts:
    """Takes in the screen at the bar `time` (Unix seconds).

    `known` are the events that are open before it, and those that ended lately, which may keep
    their pairs quiet; `rows` all its rows (SCREEN_SCHEMA), in any order. A pair whose event closes
    may open another at the next screen at the earliest. Where more pairs meet the rule than may be
    open, those with the greatest edge are taken.
    """
    rows = rows.filter(pl.col("zscore").is_not_null()).with_columns(pair_by_name())
    names = {one.name: one for one in known if one.is_open}
    quiet = {one.name for one in known if one.quiets(time, levels.quiet_seconds)}
    seen = rows.filter(pl.col("pair").is_in(list(names)))
    zscores = {
        name: _as_opened(names[name].pair, a, beta, zscore)
        for name, a, beta, zscore in seen.select("pair", "symbol_a", "beta", "zscore").rows()
    }
    events = [_follow(one, zscores.get(name), time, levels) for name, one in names.items()]
    room = levels.max_open - sum(one.is_open for one in events)
    found = rows.filter(_meets(levels) & ~pl.col("pair").is_in([*names, *quiet]))
    best = ranked(found, "edge_bps", top=max(room, 0))
    columns = ("symbol_a", "symbol_b", "zscore", "qvalue", "edge_bps", "half_life", "persistence")
    new = [_opening(time, *row) for row in best.select(columns).rows()]
    return ScreenedAlerts(events + new, found.height - len(new))


def _meets(levels: ScreenLevels) -> pl.Expr:
    """A number that is missing meets nothing."""
    meets = (
        (pl.col("zscore").abs() > levels.threshold)
        & (pl.col("qvalue") <= levels.max_qvalue)
        & (pl.col("edge_bps") >= levels.min_edge_bps)
        & (pl.min_horizontal("volume_a", "volume_b") >= levels.min_volume)
    )
    if levels.min_persistence is not None:
        meets &= pl.col("persistence") >= levels.min_persistence
    return meets


def _opening(
    time: int,
    symbol_a: str,
    symbol_b: str,
    zscore: float,
    qvalue: float,
    edge_bps: float,
    half_life: float | None,
    persistence: float | None,
) -> ScreenEvent:
    event = AlertEvent(time, zscore, zscore)
    pair = f"{symbol_a}/{symbol_b}"
    return ScreenEvent(pair, event, qvalue, edge_bps, half_life, persistence, time)


def _as_opened(pair: str, symbol_a: str, beta: float, zscore: float) -> float:
    """z of a row's spread, seen from the side of the spread that `pair` names.

    A − βB that is wide is B − A/β that is narrow, and as wide where β is negative.
    """
    return zscore if pair.startswith(f"{symbol_a}/") else -copysign(1.0, beta) * zscore


def _follow(one: ScreenEvent, zscore: float | None, time: int, levels: ScreenLevels) -> ScreenEvent:
    event = one.event
    if zscore is None:
        gone = time - one.seen_at >= UNSEEN_SECONDS
        return replace(one, event=replace(event, closed_at=time)) if gone else one
    if copysign(1.0, event.opened_zscore) * zscore < levels.close_below:
        event = replace(event, closed_at=time, closed_zscore=zscore)
    elif abs(zscore) > abs(event.peak_zscore):
        event = replace(event, peak_zscore=zscore)
    return replace(one, event=event, seen_at=time)
