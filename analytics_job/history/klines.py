"""Takes klines that are new, symbol by symbol, and those that waited for a first trade."""

import sqlite3

from analytics_job.pipeline import Pipeline
from analytics_job.ticks.tail import TickTail


class KlineBackfill:
    """Reads the klines of a symbol again only when some of it were stored, or it joined anew."""

    def __init__(self, db: sqlite3.Connection, tail: TickTail, pipeline: Pipeline) -> None:
        self._db = db
        self._tail = tail
        self._pipeline = pipeline
        self._version = 0
        self._waiting: dict[str, int] = {}

    def take(self) -> None:
        """What can be taken now; the rest waits for its symbol's first trade."""
        version = self._tail.klines_version()
        if version != self._version or (version and self._pipeline.spans.joined_lately):
            self._pipeline.spans.joined_lately = False
            taken = self._taken()
            found = self._tail.kline_versions()
            self._waiting = {s: n for s, n in found.items() if taken.get(s) != n}
            self._version = version
        for symbol, number in list(self._waiting.items()):
            if self._pipeline.bars.has(symbol):
                self._pipeline.take_klines(symbol, self._tail.klines(symbol), number)
                del self._waiting[symbol]

    def _taken(self) -> dict[str, int]:
        """Of each symbol whose klines were taken, which ones."""
        rows = self._db.execute("SELECT key, value FROM progress WHERE key GLOB 'klines:*'")
        return {key.removeprefix("klines:"): value for key, value in rows.fetchall()}
