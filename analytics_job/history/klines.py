"""Klines into bars: a piece at a time, in the order in which they were stored.

They are the clock where no trade is later: a lake may have nothing else. A bar of theirs is written
once its end has passed, and never where a symbol has trades of its own.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator, Sequence

from analytics_job.bars.kline_runs import closes_within
from analytics_job.bars.spans import JOINED
from analytics_job.pipeline import Pipeline
from analytics_job.ticks.tail import TickTail
from spreadlake.lake import atomic
from spreadlake.lake.ticks.klines import KlineChange

log = logging.getLogger(__name__)

_PIECE = 7 * 86_400  # seconds of klines in one transaction
_SEQ, _AT, _CLOSED = "klines_seq", "klines_at", "klines_closed"


class KlineHistory:
    """Takes in what is new of klines; costs nothing where nothing is."""

    def __init__(self, db: sqlite3.Connection, tail: TickTail, pipeline: Pipeline) -> None:
        self._db = db
        self._tail = tail
        self._pipeline = pipeline
        lengths = pipeline.bars.lengths
        self._makes_none = all(length % 60 for length in lengths.values())
        self._timeframes = f"bars of {', '.join(lengths)} need trades"
        stored = dict(db.execute("SELECT key, value FROM progress").fetchall())
        self._seq = stored.get(_SEQ, 0)
        self._at = stored.get(_AT, 0)  # up to where the change after `_seq` was taken in
        self._closed = stored.get(_CLOSED, 0)  # `final` when bars were last looked at

    def take(self, seconds: float | None = None) -> bool:
        """Works for about so long (None: to the end); whether there is more to do.

        To be called when all trades have been read.
        """
        stop = None if seconds is None else time.monotonic() + seconds
        changes = self._tail.kline_changes(self._seq)
        if changes and self._makes_none:
            self._makes_none = False  # told once
            log.warning(
                "klines are in the lake that no bars are made of: %s; add 1m, or a multiple of it, "
                "to timeframes",
                self._timeframes,
            )
        if self._pipeline.hours_due.first() is None:
            self._reach(changes)
        self._after_joins()
        self._close()
        for change in changes:
            for start, end in self._pieces(change):
                if end > self._pipeline.position.final_or_start:
                    return False  # it waits for hours of trades that come first
                done = end > change.last
                progress = {_SEQ: change.seq, _AT: 0} if done else {_SEQ: self._seq, _AT: end}
                self._take(change.symbol, start, end, progress)
                self._seq, self._at = progress[_SEQ], progress[_AT]
                if stop is not None and time.monotonic() >= stop:
                    return True
        return False

    def _reach(self, changes: Sequence[KlineChange]) -> None:
        """The clock goes to the end of klines: nothing that is due could make it late."""
        ends = [change.last + 60 for change in changes]
        end = max([self._pipeline.bars.kline_runs.end, *ends])
        if end > self._pipeline.position.klines_end:
            self._pipeline.reach(end)

    def _pieces(self, change: KlineChange) -> Iterator[tuple[int, int]]:
        """[start, end) of what is left of a change."""
        start = max(change.first, self._at)
        while start <= change.last:
            end = min(change.last + 60, start + _PIECE)
            yield start, end
            start = end

    def _after_joins(self) -> None:
        """Where a symbol's trades begin, the last of its klines is carried up to there."""
        spans = self._pipeline.spans
        if not spans.joined_lately:
            return
        rows = self._db.execute(
            "SELECT key, value FROM progress WHERE key GLOB ?", (f"{JOINED}*",)
        ).fetchall()
        for key, joined in rows:
            symbol = key.removeprefix(JOINED).rsplit(":", 1)[0]
            start = joined - spans.spans.limit
            runs = self._pipeline.bars.kline_runs.of(symbol)
            if any(start <= end <= joined for _, end in runs):
                self._take(symbol, start // 60 * 60 - 60, joined, {})
            with atomic(self._db):
                self._db.execute("DELETE FROM progress WHERE key = ?", (key,))
        spans.joined_lately = False

    def _close(self) -> None:
        """Bars that were not over yet when the last of their klines came."""
        final, bars = self._pipeline.position.final_or_start, self._pipeline.bars
        if final // 60 == self._closed // 60:
            return
        for symbol, end in closes_within(
            list(bars.kline_runs.ends()), bars.lengths, self._closed, final
        ):
            self._take(symbol, end - 60, end, {})
        if bars.kline_runs.end:
            with atomic(self._db):
                self._write({_CLOSED: final})
        self._closed = final

    def _take(self, symbol: str, start: int, end: int, progress: dict[str, int]) -> None:
        pipeline = self._pipeline
        klines = self._tail.klines(symbol, *pipeline.kline_bars.margin(start, end))
        with atomic(self._db):
            final = pipeline.position.final_or_start
            changed = pipeline.kline_bars.take(symbol, klines, start, end, final)
            for analyser in pipeline.analysers:
                pipeline.mark(analyser, changed.get(analyser.timeframe, []))
            self._write(progress)
        pipeline.on_commit()

    def _write(self, progress: dict[str, int]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", progress.items())
