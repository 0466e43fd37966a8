"""Files of any age under today's schema, and a folder of them as one table for whoever reads it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset
import pyarrow.parquet
import pytest

from spreadlake.errors import DamagedFileError
from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.analytics.archive import Piece, fetch_frame, write_piece
from spreadlake.lake.reading import read_whole
from spreadlake.series import BARS, TABLES, Table

SCHEMA = pl.Schema({"symbol": pl.String, "time": pl.Int64, "close": pl.Float64, "new": pl.Int64})
NAMED = {"symbol": "BTCUSDT"}
MIDNIGHT = 1_723_161_600  # 2024-08-09T00:00:00Z
PAIR = "BTCUSDT/ETHUSDT"


def read(path: Path, frame: pl.DataFrame) -> list[tuple[object, ...]]:
    frame.write_parquet(path)
    found = read_whole(Lake(path.parent), path, SCHEMA, NAMED, may_lack=["new", "close"])
    assert found.schema == SCHEMA
    return found.rows()


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ({"time": [1], "close": [2.0], "new": [3]}, ("BTCUSDT", 1, 2.0, 3)),
        ({"symbol": ["BTCUSDT"], "time": [1], "close": [2.0]}, ("BTCUSDT", 1, 2.0, None)),
        ({"close": [2.0], "time": [1], "symbol": ["BTCUSDT"]}, ("BTCUSDT", 1, 2.0, None)),
        ({"time": [1]}, ("BTCUSDT", 1, None, None)),
        ({"time": [1], "other": ["x"], "close": [None]}, ("BTCUSDT", 1, None, None)),
    ],
    ids=["new", "old", "another order", "much older", "an unknown column"],
)
def test_a_file_of_any_age_has_the_columns_of_today(
    tmp_path: Path, columns: dict[str, list[object]], row: tuple[object, ...]
) -> None:
    assert read(tmp_path / "00.parquet", pl.DataFrame(columns)) == [row]
    assert read(tmp_path / "none.parquet", pl.DataFrame(columns).clear()) == []


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"close": [2.0]}, "time"),
        ({"time": ["x"]}, "conversion"),
        ({"symbol": ["ETHUSDT"], "time": [1]}, "it is of symbol ETHUSDT, and not of BTCUSDT"),
    ],
    ids=["without a key", "another type", "of another symbol"],
)
def test_what_it_cannot_be_is_damage(
    tmp_path: Path, columns: dict[str, list[object]], reason: str
) -> None:
    path = tmp_path / "00.parquet"
    with pytest.raises(DamagedFileError, match=reason) as raised:
        read(path, pl.DataFrame(columns))
    assert str(path) in str(raised.value)


def archived(root: Path, table: Table, prices: str | None) -> tuple[Path, pl.DataFrame]:
    """Two days of two names in the archive; its folder and what it holds, in order."""
    lake = Lake(root)
    names = ["BTCUSDT", "ETHUSDT"] if table is BARS else [PAIR, "ETHUSDT/SOLUSDT"]
    column = table.key[0]
    with closing(open_analytics_writer(lake)) as db:
        needed = [row for row in db.execute(f"PRAGMA table_info({table.name})") if row[3]]
        for time in (MIDNIGHT, MIDNIGHT + 86_400):
            for name in names:
                values = {row[1]: "1" if row[2] == "TEXT" else 1 for row in needed}
                values |= {column: name, "timeframe": "1m", "time": time}
                values |= {"prices": prices} if prices else {}
                marks = ", ".join("?" * len(values))
                with atomic(db):
                    db.execute(
                        f"INSERT INTO {table.name}({', '.join(values)}) VALUES ({marks})",
                        list(values.values()),
                    )
                rows = fetch_frame(db, table, f"{column} = ? AND time = ?", (name, time))
                write_piece(rows, lake, Piece.at(table, "1m", name, time))
        return root / table.name, fetch_frame(db, table, f"TRUE ORDER BY time, {column}", ())


def with_duckdb(folder: Path) -> pl.DataFrame:
    pattern = folder / "**" / "*.parquet"
    with duckdb.connect() as db:
        relation = db.sql(f"SELECT * FROM read_parquet('{pattern}', hive_partitioning = true)")
        assert relation is not None
        return pl.DataFrame(relation.pl())


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    "polars": lambda folder: pl.read_parquet(folder, hive_partitioning=True),
    "polars, a pattern": lambda folder: pl.scan_parquet(
        folder / "**" / "*.parquet", hive_partitioning=True
    ).collect(),
    "DuckDB": with_duckdb,
    "pandas": lambda folder: pl.from_pandas(pd.read_parquet(folder)),
    "pyarrow, a table": lambda folder: as_frame(pyarrow.parquet.read_table(folder)),
    "pyarrow, a dataset": lambda folder: as_frame(
        pyarrow.dataset.dataset(folder, partitioning="hive").to_table()
    ),
}


def as_frame(table: pyarrow.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


@pytest.mark.parametrize(
    ("table", "prices"),
    [(table, None) for table in TABLES.values()]
    + [(table, "log") for table in TABLES.values() if table is not BARS],
    ids=[*TABLES, *(f"{name} on logs" for name, table in TABLES.items() if table is not BARS)],
)
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_folder_is_one_table_to_every_reader(
    tmp_path: Path, table: Table, prices: str | None, reader: Callable[[Path], pl.DataFrame]
) -> None:
    folder, expected = archived(tmp_path, table, prices)
    found = reader(folder)
    if not prices:  # raw ones are as they were before there were others: without the column
        assert "prices" not in found.columns
        expected = expected.drop("prices", strict=False)
    assert found["date"].cast(pl.String).unique().sort().to_list() == ["2024-08-09", "2024-08-10"]
    column = table.key[0]
    as_stored = found.with_columns(pl.col(column, "timeframe").cast(pl.String))
    assert as_stored.select(expected.columns).sort("time", column).equals(expected)
