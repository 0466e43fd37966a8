"""Rolls up the rows of a lake that is older than roll-ups: the newest first, a piece at a time."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import unquote

from analytics_job.bars.old import DEFAULT_HOURS
from spreadlake.lake import Lake, atomic
from spreadlake.lake.analytics.rollups import (
    kept_from,
    missing_before,
    rows_to_roll,
    save_first,
    save_missing,
    save_rollups,
    series_in,
)
from spreadlake.lake.files import values_in
from spreadlake.quant.rollups import SPAN_BARS, roll_up, span_seconds
from spreadlake.series import PAIR_ANALYTICS, SeriesKey
from spreadlake.times import timeframe_seconds

_ROWS = 5_000  # of a pair, at a time: live trades wait


class OldRows:
    """What is still to be rolled up; a piece that was interrupted is done again."""

    def __init__(self, db: sqlite3.Connection, lake: Lake, hours: Mapping[str, float]) -> None:
        """`hours`: how long SQLite keeps rows of each timeframe."""
        self._db = db
        self._lake = lake
        self._hours = hours
        self._pieces = self._all()

    def roll_piece(self) -> bool:
        """Rolls up the next piece; False where nothing is left."""
        return next(self._pieces, None) is not None

    def _all(self) -> Iterator[bool]:
        while missing := missing_before(self._db):
            timeframe = max(missing, key=lambda name: missing[name])
            yield from self._newest(timeframe, missing[timeframe])

    def _newest(self, timeframe: str, before: int) -> Iterator[bool]:
        """The last spans of a timeframe that begin before a time, pair by pair."""
        pairs = self._pairs(timeframe)
        span = span_seconds(timeframe_seconds(timeframe))
        most = max((len(keys) for keys in pairs.values()), default=1)
        first, end = self._first(timeframe, before), before // span * span
        start = max(end - span * max(1, _ROWS // (SPAN_BARS * most)), first // span * span)
        for pair, keys in pairs.items():
            rows = rows_to_roll(self._db, self._lake, (pair, timeframe), keys, start, end)
            if rows.height:
                with atomic(self._db):
                    save_rollups(self._db, roll_up(rows, span // SPAN_BARS))
                yield True
        with atomic(self._db):
            save_missing(self._db, timeframe, start if start > first else 0)
            if start <= first:
                save_first(self._db, timeframe, start)
        yield True

    def _first(self, timeframe: str, before: int) -> int:
        """The first second of which roll-ups are kept and there are bars; `before` without any."""
        hours = self._hours.get(timeframe, DEFAULT_HOURS)
        (bar,) = self._db.execute(
            "SELECT min(time) FROM first_bars WHERE timeframe = ?", (timeframe,)
        ).fetchone()
        (final,) = self._db.execute(
            "SELECT coalesce(max(value), 0) FROM progress WHERE key = 'final_time'"
        ).fetchone()
        kept = kept_from(self._db, timeframe, hours, final)
        return min(before, max(before if bar is None else bar, kept))

    def _pairs(self, timeframe: str) -> dict[str, Sequence[SeriesKey]]:
        """The series of each pair in SQLite; none where a pair has rows in Parquet alone."""
        folder = self._lake.root / PAIR_ANALYTICS.name / f"timeframe={timeframe}"
        names = map(unquote, values_in(self._lake, folder, PAIR_ANALYTICS.key[0]))
        pairs: dict[str, list[SeriesKey]] = {name: [] for name in names}
        for key in series_in(self._db, "pair_analytics"):
            if key.timeframe == timeframe:
                pairs.setdefault(key.pair, []).append(key)
        return dict(sorted(pairs.items()))
