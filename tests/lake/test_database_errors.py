"""What SQLite refuses: waited for or the end, by its code, with the right name and a remedy."""

import asyncio
import errno
import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from collector.record.recording_file import RecordingFile
from collector.storage.writer import WriterThread
from spreadlake.errors import LakeError, RecordingError, UnavailableError
from spreadlake.lake import (
    Lake,
    open_analytics_writer,
    open_reader,
    open_ticks_writer,
    writer_lock,
)
from spreadlake.lake.databases.errors import explain, explaining, passes
from tests.analytics_job import harness
from tests.analytics_job.markets import walk
from tests.running import run

TRADES = walk(["AUSDT", "BUSDT"], 60, seed=5, per_second=1.5)
CONFIG: dict[str, Any] = {"symbols": ["AUSDT", "BUSDT"], "windows": [20], "lookbacks": [50]}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def db(lake: Lake) -> Iterator[sqlite3.Connection]:
    with closing(open_ticks_writer(lake)) as connection:
        connection.execute("PRAGMA busy_timeout=0")
        yield connection


def locked(db: sqlite3.Connection, lake: Lake) -> None:
    with closing(sqlite3.connect(lake.ticks_db, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        db.execute("BEGIN IMMEDIATE")


def full(db: sqlite3.Connection, lake: Lake) -> None:
    db.execute("PRAGMA max_page_count=1")
    db.execute("INSERT INTO meta VALUES ('a', ?)", ["x" * 100_000])


def read_only(db: sqlite3.Connection, lake: Lake) -> None:
    db.execute("PRAGMA query_only=ON")
    db.execute("INSERT INTO meta VALUES ('a', 'b')")


def no_table(db: sqlite3.Connection, lake: Lake) -> None:
    db.execute("SELECT * FROM absent").fetchall()


def not_unique(db: sqlite3.Connection, lake: Lake) -> None:
    for _ in range(2):
        db.execute("INSERT INTO meta VALUES ('a', 'b')")


def closed(db: sqlite3.Connection, lake: Lake) -> None:
    db.close()
    db.execute("SELECT 1")


@pytest.mark.parametrize(
    ("work", "remedy"),
    [
        (locked, r"ticks\.db cannot be written: database is locked; another process keeps it"),
        (full, r"ticks\.db cannot be written: database or disk is full; .* free some room"),
        (read_only, r"ticks\.db cannot be written: .*readonly database; .* change the owner"),
    ],
)
def test_what_passes_is_waited_for(
    lake: Lake,
    db: sqlite3.Connection,
    work: Callable[[sqlite3.Connection, Lake], None],
    remedy: str,
) -> None:
    with pytest.raises(sqlite3.Error) as raised:
        work(db, lake)
    assert passes(raised.value)
    told = explain(raised.value, Path("another"))
    assert isinstance(told, UnavailableError)
    with pytest.raises(UnavailableError, match=remedy):
        raise told


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (no_table, "no such table: absent"),
        (not_unique, "UNIQUE constraint failed: meta.key"),
        (closed, "Cannot operate on a closed database"),
    ],
)
def test_what_does_not_pass_is_the_end(
    lake: Lake,
    db: sqlite3.Connection,
    work: Callable[[sqlite3.Connection, Lake], None],
    reason: str,
) -> None:
    with pytest.raises(LakeError, match=reason) as raised, explaining(lake.ticks_db, "written"):
        work(db, lake)
    assert not isinstance(raised.value, UnavailableError)
    assert f"{lake.ticks_db} cannot be written" in str(raised.value)
    assert "move it away (with its -wal and -shm)" in str(raised.value)


def test_the_disk_itself_and_a_file_that_is_not_let_open_pass(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error) as raised:
        sqlite3.connect(tmp_path)
    assert passes(raised.value)
    for code in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        assert passes(error)


@pytest.mark.parametrize("name", ["read", "written"])
def test_errors_name_the_database_that_they_are_of(lake: Lake, name: str) -> None:
    with closing(open_analytics_writer(lake)) as writer:
        opened = writer if name == "written" else open_reader(lake.analytics_db)
        with closing(opened), pytest.raises(LakeError) as raised, explaining(lake.ticks_db):
            no_table(opened, lake)
    assert str(raised.value).startswith(f"{lake.analytics_db} cannot be {name}: no such table")


def test_the_collector_does_not_try_for_ever_what_cannot_succeed(
    lake: Lake, db: sqlite3.Connection
) -> None:
    async def scenario() -> None:
        writer = WriterThread(lake.ticks_db, 0.1)
        try:
            await writer.persist(lambda: no_table(db, lake))
        finally:
            writer.close()

    with pytest.raises(LakeError, match=r"ticks\.db cannot be written: no such table"):
        asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.mark.parametrize(("file", "table"), [("analytics.db", "bars"), ("ticks.db", "rolls")])
def test_the_job_ends_naming_the_database_that_lacks_a_table(
    tmp_path: Path, file: str, table: str
) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG))
    job.step()
    lake.store(TRADES)
    with closing(sqlite3.connect(tmp_path / file)) as other:
        other.execute(f"DROP TABLE {table}")
    with pytest.raises(LakeError, match=f"{file} cannot be .*: no such table: .*{table}") as raised:
        job.step()
    assert not isinstance(raised.value, UnavailableError)
    job.close()
    lake.close()


def test_the_job_waits_for_ticks_that_are_locked_and_says_that_it_is_these(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    lake.store(TRADES)
    lake.close()
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG))
    with closing(sqlite3.connect(tmp_path / "ticks.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        job.step()
        assert f"{tmp_path}/ticks.db cannot be read: database is locked; trying" in job.error
    job.step()
    assert job.error == ""
    assert lake.table("bars")
    job.close()


@pytest.mark.parametrize("arguments", [["status"], ["csv", "--pair", "AUSDT/BUSDT"]])
def test_a_command_ends_with_a_message(tmp_path: Path, arguments: list[str]) -> None:
    open_ticks_writer(Lake(tmp_path)).close()
    with closing(open_analytics_writer(Lake(tmp_path))) as db:
        db.execute("DROP TABLE pair_status")
    ended = run(*arguments, "--data", tmp_path, cwd=tmp_path)
    assert ended.returncode == 2
    assert f"{tmp_path}/analytics.db cannot be read: no such table" in ended.stderr
    assert "computed again from the trades" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_system_without_locks_is_nobody_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (
        pytest.raises(LakeError, match=r"cannot lock files \(No locks available") as raised,
        writer_lock(Lake(tmp_path), "collector"),
    ):
        pass
    assert "already" not in str(raised.value)
    with pytest.raises(RecordingError, match="No locks available"):
        RecordingFile(tmp_path / "frames")
