"""What the uploader tells of itself, what keeps it from that, and the edits it follows."""

import sqlite3
from pathlib import Path

import pytest

from spreadlake.config.storing import StorageSettings
from spreadlake.errors import LakeError
from spreadlake.lake import open_ticks_writer
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.errors import ColdError
from spreadlake.lake.cold.objects import Objects, Sent
from tests.running import started, until
from tests.uploader.lakes import (
    follow,
    lake_of_days,
    objects_in,
    paths_of,
    uploading,
    write_day,
)
from uploader.service import _Status


@pytest.mark.parametrize(
    ("code", "goes_on"), [(sqlite3.SQLITE_FULL, True), (sqlite3.SQLITE_CORRUPT, False)]
)
def test_a_disk_without_room_for_its_status_ends_nothing(
    tmp_path: Path,
    cold: ColdAddress,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    goes_on: bool,
) -> None:
    """What leaves the disk makes the room: who does it is not to end for want of it."""

    def refuse(_: sqlite3.Connection) -> None:
        error = sqlite3.OperationalError("no")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr("uploader.service.atomic", refuse)
    with uploading(lake_of_days(tmp_path, 1), cold) as uploader:
        status = _Status(uploader.lake, uploader.rounds, cold)
        if goes_on:
            status.say(sqlite3.connect(":memory:"), "running")
            return
        with pytest.raises(LakeError):
            status.say(sqlite3.connect(":memory:"), "running")


def test_an_edit_of_how_long_files_stay_is_followed(tmp_path: Path, cold: ColdAddress) -> None:
    lake, config = lake_of_days(tmp_path, 1), tmp_path / "spreadlake.toml"
    open_ticks_writer(lake).close()
    before = paths_of(lake)

    def write(address: str, days: str) -> None:
        config.write_text(f'[storage]\ncold = "{address}"\n{days}', encoding="utf-8")

    def told() -> str:
        return (tmp_path / "err.txt").read_text(encoding="utf-8")

    write(cold.text, "")
    with started("upload", "--data", lake.root, "--config", config, cwd=tmp_path):
        until(lambda: objects_in(cold) == before, "all to be in the bucket")
        write("s3://another-bucket", "local_days = 0")
        until(lambda: "storage.cold: taken with the next start" in told(), "to be told")
        write(cold.text, "local_days = -1")
        until(lambda: "the edited configuration is refused" in told(), "to be told")
        assert paths_of(lake) == before, "of another bucket, and of a wrong edit, nothing is taken"
        write(cold.text, "local_days = 0")
        until(lambda: not paths_of(lake), "all to leave the disk")


def test_an_edit_is_followed_at_once(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it would rest until its next look."""
    monkeypatch.setattr("uploader.rounds._REST", 3600.0)
    lake = lake_of_days(tmp_path, 1)
    before = paths_of(lake)
    with uploading(lake, cold) as uploader:
        steps = uploader.rounds.run(uploader.stop)
        follow(steps, lambda: objects_in(cold) == before, "all to be in the bucket")
        uploader.rounds.follow(StorageSettings(cold=cold.text, local_days=0))
        follow(steps, lambda: not paths_of(lake), "all to leave the disk")


def test_an_edit_makes_room_while_the_bucket_takes_nothing_more(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for the bucket is no reason to look for nothing else."""

    def full(*_: object) -> Sent:
        raise ColdError("full", "no")

    monkeypatch.setattr("uploader.rounds._REST", 3600.0)
    lake = lake_of_days(tmp_path, 1)
    with uploading(lake, cold) as uploader:
        uploader.once()
        new = write_day(lake, day=5)
        monkeypatch.setattr(Objects, "put_verified", full)
        steps = uploader.rounds.run(uploader.stop)
        follow(steps, lambda: uploader.rounds.trouble.number > 0, "the bucket to be full")
        uploader.rounds.follow(StorageSettings(cold=cold.text, local_days=0))
        left = {new.relative_to(lake.root).as_posix()}
        follow(steps, lambda: paths_of(lake) == left, "all to leave the disk that is there")
