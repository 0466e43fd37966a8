"""Bars of a timeframe that was not kept before: made of the stored 1s bars, a piece at a time.

The newest pieces are made first, so that live numbers soon have whole windows; `progress` says
up to where the rest is still to be made.
"""

import sqlite3

from analytics_job.bars.store import BarStore, ChangedBars

_BARS = 100_000  # 1s bars that are made into longer ones in one transaction
_KEY = "build:"


class BarsDue:
    """The time before which each timeframe's bars are to be made; in the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, bars: BarStore) -> None:
        self._db = db
        self._bars = bars
        rows = db.execute(f"SELECT key, value FROM progress WHERE key GLOB '{_KEY}*'").fetchall()
        self._before = {key.removeprefix(_KEY): int(value) for key, value in rows}

    def add(self, timeframe: str, final: int) -> None:
        """All bars that end at or before the second `final` are to be made."""
        length = self._bars.lengths[timeframe]
        if length > 1:
            self._put(timeframe, final // length * length)

    def first(self) -> str | None:
        """A timeframe with bars to be made; None where there is none."""
        return next(iter(self.timeframes()), None)

    def timeframes(self) -> list[str]:
        """Those with bars to be made."""
        return sorted(self._before)

    def seconds(self) -> int:
        """How many seconds of 1s bars are still to be gone through."""
        return sum(
            (high - low) * length
            for timeframe, before in self._before.items()
            for length in [self._bars.lengths[timeframe]]
            for low, high in self._bars.bar_ranges(length, 0, before)
        )

    def forget(self, timeframe: str) -> None:
        """A timeframe is not kept any more."""
        self._put(timeframe, None)

    def make(self, timeframe: str) -> list[ChangedBars]:
        """Makes the newest piece that is due, if any."""
        length, before = self._bars.lengths[timeframe], self._before.get(timeframe, 0)
        last = self._bars.last_bar(length, before)
        if last < 0:
            self._put(timeframe, None)
            return []
        end = (last + 1) * length
        size = max(1, _BARS // max(1, self._bars.symbols) // length) * length
        start = max(0, end - size)
        changed = self._bars.build(timeframe, start, end)
        self._put(timeframe, start)
        return changed

    def _put(self, timeframe: str, before: int | None) -> None:
        key = f"{_KEY}{timeframe}"
        if before is None:
            self._before.pop(timeframe, None)
            self._db.execute("DELETE FROM progress WHERE key = ?", (key,))
        else:
            self._before[timeframe] = before
            self._db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (key, before))
