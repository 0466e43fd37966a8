"""The alert state machine: rows of the series of one pair in, events out. Pure.

A rule may watch a pair in several series, one for each lookback, and has one event of it at a time.
An event opens at the bar where |z| of a series has passed the threshold `min_bars` bars in a row
(and the gates allow it); of several at the same bar it is that of the first series. It keeps its
peak, and closes at the first bar where |z| of its series is under the close level; for
`quiet_seconds` after that bar none opens. A bar without a z-score (stale or flat) is no evidence
either way: an open event stays open, and a count of bars in a row starts over. Such counts go on
while an event is open and while it is quiet: they depend on rows alone.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spreadlake.quant.arrays import Bools, Floats, Ints


@dataclass(frozen=True)
class AlertLevels:
    """What a rule asks of |z|: see `spreadlake.config.AlertRule`."""

    threshold: float
    close_below: float
    min_bars: int = 1
    quiet_seconds: float = 0.0


@dataclass(frozen=True)
class AlertEvent:
    """One alert; times are bar times (s), `closed_at` is None while it is open.

    `peak_zscore` is the z-score farthest from zero from the opening on, before the closing;
    `series` says in which of the series of the pair it opened.
    """

    opened_at: int
    opened_zscore: float
    peak_zscore: float
    closed_at: int | None = None
    closed_zscore: float | None = None
    series: int = 0


@dataclass(frozen=True)
class AlertState:
    """Where the machine stands after a bar; nothing in it is of before there were rows.

    For each series its bars in a row that count, as many as matter; the event that is open; and
    before which time (s) none opens.
    """

    streaks: tuple[int, ...] = ()
    event: AlertEvent | None = None
    quiet_until: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether a bar counts towards an opening."""
        return any(self.streaks)


def scan(
    state: AlertState,
    times: Ints,
    zscores: Floats,
    allowed: Bools,
    levels: AlertLevels,
) -> tuple[AlertState, list[AlertEvent]]:
    """Runs the machine over rows in order of time; returns its state and every event it touched.

    zscores: (series, rows), NaN where there is none; `allowed` of the same shape, whether the gates
    let an event open. The last event is still open if `closed_at` is None. Splitting the rows in
    any way gives the same events: the state carries over.
    """
    size = np.abs(zscores)
    streaks = _streaks(state, (size > levels.threshold) & allowed)
    opens, under = streaks >= levels.min_bars, size < levels.close_below
    opens_any: Bools = np.any(opens, axis=0)
    event, quiet_until = state.event, state.quiet_until
    events: list[AlertEvent] = []
    at = 0
    while at < len(times):
        if event is None:
            at = _first(opens_any, max(at, int(np.searchsorted(times, quiet_until))))
            if at == len(times):
                break
            series = int(np.argmax(opens[:, at]))
            z = float(zscores[series, at])
            event, at = AlertEvent(int(times[at]), z, z, series=series), at + 1
        own = zscores[event.series]
        end = _first(under[event.series], at)
        event = replace(event, peak_zscore=_peak(event.peak_zscore, own[at:end]))
        if end < len(times):
            event = replace(event, closed_at=int(times[end]), closed_zscore=float(own[end]))
            quiet_until = int(times[end]) + levels.quiet_seconds
        events.append(event)
        at, event = end + 1, None if event.closed_at is not None else event
    last = state.streaks if len(times) == 0 else _clipped(streaks[:, -1], levels.min_bars - 1)
    return AlertState(last, event, quiet_until), events


def _streaks(state: AlertState, counts: Bools) -> NDArray[np.int64]:
    """(series, rows): bars in a row that count, up to each row and with it."""
    series, rows = counts.shape
    before = np.array(state.streaks or (0,) * series, dtype=np.int64)[:, None]
    places = np.arange(rows, dtype=np.int64)
    misses = np.where(counts, -1 - before, places)
    return places - np.maximum.accumulate(misses, axis=1)


def _clipped(streaks: NDArray[np.int64], most: int) -> tuple[int, ...]:
    return tuple(int(streak) for streak in np.minimum(streaks, most))


def _first(holds: Bools, at: int) -> int:
    """The first row from `at` on where it holds, else the number of rows."""
    if at >= len(holds):
        return len(holds)
    ahead = int(np.argmax(holds[at:]))
    return at + ahead if holds[at + ahead] else len(holds)


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
