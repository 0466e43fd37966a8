"""What the exchange says beside a trade: kept hot and cold, and NULL where it is not known."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from collector.storage.batch import Batch
from collector.storage.store import TickStore
from spreadlake.lake import HOUR_MS, TICKS_SCHEMA, Lake, open_reader, read_trades
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.ticks.partitions import merged, read_partition
from spreadlake.trades import COLUMNS, TICK_COLUMNS, TradeEvent
from tests.collector.lakes import PER_HOUR, START_MS, A, fill, quick_writer, rows_of, trade, trades
from tests.collector.rolling import END_MS, roll_until
from tests.lake.test_versions import VERSIONS

DETAILS = TICK_COLUMNS[len(COLUMNS) :]
OLD_IDS, NEW_IDS = range(PER_HOUR), range(PER_HOUR, 2 * PER_HOUR)


def detailed(trade_id: int) -> TradeEvent:
    event = trade(trade_id)
    event.first_trade_id, event.last_trade_id = 3 * trade_id, 3 * trade_id + 2
    # What the exchange leaves out of one trade is not known of that trade alone.
    event.qty_ex_rpi = None if trade_id % 5 == 0 else event.qty / 2
    event.received_ms = event.time_ms + 40
    return event


def details_of(event: TradeEvent) -> tuple[Any, ...]:
    return tuple(getattr(event, name) for name in DETAILS)


def held(lake: Lake) -> list[tuple[Any, ...]]:
    """The details of each trade, by id."""
    frame = read_trades(lake, START_MS, END_MS, [A], schema=TICKS_SCHEMA)
    assert frame.schema == TICKS_SCHEMA
    return frame.sort("trade_id").select(DETAILS).rows()


def test_details_are_the_same_hot_and_cold(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, [detailed(i) for i in range(2 * PER_HOUR)])
    expected = [details_of(detailed(i)) for i in range(2 * PER_HOUR)]
    assert rows_of(lake, f"SELECT {', '.join(DETAILS)} FROM ticks ORDER BY seq") == expected
    assert held(lake) == expected
    assert roll_until(lake, START_MS + HOUR_MS) == 1
    assert held(lake) == expected
    assert roll_until(lake, END_MS) == 1
    assert rows_of(lake, "SELECT * FROM ticks") == []
    assert held(lake) == expected


def old_lake(root: Path) -> Lake:
    """As the version before the details left it: an hour in Parquet, one that was not rolled."""
    lake = Lake(root)
    fill(lake, trades(OLD_IDS), trades(NEW_IDS))
    roll_until(lake, START_MS + HOUR_MS)
    path = lake.tick_partition(A, START_MS)
    old = read_partition(lake, path).select(COLUMNS)
    path.unlink()
    write_durably(old.drop("symbol"), path)
    names = ", ".join(("seq", *COLUMNS))
    with closing(sqlite3.connect(lake.ticks_db)) as db:
        rows = db.execute(f"SELECT {names} FROM ticks").fetchall()
        others = ("meta", "symbols", "rolls", "counters")
        kept = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in others}
        kept["rolls"] = [row[:5] for row in kept["rolls"]]  # later versions have more
    for file in lake.root.glob("ticks.db*"):
        file.unlink()
    with closing(sqlite3.connect(lake.ticks_db, isolation_level=None)) as db:
        db.executescript((VERSIONS / "ticks_2.sql").read_text())
        db.execute("PRAGMA user_version=2")
        kept["ticks"] = rows
        for table, of_table in kept.items():
            for row in of_table:
                db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    return lake


def test_an_old_lake_is_taken_over_and_goes_on(tmp_path: Path) -> None:
    lake = old_lake(tmp_path)
    nothing = (None,) * len(DETAILS)
    with closing(quick_writer(lake)) as db:
        store = TickStore(db, [A])
        # The same trade with all that is said of it today contradicts nothing.
        again = store.write(Batch([detailed(NEW_IDS[-1]), detailed(NEW_IDS[-1] + 1)]))
        assert (again.duplicates, again.contradicting) == (1, {})
    expected = [nothing] * (2 * PER_HOUR) + [details_of(detailed(2 * PER_HOUR))]
    assert held(lake) == expected
    # A late trade of the hour that was rolled: its file is written anew, with today's columns.
    before = START_MS - 5
    with closing(quick_writer(lake)) as db:
        late = detailed(0)
        late.trade_id, late.time_ms = 10**9, START_MS + 7
        TickStore(db, [A]).write(Batch([late], source="repair"))
    assert roll_until(lake, END_MS) == 3
    assert held(lake) == [*expected, details_of(late)]
    for path in lake.ticks_dir.rglob("*.parquet"):
        assert pq.read_schema(path).names == list(TICK_COLUMNS[1:])
    assert read_trades(lake, before, END_MS).columns == list(COLUMNS)


def test_a_reader_sees_an_old_lake_before_and_after_its_writer_takes_it_over(
    tmp_path: Path,
) -> None:
    lake = old_lake(tmp_path)
    nothing = [(None,) * len(DETAILS)] * (2 * PER_HOUR)
    with closing(open_reader(lake.ticks_db)) as reader:
        for _ in range(2):
            found = read_trades(lake, START_MS, END_MS, [A], reader, TICKS_SCHEMA)
            assert found.select(DETAILS).rows() == nothing
            assert held(lake) == nothing
            quick_writer(lake).close()  # brings it up to date
        with closing(quick_writer(lake)) as db:
            TickStore(db, [A]).write(Batch([detailed(2 * PER_HOUR)]))
        found = read_trades(lake, START_MS, END_MS, [A], reader, TICKS_SCHEMA)
        assert found.select(DETAILS).rows()[-1] == details_of(detailed(2 * PER_HOUR))


def test_of_two_that_are_one_trade_the_first_counts_and_the_other_fills_in() -> None:
    known, other = detailed(6), detailed(6)
    other.received_ms = 1
    rows = [tuple(getattr(event, name) for name in TICK_COLUMNS) for event in (known, other)]
    whole = pl.DataFrame([rows[0]], TICKS_SCHEMA, orient="row")
    later = pl.DataFrame([rows[1]], TICKS_SCHEMA, orient="row")
    nothing = (pl.lit(None, TICKS_SCHEMA[name]).alias(name) for name in DETAILS)
    blank = whole.with_columns(nothing)
    assert merged(whole, later).equals(whole)
    assert merged(blank, later, whole).equals(later)
    assert merged(blank, blank).equals(blank)
    half = blank.with_columns(received_ms=pl.lit(5, pl.Int64))
    assert merged(half, whole).row(0)[-4:] == (*details_of(known)[:3], 5)


# How a folder with files of both kinds is read with all columns, as the reference says.
IN_FILES = pl.Schema((name, TICKS_SCHEMA[name]) for name in TICK_COLUMNS[1:])
READERS: dict[str, Callable[[str], pl.DataFrame]] = {
    "polars": lambda folder: pl.scan_parquet(
        f"{folder}/**/*.parquet", hive_partitioning=True, schema=IN_FILES, missing_columns="insert"
    ).collect(),
    "duckdb": lambda folder: (
        duckdb.connect()
        .sql(
            f"SELECT * FROM read_parquet('{folder}/**/*.parquet', hive_partitioning=true, "
            "union_by_name=true)"
        )
        .pl()
    ),
    "pyarrow": lambda folder: pl.DataFrame(
        ds.dataset(
            folder, schema=TICKS_SCHEMA.to_frame().to_arrow().schema, partitioning="hive"
        ).to_table()
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("old_first", [False, True])
def test_a_folder_of_old_and_new_files_is_read_with_all_columns(
    tmp_path: Path, reader: str, old_first: bool
) -> None:
    lake = Lake(tmp_path)
    fill(lake, [detailed(i) for i in range(2 * PER_HOUR)])
    roll_until(lake, END_MS)
    hour_ms = START_MS + (0 if old_first else HOUR_MS)
    path = lake.tick_partition(A, hour_ms)
    old = read_partition(lake, path).select(COLUMNS)
    write_durably(old.drop("symbol"), path)
    found = READERS[reader](str(lake.ticks_dir)).sort("trade_id")
    assert found.select(DETAILS).rows() == held(lake)
    assert found["first_trade_id"].null_count() == PER_HOUR
