"""The alert state machine: rows of one series in, events out. Pure.

An event opens at the bar where |z| has passed the threshold `min_bars` bars in a row (and the
gates allow it), keeps its peak, and closes at the first bar where |z| is under the close level.
A bar without a z-score (stale or flat) is no evidence either way: an open event stays open, and
a count of bars in a row starts over.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from spreadlake.quant.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class AlertLevels:
    """What a rule asks of |z|: see `spreadlake.config.AlertRule`."""

    threshold: float
    close_below: float
    min_bars: int = 1


@dataclass(frozen=True)
class AlertEvent:
    """One alert; times are bar times (s), `closed_at` is None while it is open.

    `peak_zscore` is the z-score farthest from zero from the opening on, before the closing.
    """

    opened_at: int
    opened_zscore: float
    peak_zscore: float
    closed_at: int | None = None
    closed_zscore: float | None = None


@dataclass(frozen=True)
class AlertState:
    """Where the machine stands after a bar: bars in a row that count, and the open event."""

    streak: int = 0
    event: AlertEvent | None = None


def scan(
    state: AlertState,
    times: Ints,
    zscores: Floats,
    allowed: Bools,
    levels: AlertLevels,
) -> tuple[AlertState, list[AlertEvent]]:
    """Runs the machine over rows in order of time; returns its state and every event it touched.

    zscores: (rows,), NaN where there is none; `allowed` (rows,) whether the gates let an event
    open. The last event is still open if `closed_at` is None. Splitting the rows in any way
    gives the same events: the state carries over.
    """
    size = np.abs(zscores)
    counts = (size > levels.threshold) & allowed
    under = size < levels.close_below
    events: list[AlertEvent] = []
    at = 0
    while at < len(times):
        if state.event is None:
            at, state = _seek_opening(state, at, times, zscores, counts, levels.min_bars)
        if state.event is not None:
            at, event = _seek_closing(state.event, at, times, zscores, under)
            events.append(event)
            state = AlertState(0, None if event.closed_at is not None else event)
    return state, events


def _seek_opening(
    state: AlertState,
    at: int,
    times: Ints,
    zscores: Floats,
    counts: Bools,
    min_bars: int,
) -> tuple[int, AlertState]:
    """Moves on to the bar after the one that opens an event, or to the end."""
    streak = state.streak
    while at < len(times):
        if not counts[at]:
            streak = 0
            ahead = int(np.argmax(counts[at:]))
            if ahead == 0:
                return len(times), AlertState()
            at += ahead
        streak += 1
        if streak >= min_bars:
            z = float(zscores[at])
            return at + 1, AlertState(streak, AlertEvent(int(times[at]), z, z))
        at += 1
    return at, AlertState(streak)


def _seek_closing(
    event: AlertEvent, at: int, times: Ints, zscores: Floats, under: Bools
) -> tuple[int, AlertEvent]:
    """Moves on to the bar after the one that closes the event, or to the end."""
    ahead = int(np.argmax(under[at:])) if at < len(times) else 0
    closes = at < len(times) and bool(under[at + ahead])
    end = at + ahead if closes else len(times)
    event = replace(event, peak_zscore=_peak(event.peak_zscore, zscores[at:end]))
    if not closes:
        return end, event
    return end + 1, replace(event, closed_at=int(times[end]), closed_zscore=float(zscores[end]))


def _peak(peak: float, zscores: Floats) -> float:
    known = zscores[~np.isnan(zscores)]
    if len(known) == 0:
        return peak
    farthest = float(known[np.argmax(np.abs(known))])
    return farthest if abs(farthest) > abs(peak) else peak


def event_id(
    rule: str, pair: str, timeframe: str, window: int, lookback: int, opened_at: int
) -> int:
    """Id of an event: the same whenever, and in however many steps, the event was found.

    48 bits, so that it survives a JavaScript number.
    """
    key = f"{rule}\x1f{pair}\x1f{timeframe}\x1f{window}\x1f{lookback}\x1f{opened_at}"
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest(), "big")
