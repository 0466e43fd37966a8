"""Writes Parquet files that are either not there or whole."""

import os
from collections.abc import Callable, Collection, Mapping
from io import BytesIO
from pathlib import Path

import polars as pl

from spreadlake.errors import DamagedFileError, LakeError
from spreadlake.locks import folder_lock

Check = Callable[[pl.DataFrame], None]


_REMEDY = (
    "put a good copy in its place, or move it away: what only it held is then missing until "
    "`spreadlake import` (trades) or `spreadlake analyse --rebuild` (analytics) brings it again"
)


def read_whole(
    path: Path,
    schema: pl.Schema,
    named: Mapping[str, str] | None = None,
    may_lack: Collection[str] = (),
    where: pl.Expr | None = None,
) -> pl.DataFrame:
    """All rows of a Parquet file of the lake, as today's `schema` has them, whoever wrote it when.

    With `where`, a condition on columns that every such file holds, only those that it holds for:
    parts of the file that its statistics rule out are not read.

    `named` are columns whose value the path says: newer files do not hold them, older ones do.
    `may_lack` are columns that files from before them do not hold: NULL in every row. Columns may
    stand in any order; those that the schema does not know are left out. DamagedFileError if the
    file cannot be read, lacks another column, or holds the rows of another name.
    """
    named = named or {}
    try:
        file = pl.scan_parquet(path, hive_partitioning=False, glob=False)
        held = file.collect_schema()
        met = file if where is None else file.filter(where)
        if any(name in held for name in named):  # of before: what it says is looked at
            whole = met.select(name for name in held if name in schema or name in named).collect()
            _refuse_others(whole, named)
            met = whole.lazy()
        literals = {name: pl.lit(value) for name, value in named.items()}
        absent = {name: pl.lit(None) for name in may_lack if name not in held}
        columns = literals | absent
        return met.select(
            columns.get(name, pl.col(name)).cast(type_).alias(name)
            for name, type_ in schema.items()
        ).collect()
    # Polars panics at some kinds of damage, which is no Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        # With a number it is the system that refused: rights, too many files, a failing disk.
        refused = isinstance(error, OSError) and error.errno is not None
        what = f"{path} cannot be read ({reason})"
        raise DamagedFileError(f"{what}; {_REMEDY}", path, what, for_good=not refused) from error


def _refuse_others(found: pl.DataFrame, named: Mapping[str, str]) -> None:
    for name, value in named.items():
        others = found[name].unique().to_list() if name in found.columns else [value]
        if found.height and others != [value]:
            raise pl.exceptions.SchemaError(f"it is of {name} {others[0]}, and not of {value}")


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
