"""Rolling: finished hours go to Parquet, and every reader sees each trade once."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from collector.roll import finished_before, next_roll_ms, roller
from collector.service import roll
from spreadlake.config import load_settings
from spreadlake.errors import LakeError
from spreadlake.lake import (
    HOUR_MS,
    Lake,
    hour_of,
    writer_lock,
)
from spreadlake.lake.ticks import partitions
from spreadlake.schemas import TICKS_SCHEMA
from spreadlake.service import ServiceContext
from spreadlake.trades import TradeEvent
from tests.collector.lakes import (
    PER_HOUR,
    START_MS,
    A,
    B,
    fill,
    rows_of,
    trades,
    wait_until,
)
from tests.collector.rolling import END_MS, HOURS, everything, roll_until, three_hours


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return three_hours(tmp_path)


def test_finished_hours_move_to_partitions(lake: Lake) -> None:
    before = everything(lake)
    assert roll_until(lake, START_MS + 2 * HOUR_MS) == 2
    assert everything(lake).equals(before)
    assert rows_of(lake, "SELECT symbol, count(*) FROM ticks GROUP BY symbol") == [
        (A, PER_HOUR),
        (B, PER_HOUR),
    ]
    files = sorted(str(p.relative_to(lake.root)) for p in lake.ticks_dir.rglob("*.*"))
    assert files == [
        f"ticks/symbol={symbol}/date={hour}.parquet"
        for symbol in (A, B)
        for hour in ("2023-11-14/23", "2023-11-15/00")
    ]


def test_a_partition_has_the_columns_of_ticks_sorted_by_time_and_id(lake: Lake) -> None:
    late = [t for i in (5, 3) for t in trades([i])]
    for event in late:
        event.time_ms = START_MS + 1
    fill(Lake(lake.root / "other"), trades([1, 2]), late)
    other = Lake(lake.root / "other")
    roll_until(other, END_MS)
    frame = pl.read_parquet(other.tick_partition(A, START_MS), hive_partitioning=False)
    names = [name for name in TICKS_SCHEMA if name != "symbol"]  # the path says it
    assert frame.schema == {name: TICKS_SCHEMA[name] for name in names}
    assert frame["trade_id"].to_list() == [3, 5, 1, 2]


def test_rolls_say_what_was_rolled(lake: Lake) -> None:
    roll_until(lake, START_MS + HOUR_MS)
    assert rows_of(lake, "SELECT symbol, hour_ms, rows, max_seq FROM rolls") == [
        (A, START_MS, PER_HOUR, PER_HOUR),
        (B, START_MS, PER_HOUR, HOURS * PER_HOUR + PER_HOUR),
    ]
    assert rows_of(lake, "SELECT value FROM counters WHERE name = 'rolled_hours'") == [(1.0,)]
    # Of an hour each symbol has a partition of its own.
    query = "SELECT value FROM counters WHERE name = 'rolled_partitions'"
    assert rows_of(lake, query) == [(2.0,)]


def test_a_repair_into_a_rolled_hour_rewrites_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    missing = {7, 8, 90}
    fill(lake, trades(i for i in range(2 * PER_HOUR) if i not in missing))
    roll_until(lake, START_MS + HOUR_MS)
    fill(lake, trades(missing))
    assert everything(lake)["trade_id"].to_list() == list(range(2 * PER_HOUR))
    roll_until(lake, START_MS + HOUR_MS)
    assert everything(lake)["trade_id"].to_list() == list(range(2 * PER_HOUR))
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(PER_HOUR,)]
    seqs = 2 * PER_HOUR
    assert rows_of(lake, "SELECT rows, max_seq FROM rolls") == [(PER_HOUR, seqs)]


def test_a_partition_that_does_not_check_out_leaves_the_hour_hot(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(lake)
    monkeypatch.setattr(partitions, "merged", lambda hot, _cold: hot.head(hot.height - 1))
    with pytest.raises(LakeError, match=r"stays in ticks\.db"):
        roll_until(lake, END_MS)
    assert list(lake.ticks_dir.rglob("*.parquet")) == []
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(before.height,)]


def test_the_file_gives_its_room_back(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake, *(_dense(part) for part in range(60)))
    size = lake.ticks_db.stat().st_size
    roll_until(lake, END_MS)
    assert lake.ticks_db.stat().st_size < size - 4 * 2**20


def _dense(part: int) -> list[TradeEvent]:
    events = trades(range(part * 3000, part * 3000 + 3000))
    for event in events:
        event.time_ms = START_MS + event.trade_id * 20
    return events


def test_readers_see_each_trade_once_while_it_is_rolled(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two steps of rolling somebody reads everything."""
    monkeypatch.setattr(roller, "_ROWS", 100)
    before, done = everything(lake), threading.Event()
    seen: list[bool] = []

    def after_a_read(step: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            begun = len(seen) + 2
            wait_until(lambda: len(seen) >= begun)
            return step(*arguments)

        return call

    for name in ("record_roll", "delete_rows"):
        monkeypatch.setattr(roller, name, after_a_read(getattr(roller, name)))

    def read() -> None:
        while not done.is_set():
            seen.append(everything(lake).equals(before))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        roll_until(lake, END_MS)
    finally:
        done.set()
        reader.join()
    assert all(seen)


def test_the_watermark_says_what_is_finished() -> None:
    assert finished_before(START_MS + 2 * HOUR_MS - 1, 1) == START_MS
    assert finished_before(START_MS + 2 * HOUR_MS, 1) == START_MS + HOUR_MS
    due = next_roll_ms(START_MS + 5, 2)
    assert finished_before(due - 1, 2) == finished_before(START_MS + 5, 2)
    assert finished_before(due, 2) == finished_before(START_MS + 5, 2) + HOUR_MS


def context(lake: Lake, **options: object) -> ServiceContext:
    return ServiceContext(load_settings(None), lake, options=options)


def test_the_command_rolls_all_hours_that_have_ended(lake: Lake) -> None:
    roll(context(lake))
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(2 * PER_HOUR,)]


def test_the_command_rolls_up_to_a_time(lake: Lake) -> None:
    roll(context(lake, before=END_MS))
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(0,)]
    fill(lake, trades([HOURS * PER_HOUR]))
    assert rows_of(lake, "SELECT seq FROM ticks") == [(2 * HOURS * PER_HOUR + 1,)]


def test_an_hour_that_is_not_over_is_never_rolled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever --before says: more trades of it are to come."""
    lake, now = Lake(tmp_path), time.time_ns() // 1_000_000
    hour = hour_of(now)
    events = trades(range(4))
    for event, time_ms in zip(events, (hour - 2, hour - 1, hour, hour + 1), strict=True):
        event.time_ms = time_ms
    fill(lake, events)
    roll(context(lake, before=hour + 3 * HOUR_MS))
    left = rows_of(lake, "SELECT time_ms FROM ticks ORDER BY time_ms")
    # The clock may have gone on to the next hour since.
    assert left in ([(hour,), (hour + 1,)], [])
    assert not left or "stay in ticks.db: their hour is not over" in caplog.text


def test_a_time_within_an_hour_leaves_that_hour_and_says_so(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    roll(context(lake, before=START_MS + HOUR_MS + HOUR_MS // 2))
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(2 * 2 * PER_HOUR,)]
    assert "trades from 2023-11-15T00:00:00Z on stay in ticks.db" in caplog.text
    caplog.clear()
    roll(context(lake, before=END_MS))
    assert "stay" not in caplog.text


def test_the_command_is_refused_beside_a_running_collector(lake: Lake) -> None:
    with writer_lock(lake, "collector"), pytest.raises(LakeError, match="rolls finished hours"):
        roll(context(lake))


def test_the_command_needs_a_lake(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="no lake"):
        roll(context(Lake(tmp_path / "nothing")))
    assert not (tmp_path / "nothing").exists()
