"""Bars, pair analytics and tests that were rolled to Parquet, and readers that see both places.

`<table>/timeframe=T/<symbol|pair>=NAME/date=YYYY-MM-DD/PIECE.parquet`: a piece is an hour (HH) of
timeframes below a minute, and a whole day (`day`) of the others. A `/` in a pair is written %2F,
as Hive does. Files hold the columns of their table but those that the path names, so that every
reader of Parquet takes the folder as one table. Older files hold these as well, and lack columns
that are newer than they are. Where a row is in both, SQLite has the newer.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

import polars as pl

from spreadlake.lake.layout import Lake
from spreadlake.lake.parquet import read_whole, write_durably
from spreadlake.times import timeframe_seconds

ArchivedTable = Literal["bars", "pair_analytics", "pair_tests"]

_NAME_COLUMN: dict[ArchivedTable, str] = {
    "bars": "symbol",
    "pair_analytics": "pair",
    "pair_tests": "pair",
}
_TYPES = {"TEXT": pl.String(), "INTEGER": pl.Int64(), "REAL": pl.Float64()}
_DAY = 86_400
_HOUR = 3_600


def piece_seconds(timeframe: str) -> int:
    """How much time one file holds."""
    return _HOUR if timeframe_seconds(timeframe) < 60 else _DAY


def piece_path(lake: Lake, table: ArchivedTable, timeframe: str, name: str, start: int) -> Path:
    """The file of the piece that begins at `start`, for one symbol or pair."""
    begin = datetime.fromtimestamp(start, UTC)
    piece = f"{begin:%H}" if piece_seconds(timeframe) == _HOUR else "day"
    folder = _series_folder(lake, table, timeframe, name)
    return folder / f"date={begin:%Y-%m-%d}" / f"{piece}.parquet"


def piece_of(lake: Lake, path: Path) -> tuple[ArchivedTable, str, str, int, int] | None:
    """The inverse of `piece_path`: (table, timeframe, name, start, end); None for another file."""
    for table, column in _NAME_COLUMN.items():
        if path.is_relative_to(lake.root / table):
            timeframe, name, _ = path.parent.relative_to(lake.root / table).parts
            size = piece_seconds(timeframe.removeprefix("timeframe="))
            start = _piece_start(path, size)
            name = unquote(name.removeprefix(f"{column}="))
            return table, timeframe.removeprefix("timeframe="), name, start, start + size
    return None


def archived_until(db: sqlite3.Connection, timeframe: str) -> int:
    """Rows before this time (s) may be in Parquet; asked after SQLite's rows, it misses none."""
    row = db.execute(
        "SELECT value FROM progress WHERE key = ?", (f"archived:{timeframe}",)
    ).fetchone()
    return 0 if row is None else int(row[0])


def fetch_frame(
    db: sqlite3.Connection, table: str, where: str, values: Sequence[object]
) -> pl.DataFrame:
    """Rows of a table in SQLite, typed as its columns are declared."""
    schema, _ = _declared(db, table)
    names = ", ".join(schema.names())
    rows = db.execute(f"SELECT {names} FROM {table} WHERE {where}", tuple(values)).fetchall()
    return pl.DataFrame(rows, schema=schema, orient="row")


def _declared(db: sqlite3.Connection, table: str) -> tuple[pl.Schema, list[str]]:
    """The columns of a table as this lake has it, and which of them may be NULL."""
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    schema = pl.Schema({name: _TYPES[type_] for _, name, type_, *_ in columns})
    return schema, [name for _, name, _, needed, *_ in columns if not needed]


def read_piece(
    db: sqlite3.Connection, path: Path, table: ArchivedTable, timeframe: str, name: str
) -> pl.DataFrame:
    """The rows of one file, with the columns that the table has in `db` now.

    A column that may be NULL, and that the file is older than, is NULL; so a column that is added
    to an archived table may be NULL. DamagedFileError if the file cannot be read.
    """
    schema, may_lack = _declared(db, table)
    return read_whole(path, schema, _named(table, timeframe, name), may_lack)


def write_piece(
    rows: pl.DataFrame, path: Path, table: ArchivedTable, timeframe: str, name: str
) -> None:
    """Puts rows of a table, all of one symbol or pair, at `path`, as `write_durably` does."""
    write_durably(rows.drop(_named(table, timeframe, name)), path)


def _named(table: ArchivedTable, timeframe: str, name: str) -> dict[str, str]:
    """The columns whose values the path says."""
    return {_NAME_COLUMN[table]: name, "timeframe": timeframe}


def read_archive(
    db: sqlite3.Connection,
    lake: Lake,
    table: ArchivedTable,
    timeframe: str,
    name: str,
    start: int,
    end: int,
) -> Iterator[pl.DataFrame]:
    """What is archived with start <= time < end, a piece at a time, in order of time."""
    for path in _pieces(_series_folder(lake, table, timeframe, name), timeframe, start, end):
        frame = read_piece(db, path, table, timeframe, name)
        yield frame.filter((pl.col("time") >= start) & (pl.col("time") < end))


def read_rows(
    db: sqlite3.Connection,
    lake: Lake,
    table: ArchivedTable,
    key: Sequence[tuple[str, object]],
    start: int,
    end: int,
) -> pl.DataFrame:
    """Rows of one series, hot and cold as one, in order of time.

    `key` gives the columns that name the series and their values, `timeframe` and the symbol or
    pair among them. SQLite is read first: rolling renames a file before it deletes its rows.
    """
    where = " AND ".join(f"{column} = ?" for column, _ in key)
    hot = fetch_frame(
        db,
        table,
        f"{where} AND time >= ? AND time < ? ORDER BY time",
        (*(value for _, value in key), start, end),
    )
    values = dict(key)
    name = str(values[_NAME_COLUMN[table]])
    pieces = read_archive(db, lake, table, str(values["timeframe"]), name, start, end)
    same = [pl.col(column) == value for column, value in key]
    cold = [piece.filter(*same) for piece in pieces]
    if not any(piece.height for piece in cold):
        return hot
    merged = pl.concat([hot, *cold])
    return merged.unique("time", keep="first", maintain_order=True).sort("time")


def next_piece(
    db: sqlite3.Connection,
    lake: Lake,
    table: ArchivedTable,
    key: Sequence[tuple[str, object]],
    start: int,
    end: int,
) -> tuple[int, int] | None:
    """[from, to) of the first piece with start <= time < end that has rows; None if none has."""
    values = dict(key)
    timeframe, name = str(values["timeframe"]), str(values[_NAME_COLUMN[table]])
    size = piece_seconds(timeframe)
    where = " AND ".join(f"{column} = ?" for column, _ in key)
    row = db.execute(
        f"SELECT MIN(time) FROM {table} WHERE {where} AND time >= ? AND time < ?",
        (*values.values(), start, end),
    ).fetchone()
    firsts = [] if row[0] is None else [int(row[0]) // size * size]
    folder = _series_folder(lake, table, timeframe, name)
    path = next(_pieces(folder, timeframe, start, end), None)
    if path is not None:
        firsts.append(_piece_start(path, size))
    if not firsts:
        return None
    begin = min(firsts)
    return max(begin, start), min(begin + size, end)


def last_time(
    db: sqlite3.Connection,
    lake: Lake,
    table: ArchivedTable,
    key: Sequence[tuple[str, object]],
    before: int,
) -> int | None:
    """The greatest time before `before` of one series, hot and cold as one; None if it has none."""
    values = dict(key)
    timeframe, name = str(values["timeframe"]), str(values[_NAME_COLUMN[table]])
    where = " AND ".join(f"{column} = ?" for column, _ in key)
    row = db.execute(
        f"SELECT MAX(time) FROM {table} WHERE {where} AND time < ?", (*values.values(), before)
    ).fetchone()
    hot = None if row[0] is None else int(row[0])
    same = [pl.col(column) == value for column, value in key]
    pieces = list(_pieces(_series_folder(lake, table, timeframe, name), timeframe, 0, before))
    for path in reversed(pieces):
        rows = read_piece(db, path, table, timeframe, name).filter(pl.col("time") < before, *same)
        if rows.height:
            return max(int(rows["time"].max()), hot or 0)  # type: ignore[arg-type]
    return hot


def _piece_start(path: Path, size: int) -> int:
    return _midnight(path.parent) + (int(path.stem) * _HOUR if size == _HOUR else 0)


def _midnight(day: Path) -> int:
    return int(datetime.fromisoformat(f"{day.name[5:]}T00:00:00+00:00").timestamp())


def _series_folder(lake: Lake, table: ArchivedTable, timeframe: str, name: str) -> Path:
    folder = lake.root / table / f"timeframe={timeframe}"
    return folder / f"{_NAME_COLUMN[table]}={quote(name, safe='')}"


def _pieces(folder: Path, timeframe: str, start: int, end: int) -> Iterator[Path]:
    """Files that may hold times of [start, end), in order of time; asks only for days there are."""
    size = piece_seconds(timeframe)
    for day in sorted(folder.glob("date=*")):
        midnight = _midnight(day)
        if midnight + _DAY <= start or midnight >= end:
            continue
        for path in sorted(day.glob("*.parquet")):
            begin = _piece_start(path, size)
            if begin + size > start and begin < end:
                yield path
