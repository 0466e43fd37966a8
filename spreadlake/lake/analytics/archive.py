"""Bars, pair analytics and tests that were rolled to Parquet: where the files are, and their rows.

`<table>/timeframe=T/<symbol|pair>=NAME/date=YYYY-MM-DD/PIECE.parquet`: a piece is an hour (HH) of
timeframes below a minute, and a whole day (`day`) of the others. A `/` in a pair is written %2F,
as Hive does. Files hold the columns of their table but those that the path names, so that every
reader of Parquet takes the folder as one table. Older files hold these as well, and lack columns
that are newer than they are.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import polars as pl

from spreadlake.lake.layout import Lake
from spreadlake.lake.parquet import read_whole, write_durably
from spreadlake.series import TABLES, Table
from spreadlake.times import timeframe_seconds

_TYPES = {"TEXT": pl.String(), "INTEGER": pl.Int64(), "REAL": pl.Float64()}
_DAY = 86_400
_HOUR = 3_600


class Piece(NamedTuple):
    """All rows of a symbol or pair with start <= time < end: what one file holds."""

    table: Table
    timeframe: str
    name: str
    start: int
    end: int

    @classmethod
    def at(cls, table: Table, timeframe: str, name: str, time: int) -> "Piece":
        """The piece that holds the second `time`."""
        size = piece_seconds(timeframe)
        start = time // size * size
        return cls(table, timeframe, name, start, start + size)

    def path(self, lake: Lake) -> Path:
        """Where its file is, or would be."""
        begin = datetime.fromtimestamp(self.start, UTC)
        file = "day" if self.end - self.start == _DAY else f"{begin:%H}"
        folder = _folder(lake, self.table, self.timeframe, self.name)
        return folder / f"date={begin:%Y-%m-%d}" / f"{file}.parquet"

    @property
    def said_by_path(self) -> dict[str, str]:
        """The columns that the file need not hold, and their values."""
        return {self.table.key[0]: self.name, "timeframe": self.timeframe}


def piece_seconds(timeframe: str) -> int:
    """How much time one file holds."""
    return _HOUR if timeframe_seconds(timeframe) < 60 else _DAY


def piece_of(lake: Lake, path: Path) -> Piece | None:
    """The inverse of `Piece.path`; None for another file."""
    for table in TABLES.values():
        if path.is_relative_to(lake.root / table.name):
            timeframe, name, _ = path.parent.relative_to(lake.root / table.name).parts
            timeframe = timeframe.removeprefix("timeframe=")
            start = _start(path, piece_seconds(timeframe))
            name = unquote(name.removeprefix(f"{table.key[0]}="))
            return Piece.at(table, timeframe, name, start)
    return None


def pieces(
    lake: Lake,
    table: Table,
    timeframe: str,
    name: str,
    start: int,
    end: int,
    *,
    newest_first: bool = False,
) -> Iterator[Piece]:
    """Those whose file may hold times of [start, end), in order; asks only for days there are."""
    size = piece_seconds(timeframe)
    days = _folder(lake, table, timeframe, name).glob("date=*")
    for day in sorted(days, reverse=newest_first):
        midnight = _midnight(day)
        if midnight + _DAY <= start or midnight >= end:
            continue
        for path in sorted(day.glob("*.parquet"), reverse=newest_first):
            piece = Piece.at(table, timeframe, name, _start(path, size))
            if piece.end > start and piece.start < end:
                yield piece


def declared(db: sqlite3.Connection, table: Table) -> tuple[pl.Schema, list[str]]:
    """The columns of a table as this lake has it, and which of them may be NULL."""
    columns = db.execute(f"PRAGMA table_info({table.name})").fetchall()
    schema = pl.Schema({name: _TYPES[type_] for _, name, type_, *_ in columns})
    return schema, [name for _, name, _, needed, *_ in columns if not needed]


def fetch_frame(
    db: sqlite3.Connection, table: Table, where: str, values: Sequence[object]
) -> pl.DataFrame:
    """Rows of a table in SQLite, typed as its columns are declared."""
    schema, _ = declared(db, table)
    names = ", ".join(schema.names())
    rows = db.execute(f"SELECT {names} FROM {table.name} WHERE {where}", tuple(values)).fetchall()
    return pl.DataFrame(rows, schema=schema, orient="row")


def read_piece(db: sqlite3.Connection, lake: Lake, piece: Piece) -> pl.DataFrame:
    """The rows of one file, with the columns that the table has in `db` now.

    A column that may be NULL, and that the file is older than, is NULL; so a column that is added
    to an archived table may be NULL. DamagedFileError if the file cannot be read.
    """
    schema, may_lack = declared(db, piece.table)
    return read_whole(piece.path(lake), schema, piece.said_by_path, may_lack)


def write_piece(rows: pl.DataFrame, lake: Lake, piece: Piece) -> None:
    """Puts the rows of a piece in its file, as `write_durably` does."""
    write_durably(rows.drop(piece.said_by_path), piece.path(lake))


def _start(path: Path, size: int) -> int:
    return _midnight(path.parent) + (int(path.stem) * _HOUR if size == _HOUR else 0)


def _midnight(day: Path) -> int:
    return int(datetime.fromisoformat(f"{day.name[5:]}T00:00:00+00:00").timestamp())


def _folder(lake: Lake, table: Table, timeframe: str, name: str) -> Path:
    folder = lake.root / table.name / f"timeframe={timeframe}"
    return folder / f"{table.key[0]}={quote(name, safe='')}"
