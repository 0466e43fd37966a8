"""Writes Parquet files that are either not there or whole."""

import os
from pathlib import Path

import polars as pl

from spreadlake.errors import LakeError

__all__ = ["write_durably"]


def write_durably(frame: pl.DataFrame, path: Path) -> None:
    """Writes `frame` beside `path` (zstd), syncs it, reads it back, and renames it over `path`.

    After a crash at any moment `path` is what it was before or the whole new file. Raises
    LakeError if the file does not read back as it was written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    frame.write_parquet(beside, compression="zstd")
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    if not pl.read_parquet(beside, hive_partitioning=False).equals(frame, null_equal=True):
        raise LakeError(f"{beside} does not read back as it was written; is the disk failing?")
    beside.rename(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """A rename is durable once its folder is."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
