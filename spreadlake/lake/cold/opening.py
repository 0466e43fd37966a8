"""A lake of which this machine has nothing: its catalogue is fetched, and all files are remote."""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from spreadlake.caches import cache_folder
from spreadlake.errors import DamagedFileError, LakeError, MissingFileError, ObjectStorageError
from spreadlake.lake.analytics.reach import read_reach
from spreadlake.lake.cold.address import ColdAddress, is_cold_address
from spreadlake.lake.databases.connections import open_reader
from spreadlake.lake.databases.meta import read_meta
from spreadlake.lake.layout import Lake

_KEPT = 3  # catalogues of a lake: whoever began with the one before goes on with it
_NEEDED = {"cold.db", "ticks.db", "analytics.db"}
_NONE = "it is no catalogue of a lake, and the lake's uploader writes another"
_OPENED = "opened"  # the key of the address that a catalogue was fetched from


def remote_lake(text: str) -> Lake:
    """The lake at `s3://bucket/prefix` as its uploader described it last, to be read only.

    LakeError where there is none, or it is not to be read.
    """
    if not is_cold_address(text):
        shown = f"{text.partition('://')[0]}://…" if "@" in text else text
        raise LakeError(
            f"{shown} is neither a folder of this machine nor an address s3://bucket/prefix"
        )
    try:
        address = ColdAddress.parse(text)
    except ValueError as error:
        raise LakeError(str(error)) from None
    files = _catalogue(address)
    whole = hashlib.blake2b(digest_size=8)
    for name, content in sorted(files.items()):
        whole.update(name.encode() + content)
    from spreadlake.lake.cold.reading import server  # noqa: PLC0415 with polars

    of = hashlib.blake2b(f"{server()} {address.text}".encode(), digest_size=8).hexdigest()
    return Lake(_unpacked(files, address, f"lake-{of}", whole.hexdigest()))


def reach_of(lake: Lake) -> dict[str, datetime]:
    """Where the trades and the bars of each timeframe end that such a lake has."""
    from spreadlake.lake.cold.catalogue import REACH  # noqa: PLC0415 with polars

    with closing(open_reader(lake.cold_db)) as db:
        trades = read_meta(db, REACH)
    ends = {} if trades is None else {"trades": int(trades) // 1000}
    if lake.analytics_db.exists():
        with closing(open_reader(lake.analytics_db)) as db:
            ends.update(read_reach(db))
    return {of: datetime.fromtimestamp(end, UTC) for of, end in ends.items()}


def address_of(lake: Lake) -> str | None:
    """The address that such a lake was opened at; None for a lake in a folder of its own."""
    if not lake.cold_db.exists():
        return None
    with closing(open_reader(lake.cold_db)) as db:
        return read_meta(db, _OPENED)


def _catalogue(address: ColdAddress) -> dict[str, bytes]:
    from spreadlake.lake.cold.catalogue import CATALOGUE, SCHEMA  # noqa: PLC0415
    from spreadlake.lake.cold.reading import ask_object, server  # noqa: PLC0415

    url = address.url(CATALOGUE)
    try:
        found = ask_object(url, Path(CATALOGUE), lambda file: file.collect())
    except MissingFileError as error:
        if "NoSuchBucket" in error.reason:
            raise LakeError(f"there is no bucket {address.bucket} on {server()}") from None
        raise LakeError(
            f"{address.text} has no lake: there is no {CATALOGUE}, which is written with the first "
            "days that are uploaded; name the bucket and the prefix as storage.cold has them"
        ) from None
    except ObjectStorageError:
        raise
    except DamagedFileError as error:
        raise LakeError(f"{error.reason}; {_NONE}") from None
    files = dict(found.rows()) if found.schema == SCHEMA else {}
    if "cold.db" not in files:
        raise LakeError(f"{url} holds other things; {_NONE}")
    return {name: content for name, content in files.items() if name in _NEEDED}


def _unpacked(files: dict[str, bytes], address: ColdAddress, of: str, version: str) -> Path:
    """The folder of one version of a catalogue: there as a whole, or not at all."""
    folder = cache_folder() / of / version
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as beside:
                new = Path(beside) / "new"
                new.mkdir()
                for name, content in files.items():
                    (new / name).write_bytes(content)
                _say_where(new / "cold.db", address)
                _put(new, folder)
        os.utime(folder)
        _forget_older(folder)
    except OSError as error:
        raise LakeError(
            f"the catalogue of {address.text} cannot be kept in {folder}: {error.strerror}; "
            "set XDG_CACHE_HOME to a folder that this user may write"
        ) from error
    return folder


def _say_where(cold_db: Path, address: ColdAddress) -> None:
    """Its objects are where it was found, which may be a copy of the bucket."""
    rows = [(key, address.text) for key in ("address", _OPENED)]
    try:
        with closing(sqlite3.connect(cold_db)) as db, db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)
    except sqlite3.Error as error:
        raise LakeError(f"the catalogue of {address.text} is damaged ({error}); {_NONE}") from None


def _put(new: Path, folder: Path) -> None:
    try:
        new.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise


def _forget_older(folder: Path) -> None:
    others = [one for one in folder.parent.iterdir() if one != folder and one.name[0] != "."]
    others.sort(key=lambda one: one.stat().st_mtime, reverse=True)
    for one in others[_KEPT - 1 :]:
        shutil.rmtree(one, ignore_errors=True)
