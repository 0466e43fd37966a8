"""What a series of pair analytics is worth right now, in a word and in a sentence. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spreadlake.times import iso_utc

PairState = Literal["warming", "ready", "stale", "flat"]


@dataclass(frozen=True)
class SeriesStatus:
    """A row of `pair_status` without its key."""

    state: PairState
    bars_have: int
    bars_need: int
    message: str
    hedge_bars: int | None = None


def series_status(
    have: int,
    hedge_bars: int,
    window: int,
    lookback: int,
    max_stale: int,
    *,
    stale: bool,
    flat: bool,
) -> SeriesStatus:
    """Status after the latest bar; `have` counts the bars that both legs have.

    `hedge_bars` of them are in the regression, once there is one.
    """
    if have < window:
        return SeriesStatus("warming", have, window, f"warming up: {have} of {window} bars")
    if stale:
        message = f"stale: a leg has had no trade for more than {max_stale} bars"
        return SeriesStatus("stale", have, window, message, hedge_bars)
    if flat:
        message = f"flat: no z-score, a price or the spread does not vary over {window} bars"
        return SeriesStatus("flat", have, window, message, hedge_bars)
    growing = f", growing to {lookback}" if hedge_bars < lookback else ""
    message = f"ready: hedge ratio over {hedge_bars} bars{growing}"
    return SeriesStatus("ready", have, window, message, hedge_bars)


def ended_status(ended: Mapping[str, int], window: int) -> SeriesStatus:
    """Status while legs have no bars any more: each with the second from which on that is so."""
    legs = " and ".join(f"{leg} since {iso_utc(second)}" for leg, second in ended.items())
    message = f"ended: no bars of {legs}: it is not captured any more, or was delivered"
    return SeriesStatus("stale", 0, window, message)
