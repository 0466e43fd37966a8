"""What is in the bucket is held against what was uploaded, by what the server sends of it."""

from pathlib import Path

import pytest

from spreadlake.lake import Lake, open_ticks_writer
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from tests.running import run
from tests.uploader.lakes import lake_of_days, objects_in, uploading


@pytest.fixture
def lake(tmp_path: Path, cold: ColdAddress) -> Lake:
    """Of which all finished days are in the bucket alone."""
    lake = lake_of_days(tmp_path)
    with uploading(lake, cold, local_days=0) as uploader:
        uploader.once()
        uploader.once()
    return lake


def told(lake: Lake) -> tuple[int, list[str]]:
    done = run("upload", "--check", "--data", str(lake.root), cwd=lake.root)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def test_what_is_as_it_was_uploaded_is_counted(lake: Lake, cold: ColdAddress) -> None:
    code, (line,) = told(lake)
    assert code == 0
    assert line.startswith(f"{len(objects_in(cold))} files (")
    assert line.endswith(f" in {cold.text}: as they were uploaded")


def test_what_is_otherwise_is_named(lake: Lake, cold: ColdAddress) -> None:
    """Also one that is as long as it was, and that every reader takes for a good one."""
    objects = Objects(cold)
    altered, short, gone, *rest = sorted(objects_in(cold))
    content = bytearray(objects.get(altered) or b"")
    content[len(content) // 2] ^= 1
    objects.put_bytes(altered, bytes(content))
    objects.put_bytes(short, b"PAR1")
    objects.delete([gone])
    code, lines = told(lake)
    assert code == 1
    assert sorted(lines[:3]) == sorted(
        [
            f"{cold.url(altered)} has other bytes than were uploaded",
            next(line for line in lines if line.startswith(f"{cold.url(short)} has 4 bytes, and ")),
            f"{cold.url(gone)} is gone",
        ]
    )
    assert lines[3].startswith(f"{len(rest)} file")
    assert lines[4].startswith("3 files: otherwise; restore these objects")


def test_a_lake_without_a_cold_part_has_nothing_to_check(tmp_path: Path) -> None:
    open_ticks_writer(lake_of_days(tmp_path)).close()
    done = run("upload", "--check", "--data", str(tmp_path / "lake"), cwd=tmp_path)
    assert done.returncode != 0
    assert "has nothing in object storage on record" in done.stderr


def test_a_bucket_that_is_away_is_told(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = run("upload", "--check", "--data", str(lake.root), cwd=lake.root)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
