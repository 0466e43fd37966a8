"""Opens the databases of a lake: one writer each, any number of readers.

Writers hold a lock file for as long as they live, so that a second collector or job on the same
lake is told so instead of racing. Readers open read-only and never hold up a writer (WAL).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from spreadlake.errors import LakeError, UnavailableError
from spreadlake.lake.databases.errors import LakeConnection, explain
from spreadlake.lake.databases.meta import columns_of
from spreadlake.lake.databases.schema import ANALYTICS_STEPS, NOTIFY_STEPS
from spreadlake.lake.databases.schema_backtests import BACKTESTS_STEPS
from spreadlake.lake.databases.schema_cold import COLD_STEPS
from spreadlake.lake.databases.schema_ticks import TICKS_LATER, TICKS_STEPS
from spreadlake.lake.layout import Lake
from spreadlake.locks import try_lock

BUSY_MS = 5_000
"""How long a connection waits for a lock."""

_LONG_BUSY_MS = 60_000  # a year of bars is written in seconds

# A -wal file that grew behind a long reader is cut back to this size once it is checkpointed.
_WAL_BYTES = 64 * 2**20
# The bars of a market are a page a symbol and second. A cache that holds the newest page of each
# spares reading them and writing some twice, and while the log holds more of them, each is brought
# into the database fewer times.
_CACHE_KIB = 64 * 1024
_CHECKPOINT_PAGES = 6_000


@contextmanager
def atomic(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One write transaction: commits at the end, rolls back on any exception."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if (fence := getattr(db, "fence", None)) is not None:
            fence()
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def shrink(db: sqlite3.Connection, pages: int) -> None:
    """Shrinks the file by at most `pages` free pages; no transaction may be open."""
    # As a script: of a statement that gives no columns `execute` takes one step, which is one page.
    db.executescript(f"PRAGMA incremental_vacuum({pages})")


@contextmanager
def writer_lock(lake: Lake, service: str, *, shared: bool = False) -> Iterator[None]:
    """Holds `<service>.lock` in the lake; LakeError if another process holds it.

    Those that hold it `shared` let each other in, and settle among themselves who writes.
    """
    path = lake.root / f"{service}.lock"
    try:
        lake.root.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise LakeError(
            f"lake {lake.root} cannot be written: {error.strerror}; choose a folder with --data"
        ) from None
    with file:
        _lock(file, lake, service, shared)
        yield


def _lock(file: IO[str], lake: Lake, service: str, shared: bool) -> None:
    try:
        free = try_lock(file, shared=shared)
    except OSError as error:
        raise LakeError(
            f"the file system of lake {lake.root} cannot lock files ({error.strerror}), and "
            "neither can SQLite then; choose a folder on a disk of this machine with --data"
        ) from None
    if not free:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        article = "an" if service[0] in "aeiou" else "a"
        raise LakeError(
            f"lake {lake.root} already has {article} {service} running (process {holder}); "
            "stop it, or the spreadlake that runs it, or choose another folder with --data"
        ) from None
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()


def open_ticks_writer(lake: Lake) -> sqlite3.Connection:
    """`ticks.db` for its one writer, created or brought to the current version.

    Commits are durable against loss of power (synchronous=FULL): a tick that was counted is kept.
    """
    db = _open_writer(lake.ticks_db, TICKS_STEPS)
    db.execute("PRAGMA synchronous=FULL")
    return db


def open_analytics_writer(lake: Lake) -> sqlite3.Connection:
    """`analytics.db` for its one writer; what it holds can be computed again from the ticks."""
    db = _open_writer(lake.analytics_db, ANALYTICS_STEPS)
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    db.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    return db


def open_notify_writer(lake: Lake) -> sqlite3.Connection:
    """`notify.db` for its one writer; durable, so that nobody is told twice."""
    db = _open_writer(lake.notify_db, NOTIFY_STEPS)
    db.execute("PRAGMA synchronous=FULL")
    return db


def open_backtests_writer(lake: Lake) -> sqlite3.Connection:
    """`backtests.db`, for the moment in which a command changes it; another one waits.

    Without a write-ahead log, which on a read-only mount could be read only while a writer is
    there: nobody has this database open for long. What is freed is given back at once.
    """
    db = _open_writer(lake.backtests_db, BACKTESTS_STEPS, journal="DELETE", vacuum="FULL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("PRAGMA cache_spill=OFF")  # readers are held up by the commit alone
    db.execute(f"PRAGMA busy_timeout={_LONG_BUSY_MS}")
    return db


def open_cold_writer(lake: Lake) -> sqlite3.Connection:
    """`cold.db` for its one writer; durable: what it says is in the bucket may leave the disk."""
    db = _open_writer(lake.cold_db, COLD_STEPS)
    db.execute("PRAGMA synchronous=FULL")
    return db


def open_reader(path: Path) -> sqlite3.Connection:
    """A read-only connection; LakeError if the file is not there or not a database of ours."""
    if not path.exists():
        raise LakeError(
            f"no lake in {path.parent}: {path.name} is not there; choose a folder with --data, "
            "or start spreadlake on it first"
        )
    try:
        return _open_shared(path)
    except sqlite3.Error as error:
        refused = explain(error, path, "read")
        if not isinstance(refused, UnavailableError) or not _is_closed_to_us(error):
            raise refused from None
    return _open_copy(path)


def _open_shared(path: Path, mode: str = "mode=ro") -> LakeConnection:
    db = sqlite3.connect(
        f"{path.resolve().as_uri()}?{mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,  # a scheduler's thread uses it, the main thread closes it
        factory=LakeConnection,
    )
    try:
        db.path, db.doing = path, "read"
        db.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        if _check_version(db, path) < len(TICKS_STEPS) and path.name == "ticks.db":
            _add_later_columns(db)
    except BaseException:
        db.close()
        raise
    return db


def _add_later_columns(db: sqlite3.Connection) -> None:
    """What a writer of this version would add to an older database, as a reader sees it now.

    Once the writer has added them, `*` has the columns itself, and the first of a name counts.
    """
    for table, columns in TICKS_LATER.items():
        there = columns_of(db, table)
        added = [f"{value} AS {name}" for name, value in columns.items() if name not in there]
        if there and added:
            db.execute(
                f"CREATE TEMP VIEW {table} AS SELECT *, {', '.join(added)} FROM main.{table}"
            )


def _is_closed_to_us(error: sqlite3.Error) -> bool:
    """A reader shares the log with the writer through a file; this user may not make it."""
    refusals = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in refusals


def _open_copy(path: Path) -> LakeConnection:
    """A database whose folder may not be written, and that no writer has open: there is no log."""
    log = path.with_name(f"{path.name}-wal")
    if not os.access(path, os.R_OK):
        raise LakeError(f"{path} may not be read by this user; change its owner or its rights")
    if log.exists() and log.stat().st_size:
        raise LakeError(
            f"{path} cannot be read here: {log.name} holds what is not in it yet, and this user "
            f"may not write to {path.parent}; copy the folder to where you may, and read the copy"
        )
    try:
        return _open_shared(path, "immutable=1")
    except sqlite3.Error as error:
        raise explain(error, path, "read") from None


def _check_version(db: sqlite3.Connection, path: Path) -> int:
    known = {
        "ticks.db": TICKS_STEPS,
        "notify.db": NOTIFY_STEPS,
        "backtests.db": BACKTESTS_STEPS,
        "cold.db": COLD_STEPS,
    }
    newest = len(known.get(path.name, ANALYTICS_STEPS))
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > newest:
        raise LakeError(
            f"{path} has schema version {version}, and this spreadlake knows {newest}; "
            "upgrade spreadlake"
        )
    return version


def _open_writer(
    path: Path, steps: list[str], *, journal: str = "WAL", vacuum: str = "INCREMENTAL"
) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, factory=LakeConnection
        )
        db.path = path
        db.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        # Pages freed by rolling are given back to the file system a few at a time.
        db.execute(f"PRAGMA auto_vacuum={vacuum}")
        db.execute(f"PRAGMA journal_mode={journal}")
        db.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
        _migrate(db, path, steps)
    except OSError as error:
        raise LakeError(
            f"lake {path.parent} cannot be written: {error.strerror}; choose a folder with --data"
        ) from None
    except sqlite3.Error as error:
        # What passes is no mistake in what was asked for: the supervisor tries again.
        raise explain(error, path) from None
    return db


def _migrate(db: sqlite3.Connection, path: Path, steps: list[str]) -> None:
    while (version := _check_version(db, path)) < len(steps):
        with atomic(db):
            if _check_version(db, path) != version:
                continue  # another process was first
            for statement in _statements(steps[version]):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={version + 1}")


def _statements(script: str) -> Iterator[str]:
    """Each statement of a script; a trigger has semicolons of its own."""
    begun = ""
    for part in script.split(";"):
        begun += part + ";"
        if sqlite3.complete_statement(begun):
            yield begun
            begun = ""
    if begun:
        yield begun  # SQLite says what is wrong with it
