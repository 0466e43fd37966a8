"""A folder of the lake is one table to every reader of Parquet, with what its paths say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from analytics_job.archive.retention import Retention
from spreadlake.lake import HOUR_MS, TRADES_SCHEMA, Lake, open_analytics_writer, read_trades
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.ticks.partitions import read_partition, save_partition
from spreadlake.series import TableName
from spreadlake.trades import TICK_COLUMNS
from tests.collector import compacting
from tests.collector.compacting import all_trades, compact, late_trade, rolled_day
from tests.collector.lakes import START_MS, fill
from tests.collector.rolling import END_MS, everything, roll_until, three_hours
from tests.importer.dumps import MIDNIGHT, day_file, trades
from tests.importer.lakes import held, import_all

READERS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "pandas": lambda folder: pl.from_pandas(pd.read_parquet(folder)).to_dicts(),
    "read_table": lambda folder: pq.read_table(folder).to_pylist(),
    "dataset": lambda folder: ds.dataset(folder, partitioning="hive").to_table().to_pylist(),
    "polars": lambda folder: pl.read_parquet(folder).to_dicts(),
    "polars scan": lambda folder: (
        pl.scan_parquet(f"{folder}/**/*.parquet", hive_partitioning=True).collect().to_dicts()
    ),
    "duckdb": lambda folder: (
        duckdb.connect()
        .sql(f"SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning=true)")
        .pl()
        .to_dicts()
    ),
}
TRADE = ("symbol", "trade_id", "time_ms", "price", "qty", "buyer_is_maker")


@pytest.fixture(params=list(READERS), name="read")
def reader(request: pytest.FixtureRequest) -> Callable[[str], list[dict[str, Any]]]:
    return READERS[request.param]


def test_ticks_of_the_collector_and_of_an_import(
    tmp_path: Path, read: Callable[[str], list[dict[str, Any]]]
) -> None:
    lake = three_hours(tmp_path)
    roll_until(lake, END_MS)
    whole = everything(lake).rows()
    found = read(str(lake.ticks_dir))
    assert sorted(tuple(row[name] for name in TRADE) for row in found) == sorted(whole)
    days = {str(pd.Timestamp(row["time_ms"], unit="ms").date()) for row in found}
    assert {str(row["date"]) for row in found} == days
    rows = trades(hours=2) + trades("ETHUSDT", hours=2, first_id=5)
    import_all(tmp_path / "other", day_file(tmp_path, rows[:120]), day_file(tmp_path, rows[120:]))
    found = read(str(tmp_path / "other" / "ticks"))
    assert sorted(tuple(row[name] for name in TRADE) for row in found) == rows
    assert {str(row["date"]) for row in found} == {"2024-08-08"}


def test_ticks_of_days_and_hours(
    tmp_path: Path, read: Callable[[str], list[dict[str, Any]]]
) -> None:
    """Whole days, an hour of a day that is not over, and a late trade beside its day."""
    lake = rolled_day(tmp_path)
    compact(lake)
    fill(lake, [late_trade()])
    roll_until(lake, compacting.END_MS)
    names = {path.name for path in lake.ticks_dir.rglob("*.parquet")}
    assert names == {"day.parquet", "21.parquet", "00.parquet"}
    found = read(str(lake.ticks_dir))
    assert sorted(tuple(row[name] for name in TRADE) for row in found) == sorted(
        all_trades(lake).select(TRADE).rows()
    )
    assert {str(row["date"]) for row in found} == {"2023-11-14", "2023-11-15"}


ARCHIVED: dict[TableName, dict[str, Any]] = {
    "bars": {"symbol": "BTCUSDT", "timeframe": "1s"},
    "pair_analytics": {"pair": "BTCUSDT/ETHUSDT", "timeframe": "1s"},
    "pair_tests": {"pair": "BTCUSDT/ETHUSDT", "timeframe": "1s"},
}


@pytest.mark.parametrize("table", ARCHIVED)
def test_archives_of_analytics(
    tmp_path: Path, table: TableName, read: Callable[[str], list[dict[str, Any]]]
) -> None:
    lake, start = Lake(tmp_path), MIDNIGHT // 1000
    db = open_analytics_writer(lake)
    columns = db.execute(f"PRAGMA table_info({table})").fetchall()
    named = {"symbol_a": "BTCUSDT", "symbol_b": "ETHUSDT", **ARCHIVED[table]}
    values = [named.get(name, "" if kind == "TEXT" else 7) for _, name, kind, *_ in columns]
    at = [name for _, name, *_ in columns].index("time")
    for second in (0, 1, 3600):
        values[at] = start + second
        db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    name = ARCHIVED[table].get("pair", "BTCUSDT")
    if table == "bars":
        db.execute("INSERT INTO first_bars VALUES (?, '1s', ?)", (name, start))
    else:
        db.execute(
            "INSERT INTO pair_status VALUES (?, '1s', 7, 7, 'ready', 1, 1, '', NULL)", (name,)
        )
    retention = Retention(db, lake, {"1s": 1.0})
    while retention.roll_piece((start + 10 * 3600) * 1000):
        pass
    db.close()
    found = read(str(lake.root / table))
    assert sorted(row["time"] for row in found) == [start, start + 1, start + 3600]
    for row in found:
        assert {key: row[key] for key in ARCHIVED[table]} == ARCHIVED[table]
        assert str(row["date"]) == "2024-08-08"


def test_a_file_holds_nothing_that_its_path_says(tmp_path: Path) -> None:
    lake = three_hours(tmp_path)
    roll_until(lake, END_MS)
    for path in lake.ticks_dir.rglob("*.parquet"):
        assert pq.read_schema(path).names == list(TICK_COLUMNS[1:])


def test_files_from_before_are_read_beside_new_ones(tmp_path: Path) -> None:
    lake, rows = tmp_path / "lake", trades(hours=3)
    import_all(lake, day_file(tmp_path, rows))
    old = Lake(lake).tick_partition("BTCUSDT", MIDNIGHT + HOUR_MS)
    write_durably(pl.DataFrame(rows[60:120], schema=TRADES_SCHEMA, orient="row"), old)
    assert "symbol" in pq.read_schema(old).names
    assert held(lake) == rows
    assert read_trades(Lake(lake), MIDNIGHT, MIDNIGHT + 3 * HOUR_MS, ["BTCUSDT"]).height == 180
    import_all(
        lake,
        day_file(
            tmp_path / "more",
            [
                *rows,
                *trades(start_ms=MIDNIGHT + 3 * HOUR_MS, hours=1, first_id=rows[-1].trade_id + 1),
            ],
        ),
    )
    assert len(held(lake)) == 240


def test_what_is_being_written_disturbs_no_reader_of_the_folder(
    tmp_path: Path, read: Callable[[str], list[dict[str, Any]]]
) -> None:
    """Whoever reads meanwhile finds whole files only; what a crash leaves is written over."""
    lake = three_hours(tmp_path)
    roll_until(lake, END_MS)
    before = len(read(str(lake.ticks_dir)))
    path = next(iter(sorted(lake.ticks_dir.rglob("*.parquet"))))
    seen = []

    def look(_: pl.DataFrame) -> None:
        seen.append(len(read(str(lake.ticks_dir))))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_partition(read_partition(lake, path), path, look)
    assert seen == [before]
    assert read_trades(lake, START_MS, END_MS).height == before
    assert not list(tmp_path.rglob("*.tmp"))
