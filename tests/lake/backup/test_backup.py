"""A back-up holds what the lake does, costs what is new, and is whole or not there."""

import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import polars as pl
import pytest

from spreadlake.errors import InputError, LakeError
from spreadlake.lake import Lake, open_analytics_writer, writer_lock
from spreadlake.lake.backup import databases, files, run
from spreadlake.lake.backup.run import back_up
from spreadlake.lake.cold.recorded import recorded
from spreadlake.lake.databases.connections import open_cold_writer
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.ticks.rolls import missing_hours
from tests.collector.compacting import (
    END_MS,
    all_trades,
    by_others,
    compact,
    earlier,
    late_trade,
    rolled_day,
)
from tests.collector.lakes import fill, quick_writer
from tests.collector.rolling import roll_until
from tests.crashes import Crash, CrashError


def trades_in(lake: Lake) -> pl.DataFrame:
    """All of them, with no file missing that the lake knows of."""
    with closing(sqlite3.connect(lake.ticks_db)) as db:
        assert not missing_hours(db, lake)
    return all_trades(lake)


def test_a_back_up_is_the_lake_and_the_next_one_costs_what_is_new(tmp_path: Path) -> None:
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    first = back_up(lake, to)
    assert (first.files, first.removed, first.missing) == (8, 0, 0)
    assert trades_in(to).equals(trades_in(lake))
    again = back_up(lake, to)
    assert (again.files, again.unchanged) == (0, 8)
    compact(lake)
    after = back_up(lake, to)
    # Two days took the place of the six hours of the day that is over.
    assert (after.files, after.removed) == (2, 6)
    assert trades_in(to).equals(trades_in(lake))
    assert by_others(to) == by_others(lake)
    fill(lake, [late_trade()])
    roll_until(lake, END_MS)
    assert back_up(lake, to).files == 1
    assert trades_in(to).equals(trades_in(lake))
    told = json.loads((to.root / "backup.json").read_text("utf-8"))
    assert told["whole"] is True
    assert not [path for path in to.root.iterdir() if ".tmp" in path.name]


def test_what_is_restored_is_the_lake(tmp_path: Path) -> None:
    lake, to, again = (Lake(tmp_path / name) for name in ("lake", "to", "again"))
    rolled_day(lake.root)
    (lake.root / "pairs.json").write_text('{"pairs": []}', encoding="utf-8")
    open_analytics_writer(lake).close()
    back_up(lake, to)
    back_up(to, again)
    assert trades_in(again).equals(trades_in(lake))
    assert (again.root / "pairs.json").read_bytes() == (lake.root / "pairs.json").read_bytes()
    assert again.analytics_db.exists()
    with closing(quick_writer(again)) as db:
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,), "pages are given back there too"


def test_compaction_in_the_middle_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the database and the files after it, the files that it knows of go."""
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    expected = trades_in(lake)

    def snapshot(database: Path, path: Path) -> None:
        databases.snapshot(database, path)
        if database.name == "ticks.db":
            compact(lake)

    monkeypatch.setattr(run, "snapshot", snapshot)
    back_up(lake, to)
    assert trades_in(to).equals(expected)


def test_a_roll_and_a_compaction_in_the_middle_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was rolled after the first look is compacted before the second: it is looked again."""
    lake, to = Lake(tmp_path / "lake"), Lake(tmp_path / "to")
    fill(lake, earlier(range(4 * 180)))
    expected = trades_in(lake)
    times = list[str]()

    def snapshot(database: Path, path: Path) -> None:
        if database.name == "ticks.db" and not times:
            roll_until(lake, END_MS)
        databases.snapshot(database, path)
        if database.name == "ticks.db":
            times.append(database.name)
            compact(lake)

    monkeypatch.setattr(run, "snapshot", snapshot)
    back_up(lake, to)
    assert len(times) == 2
    assert trades_in(to).equals(expected)


def test_killed_at_any_moment_it_is_no_lake_or_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = Crash()
    for module, names in (
        (run, ("snapshot", "put_in_place", "bring_file", "_prune")),
        (files, ("_copy",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, crash.around(getattr(module, name)))
    lake, moments = rolled_day(tmp_path / "lake"), 0
    open_analytics_writer(lake).close()
    for moment in range(1, 200):
        to = Lake(tmp_path / f"to-{moment}")
        crash.left = moment
        with suppress(CrashError):
            back_up(lake, to)
        if crash.left > 0:
            break
        moments += 1
        if to.ticks_db.exists():
            assert trades_in(to).equals(trades_in(lake))
            assert to.analytics_db.exists()
        else:
            with pytest.raises(LakeError, match="no lake in"):
                back_up(to, Lake(tmp_path / "none"))
        crash.left = 0
        back_up(lake, to)
        assert trades_in(to).equals(trades_in(lake))
    assert moments > 20


@pytest.mark.parametrize("moment", range(1, 25, 4))
def test_killed_at_a_later_one_it_is_the_one_of_before_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    back_up(lake, to)
    before = trades_in(lake)
    fill(lake, [late_trade()])
    roll_until(lake, END_MS)
    compact(lake)
    crash = Crash()
    for module, names in (
        (run, ("snapshot", "put_in_place", "bring_file")),
        (files, ("_copy", "prune")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, crash.around(getattr(module, name)))
    crash.left = moment
    with suppress(CrashError):
        back_up(lake, to)
    found = trades_in(to)
    # The file that came may be there already; what it holds more is no harm to what was.
    assert found.height in (before.height, before.height + 1)
    assert before.join(found, on=["symbol", "trade_id"], how="anti").is_empty()
    crash.left = 0
    back_up(lake, to)
    assert trades_in(to).equals(trades_in(lake))
    assert by_others(to) == by_others(lake)


def test_files_that_the_lake_lost_stay_in_the_back_up(tmp_path: Path) -> None:
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    expected = trades_in(lake)
    back_up(lake, to)
    gone = next(lake.ticks_dir.rglob("*.parquet"))
    gone.unlink()
    done = back_up(lake, to)
    assert (done.removed, done.missing) == (0, 0)
    assert trades_in(to).equals(expected)
    fresh = back_up(lake, Lake(tmp_path / "other"))
    assert fresh.missing == 1


def test_a_copy_that_does_not_read_back_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    digests = iter(range(10**6))
    monkeypatch.setattr(files, "_digest", lambda *_: next(digests))
    with pytest.raises(LakeError, match="does not read back"):
        back_up(lake, to)
    assert not to.ticks_db.exists()
    assert not list(to.root.rglob("*.parquet"))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    lake = rolled_day(tmp_path / "lake")
    other = rolled_day(tmp_path / "other")
    for folder, told in (
        (lake.root, "within each other"),
        (lake.root / "inside", "within each other"),
        (tmp_path, "within each other"),
        (other.root, "is a lake, and no back-up"),
    ):
        with pytest.raises(InputError, match=told):
            back_up(lake, Lake(folder))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letters.txt").touch()
    with pytest.raises(InputError, match=r"letters\.txt is there"):
        back_up(lake, Lake(tmp_path / "full"))
    with pytest.raises(LakeError, match="no lake in"):
        back_up(Lake(tmp_path / "nowhere"), Lake(tmp_path / "to"))
    assert not (tmp_path / "to").exists()


def test_the_wrong_way_round_is_refused(tmp_path: Path) -> None:
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    back_up(lake, to)
    fill(lake, [late_trade()])
    (lake.root / "backup.json").write_text("{}", encoding="utf-8")
    with pytest.raises(LakeError, match="wrong way round"):
        back_up(to, lake)


def test_a_back_up_that_became_a_lake_is_left_alone(tmp_path: Path) -> None:
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    back_up(lake, to)
    for service in ("collector", "uploader"):
        running = pytest.raises(LakeError, match=f"{service} running")
        with writer_lock(to, service), running:
            back_up(lake, to)
    with closing(quick_writer(to)) as db:
        db.execute("CREATE TABLE more (x)")
        with pytest.raises(LakeError, match="a lake of its own now"):
            back_up(lake, to)


def test_files_that_are_in_the_bucket_alone_are_on_record_and_not_in_the_back_up(
    tmp_path: Path,
) -> None:
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    compact(lake)
    back_up(lake, to)
    gone = next(lake.ticks_dir.rglob("day.parquet"))
    name = gone.relative_to(lake.root).as_posix()
    with closing(open_cold_writer(lake)) as db:
        db.execute("INSERT INTO objects VALUES (?, ?, '', 0, 0, 0, 0)", (name, gone.stat().st_size))
    gone.unlink()
    done = back_up(lake, to)
    assert (done.removed, done.missing) == (1, 0)
    assert not (to.root / name).exists()
    assert recorded(to).has(to.root / name)


def test_a_file_that_leaves_after_the_record_was_copied_stays_in_the_back_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record is not in the back-up: without the file nobody would know that there was one."""
    lake, to = rolled_day(tmp_path / "lake"), Lake(tmp_path / "to")
    name = "bars/timeframe=1m/symbol=BTCUSDT/date=2026-11-01/day.parquet"
    write_durably(pl.DataFrame({"time": [1]}), lake.root / name)
    put = run._put_in_place

    def leave(*lakes: Lake) -> tuple[str, ...]:
        with closing(open_cold_writer(lake)) as db:
            db.execute("INSERT INTO objects VALUES (?, 1, '', 0, 0, 0, 0)", (name,))
        (lake.root / name).unlink()
        return put(*lakes)

    monkeypatch.setattr(run, "_put_in_place", leave)
    assert back_up(lake, to).removed == 0
    assert (to.root / name).exists()
    monkeypatch.setattr(run, "_put_in_place", put)
    assert back_up(lake, to).removed == 1
    assert recorded(to).has(to.root / name)
