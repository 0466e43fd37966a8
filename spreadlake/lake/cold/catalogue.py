"""The catalogue of a lake in its bucket: what who opens it there needs of the databases.

Small copies of them, without the rows that are hot: so it ends where object storage does, at a
midnight before which nothing is on the disk alone. One object, written anew as a whole: whoever
reads it has one state of all.
"""

import hashlib
import os
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from spreadlake.lake.analytics import reach as analytics_reach
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.layout import Lake
from spreadlake.lake.ticks import reach as ticks_reach

CATALOGUE = "catalogue.parquet"
"""Its path in the lake, as objects are named; a file of this name is never on the disk."""

SCHEMA = pl.Schema({"name": pl.String(), "content": pl.Binary()})
DIGEST = "digest"
"""The name of the row that holds the digest of all others; catalogues of before have none."""
REACH = "reach:trades"
"""The key in `meta` of `cold.db` that says (ms) where the trades end."""


def catalogue_of(lake: Lake) -> bytes:
    """The whole object. Only who writes `cold.db` may ask, as nothing is uploaded meanwhile."""
    with TemporaryDirectory(prefix=".catalogue-", dir=lake.root) as folder:
        copy = Lake(Path(folder))
        _copy(lake.cold_db, copy.cold_db, ("counters", "service_status"))
        # What is hot first: what leaves SQLite after that look is none the less taken for hot. And
        # files after the copies: of what these say of them they are as new, or newer.
        trades, rows = _first_hot(lake)
        _copy_all(lake, copy)
        _forget_changed(lake, copy)
        if copy.ticks_db.exists():
            _end_trades(lake, copy, trades)
        if copy.analytics_db.exists():
            _end_analytics(lake, copy, rows)
        return _packed(copy)


def digest_of(files: Mapping[str, bytes]) -> bytes:
    """Of what a catalogue holds: a server keeps it, and may keep it badly."""
    whole = hashlib.blake2b(digest_size=8)
    for name, content in sorted(files.items()):
        whole.update(name.encode() + content)
    return whole.digest()


def _packed(copy: Lake) -> bytes:
    files = {file.name: file.read_bytes() for file in sorted(copy.root.glob("*.db"))}
    rows = {"name": [*files, DIGEST], "content": [*files.values(), digest_of(files)]}
    whole = BytesIO()
    pl.DataFrame(rows, schema=SCHEMA).write_parquet(whole, compression="zstd")
    return whole.getvalue()


def _first_hot(lake: Lake) -> tuple[int | None, dict[str, int]]:
    """When what is in SQLite begins: trades (ms), and by timeframe what is computed (s)."""
    trades: int | None = None
    rows: dict[str, int] = {}
    if lake.ticks_db.exists():
        with closing(open_reader(lake.ticks_db)) as db:
            trades = ticks_reach.first_hot_ms(db)
    if lake.analytics_db.exists():
        with closing(open_reader(lake.analytics_db)) as db:
            rows = analytics_reach.first_hot(db)
    return trades, rows


def _copy_all(lake: Lake, copy: Lake) -> None:
    for source, target, left_out in (
        (lake.ticks_db, copy.ticks_db, ticks_reach.LEFT_OUT),
        (lake.analytics_db, copy.analytics_db, analytics_reach.LEFT_OUT),
    ):
        if source.exists():
            _copy(source, target, left_out)


def _forget_changed(lake: Lake, copy: Lake) -> None:
    """Objects of files that were written anew since, and are yet to be uploaded again."""
    with closing(_connect(copy.cold_db)) as db:
        changed = [
            (path,)
            for path, *stamp in db.execute("SELECT path, bytes, mtime_ns, inode FROM objects")
            if (there := _stat(lake.root / path)) is not None
            and stamp != [there.st_size, there.st_mtime_ns, there.st_ino]
        ]
        db.executemany("DELETE FROM objects WHERE path = ?", changed)


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _end_trades(lake: Lake, copy: Lake, hot: int | None) -> None:
    with closing(_beside_objects(copy.ticks_db, copy.cold_db)) as db:
        left = ticks_reach.first_left_ms(db, lake)
        ends = [end for end in (hot, left) if end is not None]
        if ends:
            ticks_reach.end_trades_at(db, lake, min(ends))
            db.execute("INSERT OR REPLACE INTO cold.meta VALUES (?, ?)", (REACH, str(min(ends))))


def _end_analytics(lake: Lake, copy: Lake, hot: Mapping[str, int]) -> None:
    with closing(_beside_objects(copy.analytics_db, copy.cold_db)) as db:
        left = analytics_reach.first_left(db, lake)
        for timeframe in {*hot, *left}:
            ends = [found[timeframe] for found in (hot, left) if timeframe in found]
            end = analytics_reach.midnight_of(min(ends))
            analytics_reach.end_timeframe_at(db, timeframe, end)


def _copy(source: Path, target: Path, left_out: Collection[str]) -> None:
    """A database with the same tables, of which those `left_out` have no rows; no log beside it."""
    with closing(_connect(target)) as db:
        db.execute("ATTACH DATABASE ? AS source", (f"{source.resolve().as_uri()}?mode=ro",))
        db.execute("BEGIN")
        made = db.execute(
            "SELECT type, name, sql FROM source.sqlite_master "
            "WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type != 'table'"
        ).fetchall()
        tables = [(name, sql) for kind, name, sql in made if kind == "table"]
        for name, sql in tables:
            db.execute(sql)
            if name not in left_out:
                db.execute(f'INSERT INTO main."{name}" SELECT * FROM source."{name}"')
        for kind, _, sql in made:
            if kind != "table":
                db.execute(sql)
        (version,) = db.execute("PRAGMA source.user_version").fetchone()
        db.execute(f"PRAGMA main.user_version={version}")
        db.execute("COMMIT")


def _beside_objects(path: Path, objects: Path) -> sqlite3.Connection:
    db = _connect(path)
    db.execute("ATTACH DATABASE ? AS cold", (objects.resolve().as_uri(),))
    return db


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path.resolve().as_uri(), uri=True, isolation_level=None)
    db.execute("PRAGMA busy_timeout=5000")
    db.execute("PRAGMA journal_mode=OFF")  # it is thrown away where anything goes wrong
    db.execute("PRAGMA synchronous=OFF")
    return db
