"""Writes Parquet files that are either not there or whole."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import polars as pl

from spreadlake.errors import LakeError
from spreadlake.locks import folder_lock

Check = Callable[[pl.DataFrame], None]


def write_durably(frame: pl.DataFrame, path: Path, check: Check | None = None) -> None:
    """Writes `frame` to the side (zstd), syncs it, reads it back, and renames it over `path`.

    After a crash at any moment `path` is what it was before or the whole new file, and so it is
    after any error; folders that are made for it are as durable as the file. `check` is given
    the rows as they were read back, and raises what speaks against them. LakeError if the file
    does not read back as it was written, or Polars cannot write it; OSError where the disk fails.
    """
    make_folders(path.parent)
    beside = beside_of(path)
    try:
        _write(frame, beside)
        written = pl.read_parquet(beside, hive_partitioning=False)
        if not written.equals(frame, null_equal=True):
            raise LakeError(f"{beside} does not read back as it was written; is the disk failing?")
        if check is not None:
            check(written)
        put_in_place(beside, path)
    except pl.exceptions.PolarsError as error:
        raise LakeError(f"{path} cannot be written: {error}") from error
    finally:
        # Gone already, unless something went wrong; on a full disk its room is needed.
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def put_in_place(beside: Path, path: Path) -> None:
    """Renames a file that is whole over `path`.

    Under the lock of its folder: who removes files that object storage has looks, under the same
    lock, whether the one that is there is still the one that was uploaded.
    """
    while True:
        make_folders(path.parent)
        try:
            with folder_lock(path.parent):
                beside.replace(path)
                return
        except FileNotFoundError:
            # A folder that became empty is removed, and may just have been.
            if not beside.exists():
                raise


def beside_of(path: Path) -> Path:
    """Where a file is written: always the same name, so that what a crash leaves is written over.

    Readers that take a whole folder as one table read every file that is in it, whatever its name:
    so it stands beside that folder, unless that is on another disk.
    """
    hive = [folder for folder in path.parents if "=" in folder.name]
    table = hive[-1].parent if hive else path.parent
    if not hive or table.stat().st_dev != table.parent.stat().st_dev:
        return path.with_suffix(".tmp")
    parts = path.with_suffix(".tmp").relative_to(table.parent).parts
    return table.parent / f".{'+'.join(parts)}"


def _write(frame: pl.DataFrame, path: Path) -> None:
    whole = BytesIO()
    frame.write_parquet(whole, compression="zstd")
    with path.open("wb") as file:
        # Not left to Polars, to which a full disk is an error of the format.
        file.write(whole.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def make_folders(folder: Path) -> None:
    """Makes a folder and those above it, as durable as the files to come."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """A new name is durable once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
