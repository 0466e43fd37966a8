"""What is finished gets to the bucket, and leaves the disk only when it is there."""

import os
from pathlib import Path

import polars as pl
import pytest

from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.cold.recorded import recorded
from spreadlake.lake.parquet import write_durably
from tests.buckets import Server
from tests.uploader.lakes import (
    day_file,
    lake_of_days,
    objects_in,
    paths_of,
    uploading,
    write_day,
)
from uploader.claim import claim


def test_finished_days_are_in_the_bucket_as_they_are_on_the_disk(
    tmp_path: Path, cold: ColdAddress
) -> None:
    lake = lake_of_days(tmp_path)
    hour = day_file(lake).with_name("07.parquet")
    write_durably(pl.DataFrame({"trade_id": [1]}), hour)
    write_durably(pl.DataFrame({"time": [1]}), lake.kline_partition("BTCUSDT", 1_700_000_000))
    write_durably(pl.DataFrame({"time": [1]}), lake.kline_partition("BTCUSDT", 2**32))
    with uploading(lake, cold) as uploader:
        uploader.once()
        held = {one.path: one for one in Objects(cold).list()}
        finished = paths_of(lake) | {
            "klines/timeframe=1m/symbol=BTCUSDT/month=2023-11/month.parquet"
        }
        assert {path for path in held if path.endswith(".parquet")} - {"catalogue.parquet"} == (
            finished
        )
        for path in finished:
            assert Objects(cold).get(path) == (lake.root / path).read_bytes()
            assert recorded(lake).bytes(lake.root / path) == held[path].bytes
        assert recorded(lake).address == cold
        assert uploader.rounds.look.waits.files == 0
        assert day_file(lake).exists(), "nothing leaves the disk unless told so"


def test_what_is_old_enough_leaves_the_disk_and_stays_in_the_bucket(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path)
    before = {path: (lake.root / path).read_bytes() for path in paths_of(lake)}
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: _end_of_day(2))
    with uploading(lake, cold, local_days=1) as uploader:
        uploader.once()
        assert paths_of(lake) == before.keys(), "what was just uploaded is asked for once more"
        uploader.once()
        assert {Path(path).parent.name for path in paths_of(lake)} == {"date=2026-11-03"}
        assert not day_file(lake).parent.exists()
        assert {path: Objects(cold).get(path) for path in before} == before
        assert uploader.on_record() == before.keys()


def test_what_is_kept_and_the_room_there_is_only_take_it_from_the_disk(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path)
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: _end_of_day(2))
    before = paths_of(lake)
    with uploading(lake, cold, keep_days={"ticks": 2}) as uploader:
        uploader.once()
        uploader.once()
        assert {Path(p).parent.name for p in before - paths_of(lake)} == {"date=2026-11-01"}
        monkeypatch.setattr("uploader.look.Look._by_size", lambda _: _end_of_day(1) // 1000)
        uploader.once()
        assert {Path(p).parent.name for p in paths_of(lake)} == {"date=2026-11-03"}
        assert objects_in(cold) == before


def test_a_file_that_changed_is_uploaded_anew(tmp_path: Path, cold: ColdAddress) -> None:
    lake = lake_of_days(tmp_path, 1)
    with uploading(lake, cold) as uploader:
        uploader.once()
        path = write_day(lake, rows=7)
        uploader.once()
        name = path.relative_to(lake.root).as_posix()
        assert Objects(cold).get(name) == path.read_bytes()
        assert recorded(lake).bytes(path) == path.stat().st_size


def test_a_file_that_came_back_to_a_day_that_had_left_is_uploaded_anew(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path, 1)
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: _end_of_day(2))
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
        uploader.once()
        assert paths_of(lake) == set()
        content = write_day(lake, rows=9).read_bytes()
        uploader.once()
        assert Objects(cold).get(day_file(lake).relative_to(lake.root).as_posix()) == content


def test_a_file_that_changes_before_it_leaves_stays(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody merges into the day between the look and the moment it is to leave."""
    lake = lake_of_days(tmp_path, 1)
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: _end_of_day(2))
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
        holds = Objects.holds

        def change(objects: Objects, path: str, size: int, sha256: str) -> bool:
            held = holds(objects, path, size, sha256)
            if "BTC" in path:
                write_day(lake, rows=8)
            return held

        monkeypatch.setattr(Objects, "holds", change)
        uploader.once()
        assert paths_of(lake) == {day_file(lake).relative_to(lake.root).as_posix()}
        monkeypatch.setattr(Objects, "holds", holds)
        monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: None)
        uploader.once()
        path = day_file(lake)
        assert Objects(cold).get(path.relative_to(lake.root).as_posix()) == path.read_bytes()


def test_a_copy_of_a_lake_sends_nothing_again(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path, 1)
    with uploading(lake, cold) as uploader:
        uploader.once()
        for path in paths_of(lake):
            os.utime(lake.root / path, (1, 1))
        uploader.once()
        counted = uploader.rounds._ledger._db.execute(
            "SELECT value FROM counters WHERE name = 'uploaded'"
        ).fetchone()
        assert counted == (2,)
        uploader.once()
        assert uploader.rounds.look.waits.files == 0


def test_what_is_in_the_bucket_and_not_on_record_is_kept_beside(
    tmp_path: Path, cold: ColdAddress
) -> None:
    """A lake that was restored from a back-up has less of a day than the bucket may have."""
    lake = lake_of_days(tmp_path, 1)
    name = day_file(lake).relative_to(lake.root).as_posix()
    more = b"a day of which the back-up has a part" * 9
    Objects(cold).put_bytes(name, more)
    with uploading(lake, cold) as uploader:
        uploader.once()
        kept = [held.path for held in Objects(cold).list("replaced")]
        assert len(kept) == 1
        assert kept[0].endswith(name)
        assert Objects(cold).get(kept[0]) == more
        assert Objects(cold).get(name) == day_file(lake).read_bytes()
        write_day(lake, rows=5)
        uploader.once()
        assert len(list(Objects(cold).list("replaced"))) == 1


def test_an_object_that_somebody_deleted_keeps_its_file_on_the_disk(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path, 1)
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: _end_of_day(2))
    name = day_file(lake).relative_to(lake.root).as_posix()
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
        Objects(cold).delete([name])
        uploader.once()
        assert paths_of(lake) == {name}
        uploader.once()
        uploader.once()
        assert paths_of(lake) == set()
        assert name in objects_in(cold)


def test_two_lakes_do_not_write_to_one_place(tmp_path: Path, cold: ColdAddress) -> None:
    first, second = lake_of_days(tmp_path / "first", 1), lake_of_days(tmp_path / "second", 2)
    with uploading(first, cold) as uploader:
        uploader.once()
    before = objects_in(cold)
    with (
        uploading(second, cold) as uploader,
        pytest.raises(LakeError, match="is the cold part of another lake"),
    ):
        uploader.once()
    assert objects_in(cold) == before


def test_of_two_lakes_that_begin_in_one_moment_one_is_refused(cold: ColdAddress) -> None:
    class LooksFirst(Objects):
        """Another lake claims the place after this one has found it to be nobody's."""

        def get(self, path: str) -> bytes | None:
            found = super().get(path)
            if found is None:
                claim(Objects(cold), cold, "another")
            return found

    with pytest.raises(LakeError, match="is the cold part of another lake"):
        claim(LooksFirst(cold), cold, "this")
    claim(Objects(cold), cold, "another")


def test_another_bucket_begins_anew_unless_something_is_in_the_old_one_alone(
    tmp_path: Path, cold: ColdAddress, s3_server: Server
) -> None:
    lake = lake_of_days(tmp_path, 1)
    other = ColdAddress(s3_server.make_bucket(), "elsewhere")
    with uploading(lake, cold) as uploader:
        uploader.once()
    with uploading(lake, other) as uploader:
        uploader.once()
    assert objects_in(other) == objects_in(cold) == paths_of(lake)
    day_file(lake).unlink()
    with uploading(lake, cold) as uploader, pytest.raises(LakeError, match=r"1 files.*elsewhere"):
        uploader.once()
    assert recorded(lake).has(day_file(lake))


def _end_of_day(day: int) -> int:
    return Lake(Path()).partition_span(day_file(Lake(Path()), day=day))[2]
