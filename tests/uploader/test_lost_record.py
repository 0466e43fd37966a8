"""`cold.db` is lost: whoever reads the lake says so, instead of finding less without a word."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import spreadlake
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_cold_writer, open_ticks_writer
from spreadlake.lake.backup.run import back_up
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from tests.exporter.serving import get, serving
from tests.running import run
from tests.uploader.lakes import follow, lake_of_days, objects_in, uploading

_SAID = "cold.db was lost, and days of this lake may be in "


@pytest.fixture
def lake(tmp_path: Path, cold: ColdAddress) -> Lake:
    lake = lake_of_days(tmp_path, 2)
    open_ticks_writer(lake).close()
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
    spreadlake.open(lake.root)
    return lake


def removed(lake: Lake, cold: ColdAddress) -> None:
    for path in lake.root.glob("cold.db*"):
        path.unlink()


def begun_anew(lake: Lake, cold: ColdAddress) -> None:
    """An uploader that was started on it made an empty one, and was refused."""
    removed(lake, cold)
    with uploading(lake, cold) as uploader, pytest.raises(LakeError, match=_SAID):
        uploader.once()


def of_no_tables(lake: Lake, cold: ColdAddress) -> None:
    removed(lake, cold)
    lake.cold_db.touch()


@pytest.mark.parametrize("lose", [removed, begun_anew, of_no_tables])
def test_readers_commands_and_the_page_refuse(
    lake: Lake, cold: ColdAddress, lose: Callable[[Lake, ColdAddress], None]
) -> None:
    lose(lake, cold)
    with pytest.raises(LakeError, match=_SAID) as refused:
        spreadlake.open(lake.root)
    assert cold.text in str(refused.value)
    assert "spreadlake upload --recover" in str(refused.value)
    ended = run("screen", "--data", str(lake.root), cwd=lake.root)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert _SAID in ended.stderr
    assert "Traceback" not in ended.stderr
    with serving(lake) as address:
        for path in ("/api/lake", "/pair.csv"):
            status, _, body = get(f"{address}{path}")
            assert status == 500
            assert _SAID in body.decode()


def test_who_wants_nothing_of_it_any_more_deletes_what_tells_of_it(
    lake: Lake, cold: ColdAddress
) -> None:
    removed(lake, cold)
    lake.cold_json.unlink()
    spreadlake.open(lake.root)


def test_what_tells_of_it_may_be_damaged(lake: Lake, cold: ColdAddress) -> None:
    for text in ("", "[]", '{"lake": 1}', "\0"):
        lake.cold_json.write_text(text)
        with pytest.raises(LakeError, match="delete it, and start the uploader"):
            spreadlake.open(lake.root)
    lake.cold_json.unlink()
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
    assert cold.text in lake.cold_json.read_text()
    spreadlake.open(lake.root)


def test_a_free_place_does_not_make_one_forget_what_is_in_another(
    lake: Lake, cold: ColdAddress
) -> None:
    removed(lake, cold)
    other = ColdAddress.parse(f"{cold.text}-other")
    for _ in range(2):
        with uploading(lake, other) as uploader, pytest.raises(LakeError, match=_SAID):
            uploader.once()
    assert not list(Objects(other).list())
    third = ColdAddress.parse(f"{cold.text}-third")
    with uploading(lake, third) as uploader, pytest.raises(LakeError, match=_SAID):
        uploader.once()
    with pytest.raises(LakeError, match=_SAID):
        spreadlake.open(lake.root)


def test_who_cannot_tell_of_it_uploads_all_the_same(tmp_path: Path, cold: ColdAddress) -> None:
    """A disk that is full is made room on by what leaves it."""
    lake = lake_of_days(tmp_path, 2)
    in_the_way = lake.cold_json.with_suffix(".tmp")
    in_the_way.mkdir()
    with uploading(lake, cold, local_days=0) as uploader:
        steps = uploader.rounds.run(threading.Event())
        follow(steps, lambda: len(objects_in(cold)) == 4, "files are uploaded")
        follow(steps, lambda: uploader.rounds.trouble.said, "it is told")
        in_the_way.rmdir()
        follow(steps, lake.cold_json.exists, "it is told beside the record")


def test_whoever_may_read_the_record_may_read_what_tells_of_it(
    tmp_path: Path, cold: ColdAddress
) -> None:
    lake = lake_of_days(tmp_path, 1)
    open_cold_writer(lake).close()
    lake.cold_db.chmod(0o644)
    before = os.umask(0o077)
    try:
        with uploading(lake, cold) as uploader:
            uploader.once()
    finally:
        os.umask(before)
    assert lake.cold_json.stat().st_mode & 0o777 == 0o644


def test_a_back_up_keeps_the_record_that_the_lake_has_lost(
    lake: Lake, cold: ColdAddress, tmp_path: Path
) -> None:
    to = Lake(tmp_path / "back-up")
    back_up(lake, to)
    kept = to.cold_db.read_bytes()
    begun_anew(lake, cold)
    with pytest.raises(LakeError, match=_SAID):
        back_up(lake, to)
    assert to.cold_db.read_bytes() == kept
