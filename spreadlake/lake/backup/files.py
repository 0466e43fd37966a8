"""Copies the files of a lake: what is new or another one than before, each whole and compared.

A file of a lake is never written in place: another one takes its name. So size and time of change
say whether a copy still is the same.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

from spreadlake.errors import LakeError
from spreadlake.lake.parquet import beside_of, make_folders

_CHUNK = 1 << 20


class Stamp(NamedTuple):
    """What tells one file at a path from the next one there."""

    bytes: int
    changed_ns: int


@dataclass
class Copies:
    """How many files were copied, the bytes of them, and how many were there as they are."""

    files: int = 0
    bytes: int = 0
    unchanged: int = 0


def bring(source: Path, target: Path, look: Callable[[], None]) -> Copies:
    """Brings the Parquet files of `source`, and of all folders in it, to `target`.

    What is in `target` alone stays. Of each folder there are the files of one moment: what comes or
    goes while it is copied is looked at again. `look` is called for each folder.
    """
    copies = Copies()
    for folder in _folders(source):
        look()
        there = target / folder.relative_to(source)
        before: dict[str, Stamp] = {}
        while (now := listing(folder)) != before:
            for name, stamp in now.items():
                if before.get(name) != stamp:
                    _bring_file(folder / name, there / name, stamp, copies)
            before = now
    return copies


def bring_file(source: Path, target: Path) -> None:
    """The same for one file; where there is none in `source` there is none in `target` then."""
    stamp = _stamp(source)
    if stamp is None:
        target.unlink(missing_ok=True)
    else:
        _bring_file(source, target, stamp, Copies())


def prune(source: Path, target: Path, is_needed: Callable[[Path], bool]) -> int:
    """Removes what `source` has no more, unless `is_needed` says so of the copy; how many files.

    A file that takes the place of others is there before they go: so whoever sees one missing finds
    the other one, if he looks once more.
    """
    removed = 0
    for folder in list(_folders(target)):
        lake_folder = source / folder.relative_to(target)
        gone = listing(folder).keys() - listing(lake_folder).keys()
        if not gone:
            continue
        bring(lake_folder, folder, lambda: None)
        for name in gone - listing(lake_folder).keys():
            if not is_needed(folder / name):
                (folder / name).unlink(missing_ok=True)
                removed += 1
        with suppress(OSError):  # it is not empty
            folder.rmdir()
    return removed


def listing(folder: Path) -> dict[str, Stamp]:
    """The Parquet files of a folder; none where it is not there."""
    found = {}
    for entry in _entries(folder):
        if entry.name.endswith(".parquet") and not entry.name.startswith("."):
            with suppress(FileNotFoundError):
                status = entry.stat()
                found[entry.name] = Stamp(status.st_size, status.st_mtime_ns)
    return found


def _folders(root: Path) -> Iterator[Path]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        yield folder
        waiting += (Path(one.path) for one in _entries(folder) if one.is_dir(follow_symlinks=True))


def _entries(folder: Path) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Stamp(status.st_size, status.st_mtime_ns)


def _bring_file(source: Path, target: Path, stamp: Stamp, copies: Copies) -> None:
    if _stamp(target) == stamp:
        copies.unchanged += 1
        return
    try:
        copies.bytes += _copy(source, target)
        copies.files += 1
    except FileNotFoundError:
        if source.exists():
            raise
        # It has gone since: another one holds what it held, or it was removed on purpose.


def _copy(source: Path, target: Path) -> int:
    """Copies a file to the side, compares it, and renames it; returns its bytes.

    It is not synced: whoever needs that to be durable syncs all of them at once.
    """
    with source.open("rb") as file:
        status = os.fstat(file.fileno())
        make_folders(target.parent)
        beside = beside_of(target)
        try:
            with beside.open("w+b") as copy:
                written = _digest(file, copy)
                copy.flush()
                copy.seek(0)
                if _digest(copy) != written:
                    raise LakeError(
                        f"{beside} does not read back as it was written; is the disk failing?"
                    )
                os.fchmod(copy.fileno(), status.st_mode & 0o777)
            os.utime(beside, ns=(status.st_atime_ns, status.st_mtime_ns))
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    return status.st_size


def _digest(file: BinaryIO, copy: BinaryIO | None = None) -> bytes:
    digest = blake2b()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        if copy is not None:
            copy.write(chunk)
    return digest.digest()
