"""Rows of `pair_analytics` that were rolled away, for whoever has to look back at them."""

import sqlite3
from collections.abc import Sequence

from spreadlake.lake import Lake
from spreadlake.lake.archive import piece_seconds, read_rows
from spreadlake.pairs import parse_pair

__all__ = ["RowArchive"]

_KEY = ("pair", "timeframe", "window_bars", "lookback_bars")
Key = tuple[str, str, int, int]


class RowArchive:
    """Reads hot and cold rows as one, where a piece of them was rolled to Parquet."""

    def __init__(self, db: sqlite3.Connection, lake: Lake) -> None:
        self._db = db
        self._lake = lake

    def archived_until(self, timeframe: str) -> int:
        """Rows before this time may be in Parquet."""
        row = self._db.execute(
            "SELECT value FROM progress WHERE key = ?", (f"archived:{timeframe}",)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def first_archived(self, key: Key, start: int, end: int) -> Sequence[Sequence[object]]:
        """The first piece that has rows with start <= time < end.

        A row is (time, zscore, correlation, the smaller volume).
        """
        size = piece_seconds(key[1])
        at = max(start, self._first_bar(key))
        while at < end:
            stop = min(at // size * size + size, end)
            named = list(zip(_KEY, key, strict=True))
            frame = read_rows(self._db, self._lake, "pair_analytics", named, at, stop)
            if frame.height:
                columns = frame.select("time", "zscore", "correlation", "volume_a", "volume_b")
                return [(t, z, c, _smaller(a, b)) for t, z, c, a, b in columns.iter_rows()]
            at = stop
        return []

    def _first_bar(self, key: Key) -> int:
        pair = parse_pair(key[0])
        row = self._db.execute(
            "SELECT MAX(time) FROM first_bars WHERE timeframe = ? AND symbol IN (?, ?)",
            (key[1], pair.a, pair.b),
        ).fetchone()
        return 0 if row[0] is None else int(row[0])


def _smaller(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else min(a, b)
