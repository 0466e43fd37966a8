"""Writes a Parquet file part by part, so that memory holds one part: there and whole, or not there.

The other rules are those of `spreadlake.lake.parquet.write_durably`.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from spreadlake.errors import LakeError
from spreadlake.lake.parquet import beside_of, make_folders, put_in_place, sync_folder

# Of a row group: a reader of an hour passes over the others by their statistics.
_GROUP_ROWS = 100_000


class _Part(NamedTuple):
    """Row groups [first, end) of the file, and what was written there."""

    first: int
    end: int
    rows: int
    digest: int


def write_parts(parts: Iterable[pl.DataFrame], path: Path) -> Iterator[None]:
    """Writes frames of the same columns one below the other to the side, and renames that.

    A generator, so that whoever has other work may do it in between: it yields after each part
    that was written, and after each that was read back and compared; the file is at `path` when it
    has ended, and one that is not gone through leaves nothing. LakeError where there are no rows,
    where the file cannot be written as Parquet, or does not read back as it was written; OSError
    where the disk fails.
    """
    make_folders(path.parent)
    beside = beside_of(path)
    try:
        written: list[_Part] = []
        with beside.open("wb") as file:
            yield from _write(parts, file, written)
            file.flush()
            os.fsync(file.fileno())
        if not written:
            raise LakeError(f"{path} would hold no rows")
        yield from _verify(beside, written)
        put_in_place(beside, path)
    except pa.ArrowException as error:
        raise LakeError(f"{path} cannot be written: {error}") from error
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write(parts: Iterable[pl.DataFrame], file: BinaryIO, written: list[_Part]) -> Iterator[None]:
    writer: pq.ParquetWriter | None = None
    group = 0
    try:
        for part in parts:
            if part.is_empty():
                continue
            table = _plain(part.to_arrow())
            if writer is None:
                writer = _writer(file, table.schema)
            writer.write_table(table, row_group_size=_GROUP_ROWS)
            groups = -(-part.height // _GROUP_ROWS)
            written.append(_Part(group, group + groups, part.height, _digest(part)))
            group += groups
            yield
    finally:
        if writer is not None:
            writer.close()


def _writer(file: BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """Ids and times rise: their differences take a fraction of the room that they take."""
    whole = [field.name for field in schema if pa.types.is_integer(field.type)]
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[field.name for field in schema if field.name not in whole],
        column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
        store_schema=False,
    )


def _plain(table: pa.Table) -> pa.Table:
    """Texts as other files have them."""
    fields = [
        field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _verify(beside: Path, written: Iterable[_Part]) -> Iterator[None]:
    with pq.ParquetFile(beside) as file:
        for part in written:
            found = pl.DataFrame(file.read_row_groups(range(part.first, part.end)))
            if (found.height, _digest(found)) != (part.rows, part.digest):
                raise LakeError(
                    f"{beside} does not read back as it was written; is the disk failing?"
                )
            yield


def _digest(rows: pl.DataFrame) -> int:
    """Of the values and their order."""
    hashes = rows.hash_rows().to_numpy()
    places = np.arange(1, hashes.size + 1, dtype=np.uint64)
    return int(np.sum(hashes * places, dtype=np.uint64))
