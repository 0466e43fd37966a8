"""One writer to a file, any number of readers, and a sentence for whoever is refused."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from spreadlake.errors import LakeError, UnavailableError
from spreadlake.lake import (
    Lake,
    atomic,
    open_analytics_writer,
    open_reader,
    open_ticks_writer,
    writer_lock,
)
from tests.paths import ROOT

NOBODY = 65534

HOLD = """
import sys
from pathlib import Path
from spreadlake.lake import Lake, writer_lock
with writer_lock(Lake(Path(sys.argv[1])), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(root: Path, service: str = "collector") -> Iterator[subprocess.Popen[str]]:
    """Another process that holds a service's lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root), service],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("service", "named"), [("collector", "a collector"), ("analytics-job", "an analytics-job")]
)
def test_a_second_writer_is_told_who_is_in_the_way(
    tmp_path: Path, service: str, named: str
) -> None:
    with holder(tmp_path, service) as process:
        with pytest.raises(LakeError) as caught, writer_lock(Lake(tmp_path), service):
            pass
        assert str(caught.value) == (
            f"lake {tmp_path} already has {named} running (process {process.pid}); "
            "stop it, or the spreadlake that runs it, or choose another folder with --data"
        )


def test_a_lock_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
        with writer_lock(Lake(tmp_path), "collector"):
            pass


def test_each_service_has_its_own_lock(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with writer_lock(lake, "collector"), writer_lock(lake, "analytics-job"):
        assert (tmp_path / "collector.lock").read_text() == str(os.getpid())


def test_readers_and_the_writer_never_wait_for_each_other(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with closing(open_ticks_writer(lake)) as writer, closing(open_reader(lake.ticks_db)) as reader:
        reader.execute("PRAGMA busy_timeout=0")
        writer.execute("PRAGMA busy_timeout=0")
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM meta").fetchone() == (0,)
        with atomic(writer):
            writer.execute("INSERT INTO meta VALUES ('a', '1')")
            # The reader is in its snapshot and the writer in its transaction.
            assert reader.execute("SELECT count(*) FROM meta").fetchone() == (0,)
        assert reader.execute("SELECT count(*) FROM meta").fetchone() == (0,)
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM meta").fetchone() == (1,)


@pytest.mark.parametrize("opens", [open_ticks_writer, open_analytics_writer])
def test_a_lock_that_another_holds_is_no_mistake_of_the_user(
    tmp_path: Path, opens: Callable[[Lake], sqlite3.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes, so that the supervisor may try again."""
    monkeypatch.setattr("spreadlake.lake.databases.connections.BUSY_MS", 100)
    lake = Lake(tmp_path)
    path = lake.ticks_db if opens is open_ticks_writer else lake.analytics_db
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnavailableError, match="locked; another process keeps it") as caught:
            opens(lake)
    assert caught.value.exit_code == 1
    opens(lake).close()


def test_a_hundred_commits_beside_readers_that_never_rest(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    done = threading.Event()
    counts: list[int] = []

    def read() -> None:
        while not done.is_set():
            with closing(open_reader(lake.ticks_db)) as db:
                counts.append(db.execute("SELECT count(*) FROM meta").fetchone()[0])

    with closing(open_ticks_writer(lake)) as writer:
        writer.execute("PRAGMA busy_timeout=0")
        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for number in range(100):
                with atomic(writer):
                    writer.execute("INSERT INTO meta VALUES (?, '')", [str(number)])
        finally:
            done.set()
            for thread in threads:
                thread.join()
    assert counts
    assert all(0 <= count <= 100 for count in counts)
    with closing(open_reader(lake.ticks_db)) as db:
        assert db.execute("SELECT count(*) FROM meta").fetchone() == (100,)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    open_ticks_writer(lake).close()
    with (
        closing(open_reader(lake.ticks_db)) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reader.execute("INSERT INTO meta VALUES ('a', '1')")


def test_reading_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"no lake in .*: ticks\.db is not there; choose a folder"):
        open_reader(Lake(tmp_path).ticks_db)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("open_it", [open_ticks_writer, lambda lake: open_reader(lake.ticks_db)])
def test_what_is_no_database_is_left_alone(tmp_path: Path, open_it: object) -> None:
    lake = Lake(tmp_path)
    lake.ticks_db.write_text("these are no ticks at all, but a letter to a friend " * 100)
    before = lake.ticks_db.read_bytes()
    with pytest.raises(LakeError, match="file is not a database"):
        open_it(lake)  # type: ignore[operator]
    assert lake.ticks_db.read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(LakeError, match="cannot be written: Permission denied; choose a folder"):
        open_ticks_writer(Lake(tmp_path / "lake"))


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with (
        pytest.raises(LakeError, match="cannot be written"),
        writer_lock(Lake(tmp_path / "lake"), "collector"),
    ):
        pass


READ_AS = f"""
import os, sys
from contextlib import closing
from pathlib import Path
from spreadlake.lake import Lake, open_reader
os.setuid({NOBODY})
with closing(open_reader(Lake(Path(sys.argv[1])).analytics_db)) as db:
    print(db.execute("SELECT value FROM meta").fetchall())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can read as another user")
def test_a_second_user_reads_while_the_writer_lives(tmp_path: Path) -> None:
    """Read-only and without write permission, WAL needs the writer's -shm: it is there."""
    lake = Lake(tmp_path / "lake")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == "root" and folder.parts[1:2] == ("tmp",):
            folder.chmod(folder.stat().st_mode | 0o055)
    with closing(open_analytics_writer(lake)) as writer:
        with atomic(writer):
            writer.execute("INSERT INTO meta VALUES ('a', 'committed just now')")
        result = subprocess.run(
            [sys.executable, "-c", READ_AS, str(lake.root)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.stdout == "[('committed just now',)]\n", result.stderr
