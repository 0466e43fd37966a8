"""Finished days are one file, and whoever reads sees each trade once, before, then and after."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from collector.roll import compactor
from collector.service import roll
from simulator import SimulatedExchange
from spreadlake.config import load_settings
from spreadlake.errors import DamagedFileError, LakeError
from spreadlake.lake import HOUR_MS, Lake, open_reader, read_trades
from spreadlake.lake.files import names_in
from spreadlake.lake.ticks import trades as reading
from spreadlake.lake.ticks.rolls import missing_hours
from spreadlake.lake.ticks.trades import cold_hours
from spreadlake.service import ServiceContext
from tests.collector.compacting import (
    END_MS,
    FIRST_MS,
    IDS,
    MIDNIGHT_MS,
    all_trades,
    by_others,
    compact,
    earlier,
    files,
    late_trade,
    rolled_day,
)
from tests.collector.lakes import PER_HOUR, A, B, fill, rows_of
from tests.collector.live import collecting, market, settings_for, until
from tests.collector.rolling import roll_until

DAY = "date=2023-11-14/day.parquet"
NEXT = "date=2023-11-15/00.parquet"
COMPACTED = sorted(f"symbol={symbol}/{name}" for symbol in (A, B) for name in (DAY, NEXT))
EVERY = sorted((symbol, i) for symbol in (A, B) for i in IDS)


@pytest.fixture(name="lake")
def rolled(tmp_path: Path) -> Lake:
    return rolled_day(tmp_path)


def missing(lake: Lake) -> list[tuple[str, int]]:
    with closing(open_reader(lake.ticks_db)) as db:
        return [(hour.symbol, hour.hour_ms) for hour in missing_hours(db, lake)]


def test_the_hours_of_a_finished_day_become_one_file(lake: Lake) -> None:
    before = all_trades(lake)
    assert compact(lake) == 2
    assert files(lake) == COMPACTED
    assert all_trades(lake).equals(before)
    assert by_others(lake) == EVERY
    assert missing(lake) == []
    assert compact(lake) == 0


def test_any_span_of_it_is_read_as_before(lake: Lake) -> None:
    spans = [(FIRST_MS + a * HOUR_MS // 2, FIRST_MS + b * HOUR_MS // 2)
             for a in range(9) for b in range(a, 9)]  # fmt: skip
    before = [read_trades(lake, *span) for span in spans]
    compact(lake)
    assert all(
        read_trades(lake, *span).equals(old) for span, old in zip(spans, before, strict=True)
    )


def test_a_day_that_is_not_over_stays_in_hours(lake: Lake) -> None:
    there = files(lake)
    assert compact(lake, MIDNIGHT_MS - 1) == 0
    assert files(lake) == there


def test_its_file_has_the_columns_of_the_hours_by_time_and_id(lake: Lake) -> None:
    hour = pl.read_parquet(lake.tick_partition(A, FIRST_MS), hive_partitioning=False)
    compact(lake)
    path = lake.tick_day(A, FIRST_MS)
    day = pl.read_parquet(path, hive_partitioning=False)
    assert day.schema == hour.schema
    assert day["trade_id"].to_list() == list(IDS[: 3 * PER_HOUR])
    file = pq.ParquetFile(path)
    assert file.num_row_groups == 3  # so that an hour is found by itself
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_late_trade_stands_beside_the_day_until_that_is_written_again(lake: Lake) -> None:
    compact(lake)
    fill(lake, [late_trade()])
    roll_until(lake, END_MS)
    assert ids(lake.tick_partition(A, FIRST_MS)) == [10**6]
    assert by_others(lake) == sorted([*EVERY, (A, 10**6)])
    assert read_trades(lake, FIRST_MS, FIRST_MS + HOUR_MS, [A]).height == PER_HOUR + 1
    query = f"SELECT rows, day_rows FROM rolls WHERE symbol = '{A}' AND hour_ms = {FIRST_MS}"
    assert rows_of(lake, query) == [(PER_HOUR + 1, PER_HOUR)]
    assert compact(lake) == 1
    assert files(lake) == COMPACTED
    assert by_others(lake) == sorted([*EVERY, (A, 10**6)])
    assert rows_of(lake, query) == [(PER_HOUR + 1, PER_HOUR + 1)]


def test_a_late_trade_whose_hour_file_is_lost_is_missed(lake: Lake) -> None:
    compact(lake)
    fill(lake, [late_trade()])
    roll_until(lake, END_MS)
    lake.tick_partition(A, FIRST_MS).unlink()
    assert missing(lake) == [(A, FIRST_MS)]
    with pytest.raises(LakeError, match="are gone"):
        all_trades(lake)


def test_a_day_s_file_that_is_gone_is_missed_as_its_hours(lake: Lake) -> None:
    compact(lake)
    path = lake.tick_day(A, FIRST_MS)
    copy = path.read_bytes()
    path.unlink()
    assert missing(lake) == [(A, FIRST_MS + n * HOUR_MS) for n in range(3)]
    with pytest.raises(LakeError, match=f"are gone: {A} 2023-11-14T21:00:00Z to 2023-11-15T00:"):
        all_trades(lake)
    assert read_trades(lake, MIDNIGHT_MS, END_MS).height == 2 * PER_HOUR
    fill(lake, [late_trade()])
    with pytest.raises(LakeError, match="are gone"):
        roll_until(lake, END_MS)
    path.write_bytes(copy)
    assert roll_until(lake, END_MS) == 1


def test_a_damaged_hour_is_told_and_leaves_its_day_and_no_other(lake: Lake) -> None:
    path = lake.tick_partition(A, FIRST_MS)
    path.write_text("no Parquet")
    with pytest.raises(LakeError, match=rf"{path} cannot be read .* All other days were compacted"):
        compact(lake)
    assert path.read_text() == "no Parquet"
    assert [name for name in files(lake) if "ETH" in name] == COMPACTED[2:]
    assert len([name for name in files(lake) if "BTC" in name]) == 4


def test_an_hour_that_lost_trades_does_not_hide_in_the_day(lake: Lake) -> None:
    path = lake.tick_partition(A, FIRST_MS)
    pl.read_parquet(path, hive_partitioning=False).head(5).write_parquet(path)
    with pytest.raises(LakeError, match=f"holds 5 trades of the hour 21 and {PER_HOUR} are on rec"):
        compact(lake)
    assert len(ids(path)) == 5


def test_a_file_that_is_on_no_record_is_told_and_left(lake: Lake) -> None:
    other = lake.tick_partition(A, FIRST_MS - HOUR_MS)
    other.write_bytes(lake.tick_partition(A, FIRST_MS).read_bytes())
    with pytest.raises(LakeError, match=f"{other} is not on record"):
        compact(lake)
    assert other.exists()
    assert not lake.tick_day(A, FIRST_MS).exists()


def test_a_day_whose_trades_are_not_all_rolled_waits(lake: Lake) -> None:
    fill(lake, [late_trade()])
    assert compact(lake) == 1
    assert not lake.tick_day(A, FIRST_MS).exists()
    roll_until(lake, END_MS)
    assert compact(lake) == 1
    assert files(lake) == COMPACTED


def test_a_damaged_day_is_told_by_who_reads_it(lake: Lake) -> None:
    compact(lake)
    lake.tick_day(A, FIRST_MS).write_text("no Parquet")
    with pytest.raises(DamagedFileError, match=r"day\.parquet cannot be read"):
        all_trades(lake)
    fill(lake, [late_trade()])
    with pytest.raises(LakeError, match=r"day\.parquet cannot be read"):
        roll_until(lake, END_MS)
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(1,)]


def test_a_change_on_the_way_to_the_disk_is_noticed(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = pq.ParquetWriter.write_table

    def write_less(self: pq.ParquetWriter, table: object, **keywords: object) -> None:
        write(self, table.slice(1), **keywords)  # type: ignore[attr-defined]

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_less)
    there = files(lake)
    with pytest.raises(LakeError, match="does not read back as it was written"):
        compact(lake)
    assert files(lake) == there
    assert not list(lake.root.glob(".ticks*"))


def test_hours_of_trades_are_known_for_a_lake_without_records(lake: Lake, tmp_path: Path) -> None:
    compact(lake)
    with closing(open_reader(rolled_day(tmp_path / "other").ticks_db)) as db:
        recorded = cold_hours(db, lake)
    (lake.root / "ticks.db").unlink()
    fill(lake, earlier([10**6]))
    with closing(open_reader(lake.ticks_db)) as db:
        assert cold_hours(db, lake) == recorded == {FIRST_MS + n * HOUR_MS for n in range(4)}


def test_the_command_compacts_as_well(lake: Lake) -> None:
    fill(lake, earlier([IDS[-1] + 1]))
    roll(ServiceContext(load_settings(None), lake, options={"before": None}))
    assert files(lake) == COMPACTED


def test_beside_the_capture_it_is_done(lake: Lake) -> None:
    async def scenario() -> None:
        async with (
            SimulatedExchange(market()) as exchange,
            collecting(lake, settings_for(exchange, repair_hours=0)),
        ):
            left = "SELECT 1 FROM compacting UNION SELECT 1 FROM rolls WHERE rows > day_rows"
            await until(lambda: not rows_of(lake, left))

    asyncio.run(scenario())
    assert {name for name in files(lake) if "2023-11-14" in name} == {
        name for name in COMPACTED if "2023-11-14" in name
    }
    captured_before = all_trades(lake).filter(pl.col("trade_id") < 1_000_000)
    assert captured_before.height == len(EVERY)


@pytest.mark.parametrize("moment", ["before the files are listed", "after they are listed"])
def test_who_reads_meanwhile_sees_each_trade_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    before, left = all_trades(lake), [1]

    def list_files(lake: Lake, folder: Path) -> set[str]:
        found = names_in(lake, folder)
        if left and left.pop():
            compact(lake)
            return names_in(lake, folder) if moment.startswith("before") else found
        return found

    monkeypatch.setattr(reading, "names_in", list_files)
    assert all_trades(lake).equals(before)
    assert not left


def ids(path: Path) -> list[int]:
    return pl.read_parquet(path, hive_partitioning=False)["trade_id"].to_list()


class CrashError(BaseException):
    """Ends a compaction as abruptly as a process can end itself."""


def test_a_crash_before_or_after_any_step_loses_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 0

    def around(function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **keywords: object) -> object:
            moment()
            result = function(*arguments, **keywords)
            moment()
            return result

        return call

    def moment() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise CrashError

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, around(getattr(owner, name)))
    before, crashes = all_trades(lake), 0
    while True:
        left = crashes + 1
        try:
            compact(lake)
            break
        except CrashError:
            crashes += 1
        assert all_trades(lake).equals(before)
        assert set(by_others(lake)) == set(EVERY)
        assert missing(lake) == []
    assert crashes > 15
    assert files(lake) == COMPACTED
    assert by_others(lake) == EVERY
    assert rows_of(lake, "SELECT * FROM compacting") == []
    assert not list(lake.root.glob(".ticks*"))


STEPS = [
    (os, "fsync"), (Path, "replace"), (Path, "unlink"), (pq.ParquetWriter, "write_table"),
    (compactor, "record_day"), (compactor, "record_hours_gone"),
]  # fmt: skip

CRASHING = """
import os, signal, sys
from pathlib import Path
import pyarrow.parquet as pq
step = int(sys.argv[2])
def counted(function):
    def call(*arguments, **keywords):
        global step
        for after in (False, True):
            step -= 1
            if step == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if not after:
                result = function(*arguments, **keywords)
        return result
    return call
from collector.roll import compactor
from spreadlake.lake import Lake, open_ticks_writer
os.fsync = counted(os.fsync)
Path.replace = counted(Path.replace)
Path.unlink = counted(Path.unlink)
pq.ParquetWriter.write_table = counted(pq.ParquetWriter.write_table)
for name in ("record_day", "record_hours_gone"):
    setattr(compactor, name, counted(getattr(compactor, name)))
lake = Lake(Path(sys.argv[1]))
compactor.compact_all(lake, open_ticks_writer(lake), int(sys.argv[3]))
"""


def killed_at(lake: Lake, step: int) -> bool:
    """Compacts in a process that is killed at its `step`; False if it came to its end before."""
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, str(lake.root), str(step), str(END_MS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


@pytest.mark.soak
def test_sigkill_at_each_step_of_compacting(lake: Lake) -> None:
    before, step = all_trades(lake), 1
    while killed_at(lake, step):
        assert all_trades(lake).equals(before)
        step += 1
    assert step > 15
    assert by_others(lake) == EVERY
    assert files(lake) == COMPACTED


def test_sigkill_between_the_file_and_its_record(lake: Lake) -> None:
    """The temporary file, the renamed one and the hours that are left: each is taken once."""
    before = all_trades(lake)
    for step in (5, 12, 16, 18):
        assert killed_at(lake, step)
        assert all_trades(lake).equals(before)
    compact(lake)
    assert by_others(lake) == EVERY
    assert files(lake) == COMPACTED
    assert not list(lake.root.glob(".ticks*"))
