"""`cold.db` is made again of what the bucket has, and of nothing that was not looked at."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import spreadlake
from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.catalogue import CATALOGUE
from spreadlake.lake.cold.objects import Objects
from tests.analytics_job.harness import TestLake
from tests.cold_lakes import describe, everything, finished_lake
from tests.running import run
from tests.trades import Trade
from tests.uploader.lakes import objects_in, paths_of, uploading
from uploader.recovery import recover
from uploader.workers import Workers


@pytest.fixture
def remote(tmp_path: Path, cold: ColdAddress) -> Iterator[TestLake]:
    """A lake of which all finished days are in the bucket alone."""
    lake = finished_lake(tmp_path / "lake")
    with uploading(lake.lake, cold, local_days=0) as uploader:
        uploader.once()
        uploader.once()
    assert not paths_of(lake.lake)
    yield lake
    lake.close()


def lose(lake: Lake) -> None:
    for path in lake.root.glob("cold.db*"):
        path.unlink()


def recovered(lake: Lake, address: ColdAddress) -> None:
    with uploading(lake, address) as uploader:
        rounds = uploader.rounds
        for _ in recover(lake, rounds._ledger, Objects(address), address, Workers(2)):
            pass


def on_record(lake: Lake) -> dict[str, tuple[int, str]]:
    with closing(sqlite3.connect(lake.cold_db)) as db:
        rows = db.execute("SELECT path, bytes, sha256 FROM objects").fetchall()
    return {path: (size, sha256) for path, size, sha256 in rows}


def test_a_lost_record_is_made_again(remote: TestLake, cold: ColdAddress, tmp_path: Path) -> None:
    before, wanted = on_record(remote.lake), everything(remote)
    lose(remote.lake)
    with (
        uploading(remote.lake, cold) as uploader,
        pytest.raises(LakeError, match=r"spreadlake upload --recover"),
    ):
        uploader.once()
    config = tmp_path / "config.toml"
    config.write_text(f'[storage]\ncold = "{cold.text}"\nlocal_days = 0\n')
    ended = run("upload", "--recover", "--data", "lake", "--config", config, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert f"{len(before)} files that the disk does not have" in ended.stderr
    assert on_record(remote.lake) == before
    assert everything(remote) == wanted
    with uploading(remote.lake, cold) as uploader:
        uploader.once()
        assert objects_in(cold) == set(before)


def test_what_was_uploaded_after_the_catalogue_is_read_and_taken(
    remote: TestLake, cold: ColdAddress
) -> None:
    before, wanted = on_record(remote.lake), everything(remote)
    with closing(sqlite3.connect(remote.lake.cold_db)) as db, db:
        db.execute("DELETE FROM objects WHERE path LIKE 'ticks/%AUSDT%'")
    describe(remote.lake, cold)
    recovered(remote.lake, cold)  # as of a record that was restored from before
    assert on_record(remote.lake) == before
    assert everything(remote) == wanted


def test_what_is_gone_or_damaged_is_named_and_all_else_is_taken(
    remote: TestLake, cold: ColdAddress
) -> None:
    before, objects = on_record(remote.lake), Objects(cold)
    first, second, third, *rest = sorted(before)
    lose(remote.lake)
    objects.delete([first])
    objects.put_bytes(second, (objects.get(second) or b"")[:-9])
    other = next(path for path in rest if path.startswith("ticks/"))
    objects.put_bytes(third, objects.get(other) or b"")
    foreign = other.replace("symbol=", "symbol=OF")
    objects.put_bytes(foreign, objects.get(other) or b"")
    with pytest.raises(LakeError, match=f"3 files.*{first}, {second}, {third}"):
        recovered(remote.lake, cold)
    assert on_record(remote.lake) == {path: before[path] for path in rest}


def test_who_reads_waits_for_a_recovery_that_was_cut(remote: TestLake, cold: ColdAddress) -> None:
    """Also of a lake beside whose record nothing told of it."""
    lake, before = remote.lake, on_record(remote.lake)
    lose(lake)
    lake.cold_json.unlink()
    with uploading(lake, cold) as uploader:
        steps = recover(lake, uploader.rounds._ledger, Objects(cold), cold, Workers(1))
        while not on_record(lake):
            next(steps)
        del steps
    assert on_record(lake).keys() < before.keys()
    with pytest.raises(LakeError, match=r"cold\.db was lost"):
        spreadlake.open(lake.root)
    recovered(lake, cold)
    assert on_record(lake) == before
    spreadlake.open(lake.root)


def test_the_place_of_another_lake_is_refused(
    remote: TestLake, cold: ColdAddress, tmp_path: Path
) -> None:
    other = TestLake(tmp_path / "other")
    other.store([Trade("AUSDT", n, 1_700_000_000_000 + n, 1.0, 1.0, False) for n in range(9)])
    with pytest.raises(LakeError, match="the cold part of another lake"):
        recovered(other.lake, cold)
    assert on_record(other.lake) == {}
    other.close()
    objects = Objects(cold)
    objects.delete([CATALOGUE])
    with pytest.raises(LakeError, match=f"has no {CATALOGUE}"):
        recovered(remote.lake, cold)
    objects.delete(["lake.json"])
    with pytest.raises(LakeError, match="nothing of a lake"):
        recovered(remote.lake, cold)


def test_what_is_on_the_disk_counts(remote: TestLake, cold: ColdAddress) -> None:
    """It is uploaded as any other; another object in its place is kept beside."""
    path = min(on_record(remote.lake))
    lose(remote.lake)
    own = remote.lake.root / path
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_bytes(Objects(cold).get(path) or b"")
    recovered(remote.lake, cold)
    assert path not in on_record(remote.lake)
    with uploading(remote.lake, cold) as uploader:
        uploader.once()
    assert path in on_record(remote.lake)
    assert not list(Objects(cold).list("replaced"))
