"""Reads a dump, packed or plain CSV, in pieces: memory does not depend on the size of the file."""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from spreadlake.binance.dumps import (
    LAYOUTS,
    DumpFile,
    Heading,
    Layout,
    RecordError,
    parse_name,
    read_heading,
)
from spreadlake.errors import InputError

PIECE_BYTES = 2**20
_TYPES = {int: pa.int64(), float: pa.float64(), bool: pa.bool_()}

_DAMAGED = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)

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

    Trades come as TICKS_SCHEMA, klines as KLINES_SCHEMA. A qty of 0 is a record that is no trade.
    """
    layout = LAYOUTS[dump.kind]
    with _open(dump) as (file, position):
        heading = _heading(file, dump, layout)
        for batch in _batches(file, dump, layout, heading):
            on_bytes(position())
            try:
                yield layout.convert(cast("pl.DataFrame", pl.from_arrow(batch)), dump)
            except RecordError as error:
                raise _wrong(dump, str(error)) from None
    # What stands behind the last record, such as a zip's directory, is not read as records are.
    on_bytes(dump.path.stat().st_size)


@contextmanager
def _open(dump: DumpFile) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
    """The CSV as a stream, and a function that tells how far the file on disk has been read."""
    try:
        with dump.path.open("rb") as raw:
            if dump.path.suffix == ".csv":
                yield raw, raw.tell
                return
            if dump.path.suffix == ".gz":
                with gzip.open(raw) as unpacked:
                    yield cast("IO[bytes]", unpacked), raw.tell
                return
            with zipfile.ZipFile(raw) as archive, archive.open(_member(archive, dump)) as member:
                yield member, raw.tell
    except _DAMAGED as error:
        raise InputError(f"{dump.path} is damaged: {error}; download it again") from None
    except RuntimeError as error:
        raise InputError(f"{dump.path} cannot be unpacked: {error}") from None
    except FileNotFoundError:
        raise InputError(f"{dump.path} is not there") from None
    except OSError as error:
        raise InputError(f"{dump.path} cannot be read: {error.strerror or error}") from None


def _member(archive: zipfile.ZipFile, dump: DumpFile) -> zipfile.ZipInfo:
    members = [info for info in archive.infolist() if _is_csv(info)]
    if len(members) != 1:
        raise InputError(
            f"{dump.path} holds {len(members)} CSV files; a dump holds one: unpack it, and import "
            "the files in it"
        )
    _refuse_other_name(members[0], dump)
    return members[0]


def _is_csv(member: zipfile.ZipInfo) -> bool:
    """Whether it is a CSV and not what a Mac keeps beside each file (`__MACOSX/._NAME.csv`)."""
    path = PurePosixPath(member.filename)
    hidden = any(part.startswith(".") for part in path.parts) or "__MACOSX" in path.parts
    return not member.is_dir() and path.suffix.lower() == ".csv" and not hidden


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


def _heading(file: IO[bytes], dump: DumpFile, layout: Layout) -> Heading:
    """What the first line says of the columns; InputError for a file of another kind."""
    start = cast("io.BufferedReader", file).peek(1)[:4096].lstrip(b"\xef\xbb\xbf")
    if not start:
        raise InputError(f"{dump.path} is empty; download it again")
    try:
        return read_heading(start.split(b"\n", 1)[0].decode(errors="replace"), layout)
    except RecordError as error:
        raise InputError(f"{dump.path}: {_printable(str(error))}") from None


def _batches(file: IO[bytes], dump: DumpFile, layout: Layout, heading: Heading) -> Iterator[Any]:
    read = {**layout.types, **layout.optional}
    read = {name: kind for name, kind in read.items() if name in heading.names}
    try:
        # One thread: with more of them, errors would not tell the line.
        yield from pa_csv.open_csv(
            file,
            read_options=pa_csv.ReadOptions(
                use_threads=False,
                block_size=PIECE_BYTES,
                column_names=heading.names,
                skip_rows=heading.skipped,
            ),
            # Dumps quote nothing; with quotes, a stray one would take the lines after it along.
            parse_options=pa_csv.ParseOptions(quote_char=False),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: _TYPES[kind] for name, kind in read.items()},
                include_columns=list(read),
                null_values=[],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):  # a header and no record
            return
        raise _wrong(dump, _in_words(str(error), heading)) from None


def _wrong(dump: DumpFile, what: str) -> InputError:
    return InputError(f"{dump.path}: {what}; nothing of this file was taken, download it again")


def _in_words(message: str, heading: Heading) -> str:
    """One line without control characters; Arrow counts the columns, which have names here."""
    if "straddles two block boundaries" in message:
        return f"a line is longer than {PIECE_BYTES:,} bytes"
    for number, name in enumerate(heading.names):
        message = message.replace(f"In CSV column #{number}: ", f"column {name}: ")
    return _printable(message)


def _printable(message: str) -> str:
    return "".join(letter if letter.isprintable() else "�" for letter in message)
