"""Bars of klines that are older than what SQLite keeps: they go to their files of Parquet at once.

A year of a market is some hundreds of millions of them: by way of SQLite they would be written
twice and deleted once, and the database would grow by all of them in between.
"""

import sqlite3
from collections.abc import Mapping

import polars as pl

from spreadlake.lake import Lake
from spreadlake.lake.analytics.archive import (
    Piece,
    declared,
    piece_seconds,
    read_piece,
    write_piece,
)
from spreadlake.lake.files import is_there
from spreadlake.series import BARS

DEFAULT_HOURS = 720.0


class OldBars:
    """Writes to whole pieces of the archive; runs inside the caller's transaction.

    A file is in its place before the transaction says so: after a crash it is written again.
    """

    def __init__(self, db: sqlite3.Connection, lake: Lake, hours: Mapping[str, float]) -> None:
        """`hours`: how much of each timeframe SQLite keeps."""
        self._db = db
        self._lake = lake
        self._hours = hours

    def take(
        self, timeframe: str, symbol: str, bars: pl.DataFrame, final: int
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Archives what is old enough of bars of one symbol; (what is left, what is archived).

        Where SQLite has rows of a piece they are the newer ones, and the rest goes there as well.
        """
        cutoff = final - int(self._hours.get(timeframe, DEFAULT_HOURS) * 3600)
        size = piece_seconds(timeframe)
        old = pl.col("time") // size * size + size <= cutoff
        left, archived = [bars.filter(~old)], [bars.clear()]
        pieces = bars.filter(old).with_columns(piece=pl.col("time") // size)
        for part in pieces.partition_by("piece", maintain_order=True, include_key=False):
            piece = Piece.at(BARS, timeframe, symbol, int(part["time"][0]))
            if self._is_hot(piece):
                left.append(part)
            else:
                self._write(piece, part)
                archived.append(part)
        return pl.concat(left), pl.concat(archived)

    def _is_hot(self, piece: Piece) -> bool:
        row = self._db.execute(
            f"SELECT 1 FROM bars WHERE {BARS.is_series} AND time >= ? AND time < ? LIMIT 1",
            (piece.name, piece.timeframe, piece.start, piece.end),
        ).fetchone()
        return row is not None

    def _write(self, piece: Piece, bars: pl.DataFrame) -> None:
        names = declared(self._db, BARS)[0].names()
        rows = bars.with_columns(timeframe=pl.lit(piece.timeframe)).select(names)
        if is_there(self._lake, piece.path(self._lake)):
            held = read_piece(self._db, self._lake, piece)
            rows = pl.concat([rows, held]).unique("time", keep="first").sort("time")
        write_piece(rows, self._lake, piece)
        self._db.execute(
            "INSERT INTO progress VALUES (?, ?) "
            "ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            (f"archived:{piece.timeframe}", piece.end),
        )
