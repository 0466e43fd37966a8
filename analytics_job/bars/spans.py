"""Keeps `breaks`, `joins` and `stops`: where trading broke off, where each symbol began after that,
and where it ended before.

`breaks` holds those that end before what is final; `progress` says how far bars reach. Trades
that wait are given again at a start, so that what they say of breaks need not be stored.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence

import polars as pl

from spreadlake.quant.breaks import Spans

# Seconds [?1, ?2] of a span: who was there before, and did not stop since, did not join.
_NOT_JOINED = """
DELETE FROM joins WHERE time > ?1 AND time <= ?2 AND EXISTS (
  SELECT 1 FROM joins AS j
  WHERE j.symbol = joins.symbol AND j.time >= ?1 AND j.time < joins.time AND NOT EXISTS (
    SELECT 1 FROM stops AS s
    WHERE s.symbol = j.symbol AND s.time > j.time AND s.time <= joins.time))
"""
# Of `progress`: symbols that joined, and whose klines from before were not looked at since.
JOINED = "kline_join:"


class SpanStore:
    """Spans of trading, and their tables; writes inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, limit: int) -> None:
        """`limit`: seconds without a trade of any symbol that are no break yet."""
        self._db = db
        self._stored: set[tuple[int, int]] = set(
            db.execute('SELECT "start", "end" FROM breaks').fetchall()
        )
        self.spans = Spans(limit, self._load())
        self.joined_lately = True  # whoever takes klines looks at it, and sets it back

    def _load(self) -> list[tuple[int, int]]:
        first = self._db.execute("SELECT MIN(time) FROM joins").fetchone()[0]
        stored = dict(self._db.execute("SELECT key, value FROM progress").fetchall())
        if first is None or stored.get("final_time") is None:
            return []
        covered = stored.get("covered_time", stored["final_time"] - 1)
        breaks = sorted(self._stored)
        firsts = [first, *(end for _, end in breaks)]
        lasts = [*(start - 1 for start, _ in breaks), covered]
        return list(zip(firsts, lasts, strict=True))

    def store(self, final: int) -> None:
        """Writes down the breaks there are before the second `final`."""
        now = set(self.spans.breaks(final))
        if now != self._stored:
            self._db.executemany(
                'DELETE FROM breaks WHERE "start" = ?',
                ((start,) for start, _ in self._stored - now),
            )
            self._db.executemany("INSERT INTO breaks VALUES (?, ?)", now - self._stored)
            self._stored = now
        covered = self.spans.last_before(final)
        if covered is not None:
            self._db.execute(
                "INSERT OR REPLACE INTO progress VALUES ('covered_time', ?)", (covered,)
            )

    def join(self, firsts: Iterable[tuple[str, int]]) -> None:
        """Symbols that begin at a second of some span, or go on at it; `settle` is to follow."""
        for symbol, time in firsts:
            self._db.execute("INSERT OR IGNORE INTO joins VALUES (?, ?)", (symbol, time))
            # Whoever makes bars of klines carries the last one up to here.
            key = f"{JOINED}{symbol}:{time}"
            self._db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (key, time))
            self.joined_lately = True

    def stop(self, symbol: str, start: int, end: int, seconds: Iterable[int]) -> None:
        """A symbol's bars of [start, end) end at these seconds; where they go on is not told."""
        self._db.execute(
            "DELETE FROM stops WHERE symbol = ? AND time >= ? AND time < ?", (symbol, start, end)
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO stops VALUES (?, ?)", [(symbol, at) for at in seconds]
        )

    def settle(self, symbols: Sequence[str], start: int, end: int) -> None:
        """After bars of [start, end) were made again: who has bars before a join did not join."""
        for piece in self.spans.within(start, end):
            low, high = self.spans.span_of(piece.start) or (start, start)
            self._db.execute(
                f"{_NOT_JOINED} AND symbol IN (SELECT value FROM json_each(?3))",
                (low, high, json.dumps(symbols)),
            )

    def stopped(self, symbol: str, second: int) -> int | None:
        """From when on a symbol has no bars up to `second`; None where it never stopped so."""
        row = self._db.execute(
            "SELECT MAX(time) FROM stops WHERE symbol = ?1 AND time <= ?2 AND time > "
            "ifnull((SELECT MAX(time) FROM joins WHERE symbol = ?1 AND time <= ?2), -1)",
            (symbol, second),
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def grown(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Spans that grew together over `ranges`: who was there before did not join after."""
        for start, _ in ranges:
            low, high = self.spans.span_of(start) or (start, start)
            self._db.execute(_NOT_JOINED, (low, high))

    def own(self, symbol: str, low: int, high: int) -> list[tuple[int, int]]:
        """Seconds [start, end) of [low, high) from each of a symbol's joins on, with bars.

        That is to the end of the span, or to where the symbol stopped.
        """
        rows = self._db.execute(
            "SELECT time, (SELECT MIN(s.time) FROM stops AS s "
            "WHERE s.symbol = j.symbol AND s.time > j.time) "
            "FROM joins AS j WHERE symbol = ? ORDER BY time",
            (symbol,),
        ).fetchall()
        ends = [
            (time, min((self.spans.span_of(time) or (time, time))[1] + 1, stop or 2**62))
            for time, stop in rows
        ]
        return [(time, end) for time, end in ends if time < high and end > low]

    def joined(self, symbol: str, second: int) -> int:
        """When a symbol that has bars at a second joined last."""
        row = self._db.execute(
            "SELECT MAX(time) FROM joins WHERE symbol = ? AND time <= ?", (symbol, second)
        ).fetchone()
        return second if row[0] is None else int(row[0])

    def next_join(self, symbol: str, after: int) -> int | None:
        """The first second from `after` on at which a symbol joins."""
        row = self._db.execute(
            "SELECT MIN(time) FROM joins WHERE symbol = ? AND time >= ?", (symbol, after)
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def first_of(self, frame: pl.DataFrame) -> list[tuple[str, int]]:
        """(symbol, time) of each symbol's first bar in a frame."""
        return frame.group_by("symbol").agg(pl.col("time").min()).rows()


def merge_ranges(ranges: Iterable[tuple[int, int]], gap: int = 0) -> list[tuple[int, int]]:
    """Ranges [start, end) in order, those no farther than `gap` from one another as one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged
