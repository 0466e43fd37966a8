"""What a series of pair analytics is worth right now, in a word and in a sentence. Pure."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["PairState", "SeriesStatus", "series_status"]

PairState = Literal["warming", "ready", "stale", "flat"]


@dataclass(frozen=True)
class SeriesStatus:
    """A row of `pair_status` without its key."""

    state: PairState
    bars_have: int
    bars_need: int
    message: str


def series_status(
    have: int, window: int, lookback: int, max_stale: int, *, stale: bool, flat: bool
) -> SeriesStatus:
    """Status after the latest bar; `have` counts the bars that both legs have."""
    if have < window:
        return SeriesStatus("warming", have, window, f"warming up: {have} of {window} bars")
    if stale:
        message = f"stale: a leg has had no trade for more than {max_stale} bars"
        return SeriesStatus("stale", have, window, message)
    if flat:
        message = f"flat: no z-score, a price or the spread does not vary over {window} bars"
        return SeriesStatus("flat", have, window, message)
    if have < lookback:
        message = f"ready: hedge ratio over {have} bars, growing to {lookback}"
        return SeriesStatus("ready", have, window, message)
    return SeriesStatus("ready", have, window, f"ready: hedge ratio over {lookback} bars")
