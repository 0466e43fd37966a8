"""Rows of a series wherever they are, in SQLite or in Parquet: each once, in order of time.

Where a row is in both, SQLite has the newer. A file of the archive is in its place before
`archived_until` says so, and that is said before the rows go from SQLite: whoever reads SQLite
first, and then asks, misses none.
"""

import sqlite3
from collections.abc import Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from spreadlake.lake.layout import Lake
from spreadlake.series import BarKey, Key

if TYPE_CHECKING:
    import polars as pl

Row = tuple[Any, ...]

# Polars is slow to import: whoever reads what is in SQLite alone goes without.


def archived_until(db: sqlite3.Connection, timeframe: str) -> int:
    """Rows before this time (s) may be in Parquet."""
    row = db.execute(
        "SELECT value FROM progress WHERE key = ?", (f"archived:{timeframe}",)
    ).fetchone()
    return 0 if row is None else int(row[0])


def read_rows(
    db: sqlite3.Connection, lake: Lake, key: Key, columns: Sequence[str], start: int, end: int
) -> list[Row]:
    """The columns, `time` among them, of the rows with start <= time < end (s)."""
    hot = _hot(db, key, columns, start, end)
    if start >= archived_until(db, key.timeframe):
        return hot
    return _with_archived(db, lake, key, columns, hot, start, end).rows()


def read_frame(
    db: sqlite3.Connection,
    lake: Lake,
    key: Key,
    start: int,
    end: int,
    wanted: Collection[str] | None = None,
) -> "pl.DataFrame":
    """The rows with start <= time < end (s): all columns, or `time` and those of `wanted`.

    In the order of the table, which need not have all that are wanted.
    """
    from spreadlake.lake.analytics.archive import declared  # noqa: PLC0415

    columns = [
        name
        for name in declared(db, key.table)[0].names()
        if wanted is None or name == "time" or name in wanted
    ]
    return _with_archived(db, lake, key, columns, _hot(db, key, columns, start, end), start, end)


def read_bars(
    db: sqlite3.Connection,
    lake: Lake,
    symbols: Sequence[str],
    timeframe: str,
    start: int,
    end: int,
    wanted: Collection[str] | None = None,
) -> "pl.DataFrame":
    """Bars with start <= time < end (s), by symbol in the order given, and time.

    The columns of BARS_SCHEMA; of them `symbol`, `time` and the `wanted` ones, where such are
    named.
    """
    import polars as pl  # noqa: PLC0415

    from spreadlake.schemas import BARS_SCHEMA  # noqa: PLC0415

    schema = BARS_SCHEMA
    if wanted is not None:
        kept = {"symbol", "time", *wanted}
        schema = pl.Schema({name: type_ for name, type_ in schema.items() if name in kept})
    names = schema.names()
    keys = [BarKey(symbol, timeframe) for symbol in symbols]
    hot = [_hot(db, key, names, start, end) for key in keys]
    if start >= archived_until(db, timeframe) or not keys:
        return pl.DataFrame(list(chain.from_iterable(hot)), schema=schema, orient="row")
    return pl.concat(
        _with_archived(db, lake, key, names, rows, start, end)
        for key, rows in zip(keys, hot, strict=True)
    )


def first_rows(
    db: sqlite3.Connection,
    lake: Lake,
    key: Key,
    columns: Sequence[str],
    start: int,
    end: int,
    most: int,
) -> list[Row]:
    """The earliest rows with start <= time < end (s): `most` at most, but for those of a file.

    There are none only if there are none at all. On the writer's connection or in a transaction.
    """
    archived = min(archived_until(db, key.timeframe), end)
    while start < archived:
        span = _first_span(db, lake, key, start, archived)
        if span is None:
            break
        if rows := read_rows(db, lake, key, columns, *span):
            return rows
        start = span[1]
    return _hot(db, key, columns, max(start, archived), end, most)


def last_time(db: sqlite3.Connection, lake: Lake, key: Key, before: int) -> int | None:
    """The greatest time before `before` (s); None without a row."""
    table = key.table
    (hot,) = db.execute(
        f"SELECT MAX(time) FROM {table.name} WHERE {table.is_series} AND time < ?", (*key, before)
    ).fetchone()
    archived = archived_until(db, key.timeframe)
    if not archived or (hot is not None and hot >= archived):
        return None if hot is None else int(hot)
    from spreadlake.lake.analytics.archive import days, read_day  # noqa: PLC0415

    span = (hot or 0, min(before, archived))
    for day in days(lake, table, key.timeframe, key[0], *span, newest_first=True):
        rows = [frame.filter(*_same(key)) for frame in read_day(db, lake, day, *span)]
        if times := [int(frame["time"].max()) for frame in rows if frame.height]:  # type: ignore[arg-type]
            return max(*times, hot or 0)
    return None if hot is None else int(hot)


def _hot(
    db: sqlite3.Connection,
    key: Key,
    columns: Sequence[str],
    start: int,
    end: int,
    most: int = -1,
) -> list[Row]:
    return db.execute(
        f"SELECT {', '.join(columns)} FROM {key.table.name} WHERE {key.table.is_series} "
        "AND time >= ? AND time < ? ORDER BY time LIMIT ?",
        (*key, start, end, most),
    ).fetchall()


def _with_archived(
    db: sqlite3.Connection,
    lake: Lake,
    key: Key,
    columns: Sequence[str],
    hot: list[Row],
    start: int,
    end: int,
) -> "pl.DataFrame":
    """The rows of SQLite, and those of Parquet that are not among them."""
    import polars as pl  # noqa: PLC0415

    from spreadlake.lake.analytics.archive import Piece, days, declared, read_day  # noqa: PLC0415
    from spreadlake.lake.reading import each  # noqa: PLC0415

    schema, _ = declared(db, key.table)
    frame = pl.DataFrame(hot, schema={name: schema[name] for name in columns}, orient="row")
    end = min(end, archived_until(db, key.timeframe))
    if start >= end:
        return frame

    def rows_of(day: Piece) -> list[pl.DataFrame]:
        same = _same(key, day.said_by_path)
        read = read_day(db, lake, day, start, end, columns)
        return [(rows.filter(*same) if same else rows)[list(columns)] for rows in read]

    there = days(lake, key.table, key.timeframe, key[0], start, end)
    cold = list(chain.from_iterable(each(lake, rows_of, there)))
    if not any(piece.height for piece in cold):
        return frame
    return pl.concat([frame, *cold]).unique("time", keep="first").sort("time")


def _same(key: Key, said: Collection[str] = ()) -> "list[pl.Expr]":
    """That a row is of the series, as far as it is not `said` already."""
    import polars as pl  # noqa: PLC0415

    named = zip(key.table.key, key, strict=True)
    return [pl.col(column).eq(value) for column, value in named if column not in said]


def _first_span(
    db: sqlite3.Connection, lake: Lake, key: Key, start: int, end: int
) -> tuple[int, int] | None:
    """The part of [start, end) that is of the first piece where there may be rows."""
    from spreadlake.lake.analytics.archive import Piece, first_piece  # noqa: PLC0415

    (hot,) = db.execute(
        f"SELECT MIN(time) FROM {key.table.name} WHERE {key.table.is_series} "
        "AND time >= ? AND time < ?",
        (*key, start, end),
    ).fetchone()
    cold = first_piece(lake, key.table, key.timeframe, key[0], start, end)
    found = [] if cold is None else [cold]
    if hot is not None:
        piece = Piece.at(key.table, key.timeframe, key[0], hot)
        found.append((piece.start, piece.end))
    if not found:
        return None
    first, last = min(found)
    return max(first, start), min(last, end)
