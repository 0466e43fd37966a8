"""A partition that cannot be read or written costs itself, and no other symbol or hour."""

import asyncio
import errno
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from collector.roll import roller
from collector.roll.writing import WrittenHour, write_hour
from simulator import SimulatedExchange
from spreadlake.errors import LakeError
from spreadlake.lake import HOUR_MS, TRADES_SCHEMA, Lake, read_trades
from spreadlake.lake.ticks.hot import HotHour, delete_rows, next_hour
from tests.collector.lakes import (
    PER_HOUR,
    START_MS,
    STEP_MS,
    A,
    B,
    fill,
    quick_writer,
    rows_of,
    trade,
    trades,
)
from tests.collector.live import collecting, counter, market, settings_for, until
from tests.collector.rolling import END_MS, roll_until
from tests.running import run

# A trade of each symbol that comes to the first hour when that has rolled.
LATE = PER_HOUR // 2


def a_late_trade(lake: Lake) -> Path:
    """The first hour rolled but for one trade of each symbol; the path of A's partition."""
    ids = [i for i in range(3 * PER_HOUR) if i != LATE]
    fill(lake, trades(ids), trades(ids, B))
    roll_until(lake, START_MS + HOUR_MS)
    fill(lake, trades([LATE]), trades([LATE], B))
    return lake.tick_partition(A, START_MS)


def hot(lake: Lake) -> list[tuple[object, ...]]:
    return rows_of(lake, "SELECT symbol, trade_id FROM ticks ORDER BY symbol, trade_id")


def old_rows(lake: Lake) -> list[tuple[object, ...]]:
    """Hot rows that are not of today."""
    return rows_of(lake, f"SELECT symbol, trade_id FROM ticks WHERE time_ms < {END_MS}")


def ids_in(path: Path) -> list[int]:
    return pl.read_parquet(path, hive_partitioning=False)["trade_id"].to_list()


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("no Parquet"),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "other columns": lambda path: pl.DataFrame({"a": [1]}).write_parquet(path),
    "other types": lambda path: pl.DataFrame(
        {name: ["x"] for name in TRADES_SCHEMA.names()}
    ).write_parquet(path),
    "a folder": folder_instead,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_it_costs_no_other_symbol_and_no_other_hour(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    lake = Lake(tmp_path)
    path = a_late_trade(lake)
    damage(path)
    with pytest.raises(LakeError) as raised:
        roll_until(lake, END_MS)
    assert f"{path} cannot be read" in str(raised.value)
    assert "move it away" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert hot(lake) == [(A, LATE)]
    assert ids_in(lake.tick_partition(B, START_MS)) == list(range(PER_HOUR))
    for symbol in (A, B):
        for hour in (1, 2):
            ids = list(range(hour * PER_HOUR, (hour + 1) * PER_HOUR))
            assert ids_in(lake.tick_partition(symbol, START_MS + hour * HOUR_MS)) == ids
    query = "SELECT rows FROM rolls WHERE symbol = '{}' ORDER BY hour_ms"
    assert rows_of(lake, query.format(A)) == [(PER_HOUR - 1,), (PER_HOUR,), (PER_HOUR,)]
    assert rows_of(lake, query.format(B)) == [(PER_HOUR,)] * 3
    assert counter(lake, "rolled_hours") == 4


def test_a_panic_of_the_reader_is_damage_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    path, read = a_late_trade(lake), pl.scan_parquet

    def panic(source: Path, **options: object) -> pl.LazyFrame:
        if source == path:
            raise pl.exceptions.PanicException("index out of bounds")
        return read(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pl, "scan_parquet", panic)
    with pytest.raises(LakeError, match=r"cannot be read \(index out of bounds\)"):
        roll_until(lake, END_MS)
    assert hot(lake) == [(A, LATE)]


def test_a_good_copy_in_its_place_makes_the_hour_whole(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    path = a_late_trade(lake)
    copy = path.read_bytes()
    path.write_text("no Parquet")
    with pytest.raises(LakeError, match="put a good copy in its place"):
        roll_until(lake, END_MS)
    path.write_bytes(copy)
    assert roll_until(lake, END_MS) == 1
    assert hot(lake) == []
    assert ids_in(path) == list(range(PER_HOUR))


def test_once_it_is_moved_away_the_hour_waits_for_what_is_gone(tmp_path: Path) -> None:
    """A file with the late trade alone would look like an hour with one trade."""
    lake = Lake(tmp_path)
    path = a_late_trade(lake)
    copy = path.read_bytes()
    path.write_text("no Parquet")
    with pytest.raises(LakeError, match=r"move it away: what only it held is then missing"):
        roll_until(lake, END_MS)
    path.rename(tmp_path / "damaged")
    with pytest.raises(LakeError, match=rf"are gone: {A} .*or import the dumps of these days"):
        roll_until(lake, END_MS)
    assert hot(lake) == [(A, LATE)]
    path.write_bytes(copy)
    assert roll_until(lake, END_MS) == 1
    assert hot(lake) == []
    assert sorted(ids_in(path)) == list(range(PER_HOUR))


def test_a_folder_that_cannot_be_written_costs_its_symbol_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, trades(range(PER_HOUR)), trades(range(PER_HOUR), B))
    lake.ticks_dir.mkdir()
    (lake.ticks_dir / f"symbol={A}").write_text("in the way")
    with pytest.raises(LakeError, match=r"23\.parquet cannot be written: .*Not a directory"):
        roll_until(lake, END_MS)
    assert hot(lake) == [(A, i) for i in range(PER_HOUR)]
    assert ids_in(lake.tick_partition(B, START_MS)) == list(range(PER_HOUR))


def test_on_a_full_disk_the_hour_stays_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no trouble with one partition: it is tried again with the next pass."""
    lake = Lake(tmp_path)
    fill(lake, trades(range(PER_HOUR)), trades(range(PER_HOUR), B))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        roll_until(lake, END_MS)
    assert raised.value.errno == errno.ENOSPC
    assert len(hot(lake)) == 2 * PER_HOUR


def test_of_many_the_message_names_a_few(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, trades(range(5 * PER_HOUR)))
    lake.ticks_dir.mkdir()
    (lake.ticks_dir / f"symbol={A}").write_text("in the way")
    with pytest.raises(LakeError, match="and 2 more like these") as raised:
        roll_until(lake, START_MS + 5 * HOUR_MS)
    assert str(raised.value).count("cannot be written") == 3


def test_the_command_says_so_after_it_has_rolled_the_rest(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    path = a_late_trade(lake)
    path.write_text("no Parquet")
    ended = run("roll", "--data", tmp_path, "--before", str(END_MS // 1000), cwd=tmp_path)
    assert ended.returncode == 2
    assert f"{path} cannot be read" in ended.stderr
    assert "hours rolled: 3" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert hot(lake) == [(A, LATE)]


def test_beside_the_capture_it_is_told_once_and_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lake = Lake(tmp_path)
    path = a_late_trade(lake)
    path.write_text("no Parquet")
    passes, written = list[int](), list[int]()

    def find(db: sqlite3.Connection, from_ms: int) -> HotHour | None:
        passes.append(from_ms)
        return next_hour(db, from_ms)

    def write(lake: Lake, hour: HotHour, stop: threading.Event) -> WrittenHour:
        written.append(hour.hour_ms)
        return write_hour(lake, hour, stop)

    monkeypatch.setattr(roller, "next_hour", find)
    monkeypatch.setattr(roller, "write_hour", write)

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, repair_hours=0)
            async with collecting(lake, settings):
                await until(lambda: passes.count(0) >= 5)

    asyncio.run(scenario())
    assert written == [START_MS + hour * HOUR_MS for hour in range(3)]
    assert old_rows(lake) == [(A, LATE)]
    told = [r.getMessage() for r in caplog.records if "whose trades stay" in r.getMessage()]
    assert len(told) == 1
    assert "2023-11-14 23:00 UTC is rolled but for 1 of its symbols, whose trades stay" in told[0]
    assert str(path) in told[0]


def test_beside_the_capture_it_rolls_when_it_can_be_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    path = a_late_trade(lake)
    copy = path.read_bytes()
    path.write_text("no Parquet")
    monkeypatch.setattr(roller, "_AGAIN", 0.0)

    async def scenario() -> None:
        async with SimulatedExchange(market()) as exchange:
            settings = settings_for(exchange, repair_hours=0)
            async with collecting(lake, settings):
                await until(lambda: old_rows(lake) == [(A, LATE)])
                path.write_bytes(copy)
                await until(lambda: not old_rows(lake))

    asyncio.run(scenario())
    # In its hour's file, or by now in that of its day.
    found = read_trades(lake, START_MS, START_MS + HOUR_MS, [A])
    assert found["trade_id"].to_list() == list(range(PER_HOUR))


def test_rows_that_stay_are_passed_over_once(tmp_path: Path) -> None:
    """Pieces go on where the last one ended, and leave alone what was not written."""
    lake, hour = Lake(tmp_path), HotHour(START_MS, 10**9)
    fill(lake, trades(range(PER_HOUR + 5)), trades(range(PER_HOUR + 5), B))
    with closing(quick_writer(lake)) as db:
        from_ms: int | None = START_MS
        went_on = []
        while from_ms is not None:
            went_on.append(from_ms)
            from_ms = delete_rows(db, hour, [B], from_ms, 50)
    assert went_on[:3] == [START_MS + n * STEP_MS for n in (0, 49, 99)]
    assert went_on[-1] == trade(PER_HOUR - 1).time_ms
    assert hot(lake) == [
        *((A, i) for i in range(PER_HOUR + 5)),
        *((B, i) for i in range(PER_HOUR, PER_HOUR + 5)),
    ]


def test_the_rows_to_delete_are_found_by_the_index_of_their_times(tmp_path: Path) -> None:
    lake, statements = Lake(tmp_path), list[str]()
    fill(lake, trades(range(PER_HOUR)))
    with closing(quick_writer(lake)) as db:
        db.set_trace_callback(statements.append)
        delete_rows(db, HotHour(START_MS, 10**9), [A], START_MS, 50)
        (deletion,) = [text for text in statements if text.startswith("DELETE")]
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {deletion}")]
    assert any("USING INDEX ticks_by_time (time_ms>? AND time_ms<?)" in step for step in plan)
    assert not any(step.startswith("SCAN ticks") for step in plan)
    assert not any("USE TEMP B-TREE FOR ORDER BY" in step for step in plan)
