"""Imported klines: a month of a symbol is a file, so that a year of a market is not in `ticks.db`.

Files hold the columns that their path does not name. A minute may be here and in SQLite as well:
readers take SQLite's, which is the newer.
"""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from spreadlake.lake.databases.connections import atomic
from spreadlake.lake.files import is_there, values_in
from spreadlake.lake.layout import Lake
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.reading import read_whole
from spreadlake.lake.ticks.klines import delete_klines, read_klines, symbols_with_klines
from spreadlake.schemas import KLINES_SCHEMA

_PATH = ("symbol", "timeframe")


def klines_between(
    db: sqlite3.Connection, lake: Lake, symbol: str, first: int, last: int
) -> pl.DataFrame:
    """The 1m klines of a symbol with first <= time <= last, hot and cold, in order of time.

    KLINES_SCHEMA. DamagedFileError where a file cannot be read.
    """
    hot = pl.DataFrame(
        read_klines(db, symbol, "1m", first, last), schema=KLINES_SCHEMA, orient="row"
    )
    within = pl.col("time").is_between(first, last)
    paths = [path for path in _paths(lake, symbol, first, last) if is_there(lake, path)]
    if not paths:
        return hot
    cold = [_read(lake, path, symbol, within) for path in paths]
    return pl.concat([hot, *cold]).unique("time", keep="first").sort("time")


def add_klines(lake: Lake, symbol: str, klines: pl.DataFrame) -> None:
    """Puts klines of one symbol (KLINES_SCHEMA) in the files of their months, each as a whole."""
    if klines.is_empty():
        return
    months = klines.with_columns(path=_month(pl.col("time"))).partition_by(
        "path", include_key=False, maintain_order=True
    )
    for new in months:
        path = lake.kline_partition(symbol, int(new["time"][0]))
        held = _read(lake, path, symbol) if is_there(lake, path) else KLINES_SCHEMA.to_frame()
        rows = pl.concat([new, held]).unique("time", keep="first").sort("time")
        if not rows.equals(held):
            write_durably(rows.drop(_PATH), path)


def move_klines(lake: Lake, db: sqlite3.Connection, before: int) -> int:
    """Moves 1m klines that open before a second from SQLite to their files; how many there were.

    To the files first: after a crash in between they are in both, and readers take each once.
    """
    number = 0
    for symbol in symbols_with_klines(db, before):
        rows = read_klines(db, symbol, "1m", 0, before - 1)
        add_klines(lake, symbol, pl.DataFrame(rows, schema=KLINES_SCHEMA, orient="row"))
        with atomic(db):
            delete_klines(db, symbol, before)
        number += len(rows)
    return number


def _read(lake: Lake, path: Path, symbol: str, where: pl.Expr | None = None) -> pl.DataFrame:
    return read_whole(lake, path, KLINES_SCHEMA, {"symbol": symbol, "timeframe": "1m"}, where=where)


def _month(time: pl.Expr) -> pl.Expr:
    return pl.from_epoch(time).dt.strftime("%Y-%m")


def _paths(lake: Lake, symbol: str, first: int, last: int) -> Iterator[Path]:
    """The files of the months from that of `first` to that of `last`."""
    second = max(0, first)
    folder = lake.kline_partition(symbol, second).parent.parent
    month, end = _number(second), _number(max(0, min(last, 2**36)))
    for name in values_in(lake, folder, "month"):
        if month <= _number_of(name) <= end:
            yield folder / f"month={name}" / "month.parquet"


def _number(second: int) -> int:
    at = datetime.fromtimestamp(second, UTC)
    return at.year * 12 + at.month


def _number_of(name: str) -> int:
    year, month = name.split("-")
    return int(year) * 12 + int(month)
