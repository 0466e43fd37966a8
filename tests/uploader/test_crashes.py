"""The uploader killed at any moment: what was on the disk is there, or in the bucket and on record.

And the next one finishes.
"""

import hashlib
import signal
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.lake import Lake, open_reader, open_ticks_writer
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.cold.recorded import recorded
from tests.crashes import Crash, CrashError
from tests.running import run, started, until
from tests.uploader.lakes import (
    NOV_1_MS,
    day_file,
    lake_of_days,
    objects_in,
    paths_of,
    uploading,
    write_day,
)
from uploader.leaving import Leaving
from uploader.ledger import Ledger

LATER_MS = NOV_1_MS + 30 * 86_400_000


def digests(lake: Lake) -> dict[str, str]:
    return {p: hashlib.sha256((lake.root / p).read_bytes()).hexdigest() for p in paths_of(lake)}


def check_nothing_is_lost(lake: Lake, address: ColdAddress, before: dict[str, str]) -> None:
    held = Objects(address)
    for path, digest in before.items():
        if (lake.root / path).exists():
            assert hashlib.sha256((lake.root / path).read_bytes()).hexdigest() == digest
        else:
            assert recorded(lake).has(lake.root / path)
            assert hashlib.sha256(held.get(path) or b"").hexdigest() == digest


def test_a_crash_before_or_after_any_step_loses_nothing(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: LATER_MS)
    lake = lake_of_days(tmp_path, 1)
    before, crash, ended = digests(lake), Crash(), False
    with monkeypatch.context() as patch:
        for owner, name in (
            (Objects, "put_verified"),
            (Objects, "holds"),
            (Objects, "put_bytes"),
            (Ledger, "say"),
            (Ledger, "record"),
            (Ledger, "leaves"),
            (Leaving, "_remove"),
            (Path, "unlink"),
        ):
            patch.setattr(owner, name, crash.around(getattr(owner, name)))
        for moment in range(1, 100):
            crash.left = moment
            try:
                with uploading(lake, cold, local_days=0) as uploader:
                    uploader.once()
                    uploader.once()
                ended = True
            except CrashError:
                pass
            crash.left = 0
            check_nothing_is_lost(lake, cold, before)
            if ended:
                break
            if moment % 8 == 0:  # from the middle of the way as well as from its beginning
                write_day(lake, rows=moment)
                before |= digests(lake)
    assert ended
    assert paths_of(lake) == set()
    assert objects_in(cold) == before.keys()


@pytest.fixture
def config(tmp_path: Path, cold: ColdAddress) -> Path:
    path = tmp_path / "spreadlake.toml"
    path.write_text(f'[storage]\ncold = "{cold.text}"\nlocal_days = 0\n', encoding="utf-8")
    return path


def test_a_service_that_is_killed_again_and_again_finishes(
    tmp_path: Path, cold: ColdAddress, config: Path
) -> None:
    lake = lake_of_days(tmp_path, 12)
    open_ticks_writer(lake).close()
    before = digests(lake)
    command = ("upload", "--data", lake.root, "--config", config)
    for kills in range(1, 4):
        with started(*command, cwd=tmp_path) as process:
            wanted = min(len(before), 4 * kills)
            until(lambda: len(_on_record(lake)) >= wanted, f"{wanted} files on record")  # noqa: B023
            process.send_signal(signal.SIGKILL)
            process.wait()
        check_nothing_is_lost(lake, cold, before)
    with started(*command, cwd=tmp_path) as process:
        until(lambda: not paths_of(lake), "all to leave the disk")
        second = run(*command, cwd=tmp_path)
        assert second.returncode == 2
        assert "already has an uploader running" in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    check_nothing_is_lost(lake, cold, before)
    assert objects_in(cold) == before.keys()
    said = run("status", "--data", lake.root, "--config", config, cwd=tmp_path)
    assert "uploader" in said.stdout
    assert "stopped" in said.stdout


def _on_record(lake: Lake) -> list[Path]:
    return recorded(lake).under(lake.ticks_dir)


def test_once_ends_when_all_is_there_or_says_why_not(
    tmp_path: Path, cold: ColdAddress, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_of_days(tmp_path, 2)
    command = ("upload", "--once", "--data", lake.root, "--config", config)
    with closing(open_ticks_writer(lake)):
        done = run(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert objects_in(cold) == paths_of(lake)
        assert "all that is finished is there: 4 files (" in done.stderr
        write_day(lake, day=5)
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        failed = run(*command, cwd=tmp_path)
        assert failed.returncode == 1
        assert "cannot be reached" in failed.stderr
        assert "tried again" not in failed.stderr
        assert "Traceback" not in failed.stderr
        for secret in ("AKIDOFTHETESTS", "secret-of-the-tests"):
            assert secret not in failed.stderr + done.stderr + done.stdout


def test_who_has_no_bucket_is_told(tmp_path: Path) -> None:
    lake = lake_of_days(tmp_path, 1)
    done = run("upload", "--data", lake.root, cwd=tmp_path)
    assert done.returncode == 2
    assert "storage.cold is not set" in done.stderr


def test_writers_and_the_uploader_take_turns(
    tmp_path: Path, cold: ColdAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody merges into a day, again and again, while it is uploaded and taken from the disk."""
    monkeypatch.setattr("uploader.look.last_trade_ms", lambda _: LATER_MS)
    lake = lake_of_days(tmp_path, 1)
    last, over = [3], threading.Event()

    def write() -> None:
        for rows in range(4, 60):
            write_day(lake, rows=rows)
            last[0] = rows
            time.sleep(0.02)
        over.set()

    writer = threading.Thread(target=write)
    with uploading(lake, cold, local_days=0) as uploader:
        writer.start()
        while not over.is_set():
            uploader.once()
        writer.join()
        uploader.once()
        uploader.once()
        name = day_file(lake).relative_to(lake.root).as_posix()
        assert not day_file(lake).exists()
        newest = write_day(lake, rows=last[0]).read_bytes()
        assert Objects(cold).get(name) == newest
    with closing(open_reader(lake.cold_db)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
