"""Archived bars and analytics, and readers that see SQLite and Parquet as one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.analytics.archive import Piece, days, fetch_frame, piece_seconds, write_piece
from spreadlake.lake.analytics.rows import first_rows, last_time, read_bars, read_frame, read_rows
from spreadlake.series import BARS, PAIR_ANALYTICS, BarKey, SeriesKey

MIDNIGHT = 1_723_161_600  # 2024-08-09T00:00:00Z
HOUR, DAY = 3_600, 86_400
PAIR = "BTCUSDT/ETHUSDT"
KEY = SeriesKey(PAIR, "1s", 60, 300)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def db(lake: Lake) -> Iterator[sqlite3.Connection]:
    with closing(open_analytics_writer(lake)) as connection:
        yield connection


def put_bars(db: sqlite3.Connection, timeframe: str, times: list[int], close: float) -> None:
    with atomic(db):
        db.executemany(
            "INSERT INTO bars VALUES ('BTCUSDT', ?, ?, 1, 1, 1, ?, 0, 0, 0, 0)",
            [(timeframe, time, close) for time in times],
        )


def put_rows(db: sqlite3.Connection, times: list[int], zscore: float, window: int = 60) -> None:
    with atomic(db):
        db.executemany(
            "INSERT INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, time, "
            "symbol_a, symbol_b, price_a, price_b, zscore) "
            "VALUES (?, '1s', ?, 300, ?, 'BTCUSDT', 'ETHUSDT', 1, 1, ?)",
            [(PAIR, window, time, zscore) for time in times],
        )


def archive(db: sqlite3.Connection, lake: Lake, piece: Piece) -> None:
    """Moves a piece to its file."""
    where = f"time >= {piece.start} AND time < {piece.end}"
    write_piece(fetch_frame(db, piece.table, where, ()), lake, piece)
    with atomic(db):
        db.execute(f"DELETE FROM {piece.table.name} WHERE {where}")
        key = f"archived:{piece.timeframe}"
        db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?)", (key, piece.end))


@pytest.mark.parametrize(
    ("timeframe", "start", "path"),
    [
        ("1s", MIDNIGHT + 5 * HOUR, "timeframe=1s/symbol=BTCUSDT/date=2024-08-09/05.parquet"),
        ("30s", MIDNIGHT, "timeframe=30s/symbol=BTCUSDT/date=2024-08-09/00.parquet"),
        ("1m", MIDNIGHT, "timeframe=1m/symbol=BTCUSDT/date=2024-08-09/day.parquet"),
        ("4h", MIDNIGHT, "timeframe=4h/symbol=BTCUSDT/date=2024-08-09/day.parquet"),
    ],
)
def test_an_hour_or_a_day_to_a_file(lake: Lake, timeframe: str, start: int, path: str) -> None:
    found = Piece.at(BARS, timeframe, "BTCUSDT", start).path(lake)
    assert found == lake.root / "bars" / path
    assert piece_seconds(timeframe) == (DAY if found.stem == "day" else HOUR)


def test_a_pair_is_one_folder(lake: Lake) -> None:
    path = Piece.at(PAIR_ANALYTICS, "1s", PAIR, MIDNIGHT).path(lake)
    assert path.parent.parent.name == "pair=BTCUSDT%2FETHUSDT"


def test_columns_are_typed_as_they_are_declared(lake: Lake, db: sqlite3.Connection) -> None:
    frame = fetch_frame(db, BARS, "TRUE", ())
    assert frame.schema["symbol"] == pl.String
    assert frame.schema["time"] == pl.Int64
    assert frame.schema["close"] == pl.Float64
    put_bars(db, "1s", [MIDNIGHT], 2.0)
    assert fetch_frame(db, BARS, "close > ?", (1,)).height == 1


def test_pieces_come_in_order_and_only_those_that_are_asked_for(
    lake: Lake, db: sqlite3.Connection
) -> None:
    times = [MIDNIGHT + n * HOUR // 2 for n in range(-4, 4)]
    put_bars(db, "1s", times, 1.0)
    for start in range(MIDNIGHT - 2 * HOUR, MIDNIGHT + 2 * HOUR, HOUR):
        archive(db, lake, Piece.at(BARS, "1s", "BTCUSDT", start))
    found = days(lake, BARS, "1s", "BTCUSDT", times[1], times[6])
    assert [day.start for day in found] == [MIDNIGHT - DAY, MIDNIGHT]
    assert list(days(lake, BARS, "1s", "BTCUSDT", MIDNIGHT, 2**40)) == [
        Piece(BARS, "1s", "BTCUSDT", MIDNIGHT, MIDNIGHT + DAY)
    ]
    assert list(days(lake, BARS, "1s", "ETHUSDT", 0, 2**40)) == []
    key = BarKey("BTCUSDT", "1s")
    assert read_rows(db, lake, key, ["time"], times[1], times[6]) == [(t,) for t in times[1:6]]
    bars = read_bars(db, lake, ["BTCUSDT", "ETHUSDT"], "1s", times[1], times[6])
    assert bars["time"].to_list() == times[1:6]


def test_rows_in_both_places_are_one_series_and_sqlite_has_the_newer(
    lake: Lake, db: sqlite3.Connection
) -> None:
    times = list(range(MIDNIGHT, MIDNIGHT + 10))
    put_rows(db, times[:7], 1.0)
    archive(db, lake, Piece.at(PAIR_ANALYTICS, "1s", PAIR, MIDNIGHT))
    put_rows(db, times[5:], 2.0)
    frame = rows(db, lake, MIDNIGHT, MIDNIGHT + 10)
    assert frame["time"].to_list() == times
    assert frame["zscore"].to_list() == [1.0] * 5 + [2.0] * 5


def test_other_series_of_the_same_file_are_left_out(lake: Lake, db: sqlite3.Connection) -> None:
    put_rows(db, [MIDNIGHT], 1.0, window=30)
    put_rows(db, [MIDNIGHT], 2.0, window=60)
    archive(db, lake, Piece.at(PAIR_ANALYTICS, "1s", PAIR, MIDNIGHT))
    assert rows(db, lake, 0, 2**40)["zscore"].to_list() == [2.0]


def test_without_files_there_is_what_is_in_sqlite(lake: Lake, db: sqlite3.Connection) -> None:
    put_rows(db, [MIDNIGHT + 1, MIDNIGHT], 1.0)
    assert rows(db, lake, 0, 2**40)["time"].to_list() == [MIDNIGHT, MIDNIGHT + 1]
    assert rows(db, lake, MIDNIGHT + 1, 2**40).height == 1
    assert rows(db, lake, MIDNIGHT, MIDNIGHT).height == 0


def rows(db: sqlite3.Connection, lake: Lake, start: int, end: int) -> Any:
    return read_frame(db, lake, KEY, start, end)


def test_the_first_rows_and_the_last_are_found_wherever_they_are(
    lake: Lake, db: sqlite3.Connection
) -> None:
    """Over files of another series, and over a piece that has rows in both places."""
    put_rows(db, [MIDNIGHT], 1.0, window=30)
    put_rows(db, [MIDNIGHT + HOUR, MIDNIGHT + HOUR + 9], 1.0)
    for start in (MIDNIGHT, MIDNIGHT + HOUR):
        archive(db, lake, Piece.at(PAIR_ANALYTICS, "1s", PAIR, start))
    put_rows(db, [MIDNIGHT + HOUR + 5, MIDNIGHT + 2 * HOUR, MIDNIGHT + 2 * HOUR + 1], 2.0)

    def first(start: int, most: int = 1) -> list[int]:
        rows = first_rows(db, lake, KEY, ["time"], start, 2**40, most)
        return [time - MIDNIGHT - HOUR for (time,) in rows]

    assert first(0) == [0, 5, 9]  # all of a file
    assert first(MIDNIGHT + HOUR + 6) == [9]
    assert first(MIDNIGHT + HOUR + 10) == [HOUR]
    assert first(MIDNIGHT + HOUR + 10, 5) == [HOUR, HOUR + 1]
    assert first(MIDNIGHT + 3 * HOUR) == []

    def last(before: int) -> int | None:
        time = last_time(db, lake, KEY, MIDNIGHT + HOUR + before)
        return None if time is None else time - MIDNIGHT - HOUR

    assert last(2**40) == HOUR + 1
    assert [last(HOUR), last(9), last(5), last(0)] == [9, 5, 0, None]
