"""The file of a recording: one writer, and the place to go on where an earlier one ended."""

import gzip
import mmap
import os
import re
import zlib
from pathlib import Path
from typing import IO

import msgspec

from spreadlake.decoding import UNREADABLE
from spreadlake.errors import RecordingError
from spreadlake.locks import try_lock

_CHUNK = 2**16
_HEAD = 64
# A receive time and a space, or as much of it as a process that was killed has written.
_BEGINNING = re.compile(rb"\s*\d+( |\Z)")


class RecordingFile:
    """The recording at `path`, gzip'd if its name ends in .gz, to which lines are appended.

    What a process that was killed has left unfinished at its end is written over. RecordingError
    where the file cannot be written, is no recording, or another process records onto it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._locked = path.open("ab")
            try:
                _lock(self._locked, path)
                self._end = self._find_end()
            except BaseException:
                self._locked.close()
                raise
        except OSError as error:
            raise RecordingError(
                f"recording {path} cannot be written: {error.strerror}; choose another with "
                "--record"
            ) from None

    def append(self, lines: bytes) -> None:
        """Writes whole lines; OSError where the disk fails: then they may be tried again."""
        with self._path.open("r+b") as file:
            # What an attempt that failed has left behind is written over.
            file.seek(self._end)
            file.write(gzip.compress(lines, 6) if self._is_gzip else lines)
            file.truncate()
            file.flush()
            self._end = file.tell()

    def close(self) -> None:
        """Lets others record onto the file."""
        self._locked.close()

    @property
    def _is_gzip(self) -> bool:
        return self._path.suffix == ".gz"

    def _find_end(self) -> int:
        if not os.fstat(self._locked.fileno()).st_size:
            return 0
        return self._end_of_members() if self._is_gzip else self._end_of_lines()

    def _end_of_members(self) -> int:
        whole = whole_members(self._path)
        if not whole:
            raise _other_kind(self._path, "gzip'd")
        return whole

    def _end_of_lines(self) -> int:
        with (
            self._path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            if not _BEGINNING.match(data[:_HEAD]):
                raise _other_kind(self._path, "plain")
            end = data.rfind(b"\n") + 1
            rest = data[end:]
        if not _is_whole(rest):
            return end
        self._locked.write(b"\n")
        self._locked.flush()
        return end + len(rest) + 1


def _other_kind(path: Path, kind: str) -> RecordingError:
    return RecordingError(
        f"{path} is there and is no {kind} recording; choose another file with --record"
    )


def _is_whole(line: bytes) -> bool:
    """Whether only the line end is missing: as a replay sees it."""
    try:
        msgspec.json.decode(line.partition(b" ")[2])
    except UNREADABLE:
        return False
    return True


def _lock(file: IO[bytes], path: Path) -> None:
    if not try_lock(file):
        raise RecordingError(
            f"another collector records onto {path} (process {_holder(file)}); stop it, or "
            "choose another file with --record"
        )


def _holder(file: IO[bytes]) -> str:
    """The process that has locked the file, as far as Linux tells it."""
    inode = str(os.fstat(file.fileno()).st_ino)
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        # 1: FLOCK  ADVISORY  WRITE 4711 fe:00:11182776 0 EOF
        match line.split():
            case [_, "FLOCK", _, _, process, where, *_] if where.split(":")[-1] == inode:
                return process
    return "unknown"


def whole_members(path: Path) -> int:
    """Bytes of a gzip file up to the end of its last whole member."""
    whole = read = 0
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    with path.open("rb") as file:
        while data := file.read(_CHUNK):
            read += len(data)
            while data:
                try:
                    member.decompress(data)
                except zlib.error:
                    return whole
                data = member.unused_data
                if member.eof:
                    whole = read - len(data)
                    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    return whole
