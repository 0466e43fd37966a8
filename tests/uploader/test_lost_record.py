"""`cold.db` is lost: whoever reads the lake says so, instead of finding less without a word."""

from collections.abc import Callable
from pathlib import Path

import pytest

import spreadlake
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.lake.cold.address import ColdAddress
from tests.exporter.serving import get, serving
from tests.running import run
from tests.uploader.lakes import lake_of_days, uploading

_SAID = "cold.db was lost, and days of this lake are in "


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
    with uploading(lake, cold) as uploader, pytest.raises(LakeError, match="another lake"):
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
