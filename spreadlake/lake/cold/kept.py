"""The catalogues of lakes in object storage, each unpacked in a folder of the user's cache."""

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
import weakref
from contextlib import closing, suppress
from pathlib import Path

from spreadlake.caches import cache_folder
from spreadlake.errors import LakeError
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.layout import Lake
from spreadlake.locks import try_lock

OPENED = "opened"
"""The key in `meta` of `cold.db` of the address that a catalogue was fetched from."""

_KEPT = 3  # catalogues of a lake, besides those that are read
_LONGEST_READ = 7 * 86_400  # seconds; where a file system has no locks on folders


def kept_lake(files: dict[str, bytes], address: ColdAddress, of: str, version: str) -> Lake:
    """The lake of one version of a catalogue, which stays for as long as the answer does.

    LakeError where it cannot be kept, or is none.
    """
    while True:
        lake = Lake(_unpacked(files, address, of, version))
        if _hold(lake):
            return lake


def no_catalogue(address: ColdAddress, why: str) -> LakeError:
    """What is said of an object that is in the place of a catalogue."""
    from spreadlake.lake.cold.catalogue import CATALOGUE  # noqa: PLC0415

    return LakeError(
        f"{address.url(CATALOGUE)} is no catalogue of a lake ({why}); the machine that has the "
        "lake writes it anew with the next days that it uploads"
    )


def _unpacked(files: dict[str, bytes], address: ColdAddress, of: str, version: str) -> Path:
    """The folder of one version of a catalogue: there as a whole, or not at all."""
    folder = cache_folder() / of / version
    try:
        if not all((folder / name).exists() for name in files):
            shutil.rmtree(folder, ignore_errors=True)  # somebody removed a part of it
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
    except sqlite3.DatabaseError as error:
        if not isinstance(error, sqlite3.OperationalError):
            raise no_catalogue(address, str(error)) from error
        raise _not_kept(address, folder, str(error)) from error
    except OSError as error:
        raise _not_kept(address, folder, str(error.strerror)) from error
    return folder


def _not_kept(address: ColdAddress, folder: Path, why: str) -> LakeError:
    return LakeError(
        f"the catalogue of {address.text} cannot be kept in {folder}: {why}; make room there, or "
        "set XDG_CACHE_HOME to a folder that this user may write"
    )


def _hold(lake: Lake) -> bool:
    """Keeps the folder of a lake for as long as somebody has the lake; False: it is gone already.

    A lake whose databases are removed while it is read would look like an empty one.
    """
    try:
        handle = os.open(lake.root, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    with suppress(OSError):  # no locks here: then it is kept for long
        fcntl.flock(handle, fcntl.LOCK_SH)
    if not lake.cold_db.exists():
        os.close(handle)
        return False
    weakref.finalize(lake, os.close, handle)
    return True


def _say_where(cold_db: Path, address: ColdAddress) -> None:
    """Its objects are where it was found, which may be a copy of the bucket."""
    with closing(sqlite3.connect(cold_db)) as db, db:
        rows = [(key, address.text) for key in ("address", OPENED)]
        db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)


def _put(new: Path, folder: Path) -> None:
    try:
        new.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first
            raise


def _forget_older(folder: Path) -> None:
    others = [one for one in folder.parent.iterdir() if one != folder]
    others.sort(key=lambda one: one.stat().st_mtime, reverse=True)
    whole = [one for one in others if one.name[0] != "."]
    for one in whole[_KEPT - 1 :]:
        _forget(one)
    for one in others:
        if one.name[0] == "." and _is_old(one):  # who made it was killed
            shutil.rmtree(one, ignore_errors=True)


def _forget(folder: Path) -> None:
    """Removes a catalogue, unless somebody reads it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        free = try_lock(handle)
    except OSError:
        free = _is_old(folder)
    try:
        if free:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def _is_old(folder: Path) -> bool:
    return folder.stat().st_mtime < time.time() - _LONGEST_READ
