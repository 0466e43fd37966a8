"""Rolls old bars, pair analytics and tests from SQLite to Parquet, a piece at a time.

A piece is written beside, synced, read back and compared, renamed, and only then deleted from
SQLite. A crash in between leaves rows in both places, where readers take SQLite's; the next pass
merges them again. Rows that are computed anew for an archived piece wait in SQLite for it. Then
the hours of days that are over become one file, an hour of it at a time.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import polars as pl

from analytics_job.archive.compaction import Compaction
from analytics_job.archive.old_events import OldEvents
from analytics_job.archive.removal import Removal, remove_old_rollups
from analytics_job.bars.old import DEFAULT_HOURS
from spreadlake.lake import Lake, atomic
from spreadlake.lake.analytics.archive import Piece, fetch_frame, read_piece, write_piece
from spreadlake.lake.databases.connections import shrink
from spreadlake.lake.files import is_there
from spreadlake.lake.sizes import ColdKind
from spreadlake.series import TABLES, Table

log = logging.getLogger(__name__)

_LOOK_MS = 60_000  # of exchange time, between two looks at what is old enough
_FREE_PAGES = 2_000  # given back to the file system after each piece
_DELETE_ROWS = 2_000  # a piece goes in steps that do not hold up the job for long


class Retention:
    """Keeps `hours` of each timeframe in SQLite, and `alert_days` of alert events."""

    def __init__(
        self,
        db: sqlite3.Connection,
        lake: Lake,
        hours: Mapping[str, float],
        keep_days: Mapping[ColdKind, float] | None = None,
        alert_days: float = 90.0,
    ) -> None:
        self._db = db
        self._lake = lake
        self._hours = hours
        self._compaction = Compaction(db, lake)
        self._removal = Removal(db, lake, keep_days or {})
        self._old_events = OldEvents(db, alert_days)
        self._pieces: Iterator[Piece] | None = None
        self._days: Iterator[Iterator[None]] = iter(())
        self._day: Iterator[None] = iter(())
        self._next_look_ms = 0

    def roll_piece(self, watermark_ms: int) -> bool:
        """Rolls the next piece that is old enough; False when there is none left for now.

        A piece that raises is passed over until the next look at what is old.
        """
        if self._pieces is None:
            if watermark_ms < self._next_look_ms:
                return False
            self._pieces = self._old_pieces(watermark_ms // 1000)
            now = watermark_ms // 1000
            self._days = chain(
                self._compaction.days(lambda timeframe: self._cutoff(timeframe, now)),
                self._removal.work(now, lambda timeframe: self._cutoff(timeframe, now)),
                remove_old_rollups(self._db, self._hours, now),
                self._old_events.work(now),
            )
        piece = next(self._pieces, None)
        if piece is not None:
            self._roll(piece)
            return True
        if self._compact():
            return True
        self._pieces = None
        self._next_look_ms = watermark_ms + _LOOK_MS
        return False

    def _compact(self) -> bool:
        """A part of the day that is being compacted, or the first one of the next."""
        try:
            next(self._day)
        except StopIteration:
            self._day = next(self._days, iter(()))
            return next(self._day, self) is not self
        return True

    def _cutoff(self, timeframe: str, now: int) -> int:
        return now - int(self._hours.get(timeframe, DEFAULT_HOURS) * 3600)

    def _old_pieces(self, now: int) -> Iterator[Piece]:
        for table in TABLES.values():
            for name, timeframe in self._named(table):
                cutoff = self._cutoff(timeframe, now)
                first = self._first_time(table, name, timeframe, 0)
                while first is not None:
                    piece = Piece.at(table, timeframe, name, first)
                    if is_there(self._lake, piece.whole_day.path(self._lake)):
                        piece = piece.whole_day
                    if piece.end > cutoff:
                        break
                    yield piece
                    # A piece that cannot be rolled now stays, until the next look.
                    first = self._first_time(table, name, timeframe, piece.end)

    def _named(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """(symbol or pair, timeframe) of all that have rows here, followed or no longer."""
        key = self._after(table, ("", ""))
        while key is not None:
            yield key
            key = self._after(table, key)

    def _series(self, table: Table, *named: str) -> Iterator[tuple[Any, ...]]:
        """The keys of all series of a symbol or pair and timeframe that have rows here."""
        rest = len(table.key) - len(named)
        key = self._after(table, (*named, *[-1] * rest)) if rest else named
        while key is not None and key[: len(named)] == named:
            yield key
            key = self._after(table, key)

    def _after(self, table: Table, key: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The next key that there is of so many columns: a seek, however many rows they have."""
        names, marks = ", ".join(table.key[: len(key)]), ", ".join("?" * len(key))
        found: tuple[Any, ...] | None = self._db.execute(
            f"SELECT {names} FROM {table.name} WHERE ({names}) > ({marks}) "
            f"ORDER BY {names} LIMIT 1",
            key,
        ).fetchone()
        return found

    def _first_time(self, table: Table, name: str, timeframe: str, start: int) -> int | None:
        """Time of the oldest row from `start` on: a seek for each series of a symbol or pair."""
        times = [
            self._db.execute(
                f"SELECT MIN(time) FROM {table.name} WHERE {table.is_series} AND time >= ?",
                (*key, start),
            ).fetchone()[0]
            for key in self._series(table, name, timeframe)
        ]
        return min((int(time) for time in times if time is not None), default=None)

    def _roll(self, piece: Piece) -> None:
        write_piece(self._merged(piece), self._lake, piece)
        self._delete(piece)

    def _merged(self, piece: Piece) -> pl.DataFrame:
        """The piece's rows: SQLite's, and those that were archived before and are not there."""
        rows = fetch_frame(self._db, piece.table, *_where(piece))
        key = (*piece.table.key, "time")
        if is_there(self._lake, piece.path(self._lake)):
            cold = read_piece(self._db, self._lake, piece)
            rows = pl.concat([rows, cold]).unique(key, keep="first")
        return rows.sort(key)

    def _delete(self, piece: Piece) -> None:
        where, values = _where(piece)
        with atomic(self._db):
            self._db.execute(
                "INSERT INTO progress VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
                (f"archived:{piece.timeframe}", piece.end),
            )
            self._compaction.came(piece)
        table = piece.table.name
        key = ", ".join((*piece.table.key, "time"))
        deleted = _DELETE_ROWS
        while deleted == _DELETE_ROWS:
            with atomic(self._db):
                deleted = self._db.execute(
                    f"DELETE FROM {table} WHERE ({key}) IN "
                    f"(SELECT {key} FROM {table} WHERE {where} LIMIT {_DELETE_ROWS})",
                    values,
                ).rowcount
        shrink(self._db, _FREE_PAGES)


def _where(piece: Piece) -> tuple[str, tuple[object, ...]]:
    return (
        f"{piece.table.key[0]} = ? AND timeframe = ? AND time >= ? AND time < ?",
        (piece.name, piece.timeframe, piece.start, piece.end),
    )
