"""Lines of recordings: `receive_ns frame`, plain or gzip'd, merged by receive time.

Times in s, ms or µs, as other recorders write them, are told by their magnitude.
"""

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from heapq import merge
from operator import itemgetter
from pathlib import Path
from typing import IO, cast

import msgspec

from spreadlake.decoding import UNREADABLE
from spreadlake.errors import RecordingError

RecordedLine = tuple[int, bytes]
"""Receive time in ns, which never goes back within a file, and the frame as it came."""

_GZIP_MAGIC = b"\x1f\x8b"
_LONGEST_LINE = 64 * 2**20
_SHOWN = 60
# Receive times of 2009 to 2099 in s, ms, µs and ns: no time of one is plausible in another.
_PLAUSIBLE = (1_230_000_000, 4_100_000_000)
_PER_NS = (10**9, 10**6, 10**3)
_DIGITS = 19  # of ns from 2001 on
_STAMP = re.compile(rb"\d{1,25}(\.\d{1,25})?")


def read_merged(paths: Sequence[Path]) -> Iterator[RecordedLine]:
    """The lines of all files, in order of receive time."""
    files = [read_lines(path) for path in paths]
    if len(files) == 1:
        return files[0]
    return merge(*files, key=itemgetter(0))


def read_lines(path: Path) -> Iterator[RecordedLine]:
    """The lines of one file; blank lines are passed over.

    A clock that was set back while recording is taken to have stood still. A last line without
    a line end that is not whole is where a recorder was killed, and is left out. Raises
    RecordingError for a file that is missing or damaged.
    """
    number = 0
    latest = 0
    try:
        with _open(path) as file:
            while line := file.readline(_LONGEST_LINE):
                number += 1
                parsed = _parse(path, number, line)
                if parsed is not None:
                    latest = max(latest, parsed[0])
                    yield latest, parsed[1]
    except FileNotFoundError:
        raise RecordingError(f"recording {path} does not exist") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise RecordingError(
            f"recording {path} is damaged after line {number}: {error}; "
            "the lines before it can be saved with gzip -dc"
        ) from None
    except OSError as error:
        raise RecordingError(f"recording {path} cannot be read: {error.strerror}") from None


def _open(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        is_gzip = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path)) if is_gzip else path.open("rb")


def _parse(path: Path, number: int, line: bytes) -> RecordedLine | None:
    """Receive time and frame of a line; None for one that is to be left out."""
    text = line.rstrip(b"\r\n")
    received, space, frame = text.partition(b" ")
    # A frame may be empty: the exchange, or what is in between, sent one.
    if _STAMP.fullmatch(received) and space and len(line) < _LONGEST_LINE:
        whole = line.endswith(b"\n") or _is_json(frame)
        return (_nanoseconds(received), frame) if whole else None
    if not text.strip() or _is_cut_off(line):
        return None
    raise RecordingError(
        f"recording {path}, line {number}, is not a receive time in ns, a space and a frame "
        f"of less than {_LONGEST_LINE >> 20} MiB: {text[:_SHOWN]!r}"
    )


def _nanoseconds(received: bytes) -> int:
    """Other recorders stamp lines in s, ms or µs; what is none of these is taken as it is."""
    if received.isdigit() and len(received) == _DIGITS:
        return int(received)
    value = Decimal(received.decode())
    for unit in _PER_NS:
        if _PLAUSIBLE[0] <= value * unit / 10**9 <= _PLAUSIBLE[1]:
            return int(value * unit)
    return int(value)


def _is_cut_off(line: bytes) -> bool:
    """Whether the recorder was killed in the middle of the receive time."""
    return line.strip().isdigit() and not line.endswith(b"\n")


def _is_json(frame: bytes) -> bool:
    try:
        msgspec.json.decode(frame)
    except UNREADABLE:
        return False
    return True
