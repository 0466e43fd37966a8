"""Bars, pair analytics and tests that were rolled to Parquet: where the files are, and their rows.

`<table>/timeframe=T/<symbol|pair>=NAME/date=YYYY-MM-DD/PIECE.parquet`: a piece is an hour (HH) of
timeframes below a minute, and a whole day (`day`) of the others. Once all hours of a day are there
they become one file as well; what comes for that day later is merged into it, so that hours beside
a day are only what a crash has left: the day has the newer rows. A `/` in a pair is written %2F,
as Hive does. Files hold the columns of their table but those that the path names, so that every
reader of Parquet takes the folder as one table. Older files hold these as well, and lack columns
that are newer than they are.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

import polars as pl

from spreadlake.errors import DamagedFileError, ObjectStorageError
from spreadlake.lake.files import is_there, names_in, values_in
from spreadlake.lake.layout import Lake
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.reading import ask, read_whole
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

    @property
    def whole_day(self) -> "Piece":
        """The day that it is of, or is."""
        start = self.start // _DAY * _DAY
        return self._replace(start=start, end=start + _DAY)

    def hours(self, lake: Lake) -> "list[Piece]":
        """The hours of its day that are in files of their own, by time."""
        folder = self.path(lake).parent
        starts = sorted(_hours_in(lake, folder)) if self.end - self.start == _DAY else []
        return [self._replace(start=start, end=start + _HOUR) for start in starts]

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
            name = unquote(name.removeprefix(f"{table.key[0]}="))
            midnight = _midnight(path.parent.name.removeprefix("date="))
            if path.stem == "day":
                return Piece.at(table, timeframe, name, midnight).whole_day
            return Piece.at(table, timeframe, name, midnight + int(path.stem) * _HOUR)
    return None


def days(
    lake: Lake,
    table: Table,
    timeframe: str,
    name: str,
    start: int,
    end: int,
    *,
    newest_first: bool = False,
) -> Iterator[Piece]:
    """The days of [start, end) that have a folder, in order."""
    dates = values_in(lake, _folder(lake, table, timeframe, name), "date")
    for date in reversed(dates) if newest_first else dates:
        midnight = _midnight(date)
        if midnight < end and midnight + _DAY > start:
            yield Piece(table, timeframe, name, midnight, midnight + _DAY)


def read_day(
    db: sqlite3.Connection,
    lake: Lake,
    day: Piece,
    start: int,
    end: int,
    columns: Collection[str] | None = None,
) -> list[pl.DataFrame]:
    """What Parquet holds of a day from `start` to before `end`; of two rows the first one counts.

    All columns, or those of the key and `columns`.
    The files of hours are read before the day's, which takes their place: nothing is missed while
    that happens.
    """
    inside = (pl.col("time") >= start) & (pl.col("time") < end)
    hours = [
        frame
        for hour in day.hours(lake)
        if hour.end > start and hour.start < end
        for frame in _if_there(db, lake, hour, inside, columns)
    ]
    return [*_if_there(db, lake, day, inside, columns), *hours]


def first_piece(
    lake: Lake, table: Table, timeframe: str, name: str, start: int, end: int
) -> tuple[int, int] | None:
    """(start, end) of the first piece of time in [start, end) that may have rows in Parquet."""
    size = piece_seconds(timeframe)
    for day in days(lake, table, timeframe, name, start, end):
        if is_there(lake, day.path(lake)):
            time = _first_time(lake, day.path(lake), max(day.start, start))
            if time is not None and time < end:
                return time // size * size, time // size * size + size
        for hour in day.hours(lake):
            if hour.end > start and hour.start < end:
                return hour.start, hour.end
    return None


def _first_time(lake: Lake, path: Path, start: int) -> int | None:
    """The first time from `start` on in a file; `start` where it cannot be read.

    Whoever reads its rows says then what is wrong with it.
    """
    later = pl.col("time") >= start
    try:
        first = ask(
            lake, path, lambda file: file.select("time").filter(later).min().collect().item()
        )
    except DamagedFileError:
        return start
    return None if first is None else int(first)


def _if_there(
    db: sqlite3.Connection,
    lake: Lake,
    piece: Piece,
    where: pl.Expr,
    columns: Collection[str] | None,
) -> Iterator[pl.DataFrame]:
    path = piece.path(lake)
    if not is_there(lake, path):
        return
    try:
        yield read_piece(db, lake, piece, where, columns)
    except DamagedFileError:
        if is_there(lake, path):
            raise


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


def read_piece(
    db: sqlite3.Connection,
    lake: Lake,
    piece: Piece,
    where: pl.Expr | None = None,
    columns: Collection[str] | None = None,
) -> pl.DataFrame:
    """The rows of one file, or those that `where` holds for, with the table's columns in `db`.

    Or with those of its key and `columns` alone.
    A column that may be NULL, and that the file is older than, is NULL; so a column that is added
    to an archived table may be NULL. DamagedFileError if the file cannot be read.
    """
    schema, may_lack = declared(db, piece.table)
    if columns is not None:
        wanted = {*columns, *piece.table.key, "time"}
        schema = pl.Schema({name: type_ for name, type_ in schema.items() if name in wanted})
    return read_whole(lake, piece.path(lake), schema, piece.said_by_path, may_lack, where)


def write_piece(rows: pl.DataFrame, lake: Lake, piece: Piece) -> None:
    """Puts the rows of a piece in its file, as `write_durably` does."""
    on_logs = "prices" in rows and rows["prices"].null_count() < rows.height
    write_durably(rows.drop(not_in_file(piece, on_logs=on_logs)), piece.path(lake))


def not_in_file(piece: Piece, *, on_logs: bool) -> list[str]:
    """The columns that the piece's file does without: what its path says, and prices that are raw.

    So a folder of raw ones is one table to readers who want all files of it to have the same
    columns, with those from before there were other prices.
    """
    has_prices = piece.table.name != "bars"
    return [*piece.said_by_path, *(["prices"] if has_prices and not on_logs else [])]


def is_on_logs(piece: Piece, lake: Lake) -> bool:
    """Whether the piece's file, where it is there, has rows that are not on raw prices.

    ObjectStorageError where the bucket that has it does not say: it is not known then.
    """
    try:
        return ask(lake, piece.path(lake), lambda file: "prices" in file.collect_schema())
    except ObjectStorageError:
        raise
    except DamagedFileError:
        return False


def _hours_in(lake: Lake, folder: Path) -> set[int]:
    names = {f"{hour:02}.parquet": hour for hour in range(24)}
    there = [names[name] for name in names_in(lake, folder) if name in names]
    midnight = _midnight(folder.name.removeprefix("date=")) if there else 0
    return {midnight + hour * _HOUR for hour in there}


def _midnight(date: str) -> int:
    return int(datetime.fromisoformat(f"{date}T00:00:00+00:00").timestamp())


def _folder(lake: Lake, table: Table, timeframe: str, name: str) -> Path:
    folder = lake.root / table.name / f"timeframe={timeframe}"
    return folder / f"{table.key[0]}={quote(name, safe='')}"
