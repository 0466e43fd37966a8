"""What the uploader tells of itself, and what keeps it from that."""

import sqlite3
from pathlib import Path

import pytest

from spreadlake.errors import LakeError
from spreadlake.lake.cold.address import ColdAddress
from tests.uploader.lakes import lake_of_days, uploading
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
