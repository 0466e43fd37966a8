"""A transaction is all or nothing, re-read through a connection of its own."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from spreadlake.lake import Lake, atomic, open_analytics_writer, open_ticks_writer
from tests.paths import ROOT

WRITERS = [open_ticks_writer, open_analytics_writer]
Opener = Callable[[Lake], sqlite3.Connection]

KILLED = """
import os, signal, sys
from pathlib import Path
from spreadlake.lake import Lake, atomic, open_ticks_writer
db = open_ticks_writer(Lake(Path(sys.argv[1])))
with atomic(db):
    db.execute("INSERT INTO meta VALUES ('first', '1')")
with atomic(db):
    db.execute("INSERT INTO meta VALUES ('second', '2')")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def keys_in(path: Path) -> list[str]:
    """Through a raw connection, as any other program would."""
    with closing(sqlite3.connect(path)) as db:
        return [key for (key,) in db.execute("SELECT key FROM meta ORDER BY key")]


def put(db: sqlite3.Connection, key: str) -> None:
    db.execute("INSERT INTO meta VALUES (?, '')", [key])


@pytest.mark.parametrize("opened", WRITERS)
def test_what_ends_well_is_committed_at_once(tmp_path: Path, opened: Opener) -> None:
    with closing(opened(Lake(tmp_path))) as db:
        path = Path(db.execute("PRAGMA database_list").fetchone()[2])
        with atomic(db):
            put(db, "a")
            assert keys_in(path) == []
        assert keys_in(path) == ["a"]


@pytest.mark.parametrize("opened", WRITERS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, sqlite3.IntegrityError])
def test_what_fails_leaves_nothing_and_the_connection_goes_on(
    tmp_path: Path, opened: Opener, error: type[BaseException]
) -> None:
    with closing(opened(Lake(tmp_path))) as db:
        path = Path(db.execute("PRAGMA database_list").fetchone()[2])
        with pytest.raises(error), atomic(db):  # noqa: PT012
            put(db, "a")
            raise error
        assert keys_in(path) == []
        with atomic(db):
            put(db, "b")
        assert keys_in(path) == ["b"]


def test_a_statement_that_fails_takes_the_whole_transaction_back(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        with pytest.raises(sqlite3.IntegrityError), atomic(db):  # noqa: PT012
            put(db, "a")
            put(db, "a")
        assert keys_in(Lake(tmp_path).ticks_db) == []


def test_two_at_once_are_an_error_and_the_outer_one_is_taken_back(tmp_path: Path) -> None:
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            put_twice(db)
        assert not db.in_transaction
        assert keys_in(Lake(tmp_path).ticks_db) == []


def put_twice(db: sqlite3.Connection) -> None:
    with atomic(db):
        put(db, "a")
        with atomic(db):
            put(db, "b")


def test_what_was_committed_is_there_after_reopening(tmp_path: Path) -> None:
    for key in "abc":
        with closing(open_ticks_writer(Lake(tmp_path))) as db, atomic(db):
            put(db, key)
    assert keys_in(Lake(tmp_path).ticks_db) == ["a", "b", "c"]


def test_sigkill_within_a_transaction_leaves_the_one_before_it(tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, check=False)
    assert result.returncode == -signal.SIGKILL
    with closing(open_ticks_writer(Lake(tmp_path))) as db:
        assert db.execute("SELECT key FROM meta").fetchall() == [("first",)]
