"""Rolls old bars, pair analytics and tests from SQLite to Parquet, a piece at a time.

A piece is written beside, synced, read back and compared, renamed, and only then deleted from
SQLite. A crash in between leaves rows in both places, where readers take SQLite's; the next pass
merges them again. Rows that are computed anew for an archived piece wait in SQLite for it.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from spreadlake.lake import Lake, atomic
from spreadlake.lake.archive import (
    ArchivedTable,
    fetch_frame,
    piece_path,
    piece_seconds,
    read_piece,
    write_piece,
)

log = logging.getLogger(__name__)

DEFAULT_HOURS = 720.0
_LOOK_MS = 60_000  # of exchange time, between two looks at what is old enough
_FREE_PAGES = 2_000  # given back to the file system after each piece
_DELETE_ROWS = 2_000  # a piece goes in steps that do not hold up the job for long


_TABLE_KEYS: Mapping[ArchivedTable, tuple[str, ...]] = {
    "bars": ("symbol", "timeframe", "time"),
    "pair_analytics": ("pair", "timeframe", "window_bars", "lookback_bars", "time"),
    "pair_tests": ("pair", "timeframe", "lookback_bars", "time"),
}
_NAMES = {table: key[0] for table, key in _TABLE_KEYS.items()}
# Where the series are listed that may have rows.
_SOURCES: Mapping[ArchivedTable, str] = {
    "bars": "first_bars",
    "pair_analytics": "pair_status",
    "pair_tests": "pair_status",
}


class _Piece(NamedTuple):
    table: ArchivedTable
    timeframe: str
    name: str
    start: int
    end: int


class Retention:
    """Keeps `hours` of each timeframe in SQLite."""

    def __init__(self, db: sqlite3.Connection, lake: Lake, hours: Mapping[str, float]) -> None:
        self._db = db
        self._lake = lake
        self._hours = hours
        self._pieces: Iterator[_Piece] | None = None
        self._next_look_ms = 0

    def roll_piece(self, watermark_ms: int) -> bool:
        """Rolls the next piece that is old enough; False when there is none left for now.

        A piece that raises is passed over until the next look at what is old.
        """
        if self._pieces is None:
            if watermark_ms < self._next_look_ms:
                return False
            self._pieces = self._old_pieces(watermark_ms // 1000)
        piece = next(self._pieces, None)
        if piece is None:
            self._pieces = None
            self._next_look_ms = watermark_ms + _LOOK_MS
            return False
        self._roll(piece)
        return True

    def _old_pieces(self, now: int) -> Iterator[_Piece]:
        for table in _TABLE_KEYS:
            for name, timeframe in self._series(table):
                size = piece_seconds(timeframe)
                cutoff = now - int(self._hours.get(timeframe, DEFAULT_HOURS) * 3600)
                first = self._first_time(table, name, timeframe, 0)
                while first is not None and first // size * size + size <= cutoff:
                    start = first // size * size
                    yield _Piece(table, timeframe, name, start, start + size)
                    # A piece that cannot be rolled now stays, until the next look.
                    first = self._first_time(table, name, timeframe, start + size)

    def _series(self, table: ArchivedTable) -> list[tuple[str, str]]:
        """(symbol or pair, timeframe) of all that may have rows."""
        rows = self._db.execute(
            f"SELECT DISTINCT {_NAMES[table]}, timeframe FROM {_SOURCES[table]}"
        )
        return [(row[0], row[1]) for row in rows.fetchall()]

    def _first_time(
        self, table: ArchivedTable, name: str, timeframe: str, start: int
    ) -> int | None:
        """Time of the oldest row from `start` on: a seek for each series of a symbol or pair."""
        *key, _ = _TABLE_KEYS[table]
        series = self._db.execute(
            f"SELECT DISTINCT {', '.join(key)} FROM {_SOURCES[table]} "
            f"WHERE {_NAMES[table]} = ? AND timeframe = ?",
            (name, timeframe),
        ).fetchall()
        same = " AND ".join(f"{column} = ?" for column in key)
        times = [
            self._db.execute(
                f"SELECT MIN(time) FROM {table} WHERE {same} AND time >= ?", (*one, start)
            ).fetchone()[0]
            for one in series
        ]
        return min((int(time) for time in times if time is not None), default=None)

    def _roll(self, piece: _Piece) -> None:
        path = piece_path(self._lake, piece.table, piece.timeframe, piece.name, piece.start)
        rows = self._merged(piece, path)
        write_piece(rows, path, piece.table, piece.timeframe, piece.name)
        self._delete(piece)

    def _merged(self, piece: _Piece, path: Path) -> pl.DataFrame:
        """The piece's rows: SQLite's, and those that were archived before and are not there."""
        where, values = _where(piece)
        rows = fetch_frame(self._db, piece.table, where, values)
        keys = _TABLE_KEYS[piece.table]
        if path.exists():
            cold = read_piece(self._db, path, piece.table, piece.timeframe, piece.name)
            rows = pl.concat([rows, cold]).unique(keys, keep="first")
        return rows.sort(keys)

    def _delete(self, piece: _Piece) -> None:
        where, values = _where(piece)
        with atomic(self._db):
            self._db.execute(
                "INSERT INTO progress VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
                (f"archived:{piece.timeframe}", piece.end),
            )
        keys = ", ".join(_TABLE_KEYS[piece.table])
        deleted = _DELETE_ROWS
        while deleted == _DELETE_ROWS:
            with atomic(self._db):
                deleted = self._db.execute(
                    f"DELETE FROM {piece.table} WHERE ({keys}) IN "
                    f"(SELECT {keys} FROM {piece.table} WHERE {where} LIMIT {_DELETE_ROWS})",
                    values,
                ).rowcount
        # A page a row: it does as much as is fetched.
        self._db.execute(f"PRAGMA incremental_vacuum({_FREE_PAGES})").fetchall()


def _where(piece: _Piece) -> tuple[str, tuple[object, ...]]:
    return (
        f"{_NAMES[piece.table]} = ? AND timeframe = ? AND time >= ? AND time < ?",
        (piece.name, piece.timeframe, piece.start, piece.end),
    )
