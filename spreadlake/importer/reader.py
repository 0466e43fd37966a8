"""Reads a dump, zip or plain CSV, in pieces: memory does not depend on the size of the file."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from spreadlake.errors import InputError
from spreadlake.importer.columns import LAYOUTS, Layout, RecordError
from spreadlake.importer.names import DumpFile, parse_name

__all__ = ["OnBytes", "read_dump", "verify_dump"]

PIECE_BYTES = 2**20
_TYPES = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_SPOT_COLUMNS = 8

# Called with the bytes of the file that have been read so far; what it raises ends the reading.
OnBytes = Callable[[int], None]


def verify_dump(dump: DumpFile, on_bytes: OnBytes) -> None:
    """Reads a dump once from end to end; InputError where it is damaged or cannot be true.

    A wrong line may stand anywhere, and the checksum of a zip stands at its end; no record of
    such a file may get into the lake.
    """
    try:
        for _ in read_dump(dump, on_bytes):
            pass
    except InputError:
        _verify_checksum(dump, on_bytes)  # damage explains any line
        raise


def _verify_checksum(dump: DumpFile, on_bytes: OnBytes) -> None:
    with _open(dump) as (file, position):
        while file.read(PIECE_BYTES):
            on_bytes(position())


def read_dump(dump: DumpFile, on_bytes: OnBytes) -> Iterator[pl.DataFrame]:
    """The records in the order of the file, as the lake keeps them; InputError says what is wrong.

    Trades come as TRADES_SCHEMA, klines as KLINES_SCHEMA.
    """
    layout = LAYOUTS[dump.kind]
    with _open(dump) as (file, position):
        skipped = _skip_header(file, dump, layout)
        for batch in _batches(file, dump, layout, skipped):
            on_bytes(position())
            try:
                yield layout.convert(cast("pl.DataFrame", pl.from_arrow(batch)), dump)
            except RecordError as error:
                raise _wrong(dump, str(error)) from None


@contextmanager
def _open(dump: DumpFile) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The CSV as a stream, and a function that tells how far the file on disk has been read."""
    try:
        with dump.path.open("rb") as raw:
            if dump.path.suffix != ".zip":
                yield raw, raw.tell
                return
            with zipfile.ZipFile(raw) as archive, archive.open(_member(archive, dump)) as member:
                yield member, raw.tell
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise InputError(f"{dump.path} is damaged: {error}; download it again") from None
    except RuntimeError as error:
        raise InputError(f"{dump.path} cannot be unpacked: {error}") from None
    except FileNotFoundError:
        raise InputError(f"{dump.path} is not there") from None
    except OSError as error:
        raise InputError(f"{dump.path} cannot be read: {error.strerror or error}") from None


def _member(archive: zipfile.ZipFile, dump: DumpFile) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if info.filename.endswith(".csv")]
    if len(members) != 1:
        raise InputError(f"{dump.path} holds {len(members)} CSV files; a dump holds one")
    _refuse_other_name(members[0], dump)
    return members[0]


def _refuse_other_name(member: zipfile.ZipInfo, dump: DumpFile) -> None:
    """InputError where the file in a zip is of another symbol or day than the zip's name says."""
    name = Path(member.filename).name
    try:
        inner = parse_name(Path(name))
    except InputError:
        return  # it may have any name that says nothing
    if replace(inner, path=dump.path) != dump:
        raise InputError(
            f"{dump.path} holds {name}: one of the two names is wrong; download it again"
        )


def _skip_header(file: IO[bytes], dump: DumpFile, layout: Layout) -> int:
    """How many lines stand before the first record; InputError for a file of another kind."""
    start = cast("io.BufferedReader", file).peek(1)[:4096].lstrip(b"\xef\xbb\xbf")
    if not start:
        raise InputError(f"{dump.path} is empty")
    cells = start.split(b"\n", 1)[0].decode(errors="replace").strip().split(",")
    if len(cells) != len(layout.names):
        raise InputError(f"{dump.path}: {_columns_message(len(cells), dump, layout)}")
    if cells[0].isdigit():
        return 0
    _check_header(cells, dump, layout)
    return 1


def _check_header(cells: Sequence[str], dump: DumpFile, layout: Layout) -> None:
    for number, (cell, name) in enumerate(zip(cells, layout.names, strict=True), 1):
        if name in layout.types and cell.strip().lower() != name:
            raise InputError(
                f"{dump.path}: column {number} is {cell!r}; expected are {', '.join(layout.names)}"
            )


def _columns_message(count: int, dump: DumpFile, layout: Layout) -> str:
    columns = "1 column" if count == 1 else f"{count} columns"
    message = f"{columns} in the first line, and {dump.kind} dumps have {len(layout.names)}"
    if dump.kind == "aggTrades" and count == _SPOT_COLUMNS:
        return (
            f"{message}: this is a dump of the spot market, whose trade ids are others; download "
            "the one under futures/um"
        )
    return f"{message} ({', '.join(layout.names)})"


def _batches(file: IO[bytes], dump: DumpFile, layout: Layout, skipped: int) -> Iterator[Any]:
    try:
        # One thread: with more of them, errors would not tell the line.
        yield from pa_csv.open_csv(
            file,
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                block_size=PIECE_BYTES,
                column_names=layout.names,
                skip_rows=skipped,
            ),
            # Dumps quote nothing; with quotes, a stray one would take the lines after it along.
            parse_options=pa_csv.ParseOptions(quote_char=False),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: _TYPES[kind] for name, kind in layout.types.items()},
                include_columns=list(layout.types),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):  # a header and no record
            return
        raise _wrong(dump, _in_words(str(error), layout)) from None


def _wrong(dump: DumpFile, what: str) -> InputError:
    return InputError(f"{dump.path}: {what}; nothing of this file was taken, download it again")


def _in_words(message: str, layout: Layout) -> str:
    """One line without control characters; Arrow counts the columns, which have names here."""
    if "straddles two block boundaries" in message:
        return f"a line is longer than {PIECE_BYTES:,} bytes"
    for number, name in enumerate(layout.names):
        message = message.replace(f"In CSV column #{number}: ", f"column {name}: ")
    return "".join(letter if letter.isprintable() else "�" for letter in message)
