"""A small file in the lake's folder that commands write and the analytics job reads.

A command writes it as a whole and under a lock; the job looks at it every second. Neither has to
run for the other.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from spreadlake.errors import InputError, LakeError, UnavailableError
from spreadlake.locks import try_lock

Stamp = tuple[int, int, int] | None
T = TypeVar("T")

_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class HandFile(Generic[T]):
    """Where it is, the one key of its JSON, the command that writes it, and what an entry is."""

    path: Path
    key: str
    command: str
    parse: Callable[[Mapping[str, Any]], T]
    dump: Callable[[T], Mapping[str, Any]]

    def read(self) -> list[T]:
        """The entries in order; LakeError where the file is not as it is written."""
        try:
            return [self.parse(dict(one)) for one in json.loads(self.path.read_bytes())[self.key]]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LakeError(f"{self.path} cannot be read: {error.strerror}") from None
        except (ValueError, OverflowError, LookupError, TypeError, InputError) as error:
            raise LakeError(
                f"{self.path} is not as {self.command} writes it ({_in_a_line(error)}); mend it, "
                f"or delete it and add the {self.key} again"
            ) from None

    @contextmanager
    def changing(self) -> Iterator[list[T]]:
        """Yields the entries to be changed in place, and writes them at the end unless that fails.

        LakeError where the file is wrong, UnavailableError where another command keeps it locked.
        """
        with self.path.with_suffix(".lock").open("a") as file:
            _hand_over(file.fileno(), self.path.parent)
            end = time.monotonic() + _WAIT_SECONDS
            while not try_lock(file):
                if time.monotonic() > end:
                    raise UnavailableError(
                        f"another command is changing {self.path}", "try again when it has ended"
                    )
                time.sleep(0.02)
            entries = self.read()
            before = list(entries)
            yield entries
            if entries != before:
                self._write(entries)

    def _write(self, entries: Sequence[T]) -> None:
        """As a whole or not at all, and durably."""
        from spreadlake.lake.parquet import sync_folder  # noqa: PLC0415 polars is slow to import

        rows = [self.dump(one) for one in entries]
        beside = self.path.with_suffix(".tmp")
        with beside.open("w", encoding="utf-8") as file:
            json.dump({self.key: rows}, file, indent=1, ensure_ascii=False)
            file.flush()
            _hand_over(file.fileno(), self.path.parent)
            os.fsync(file.fileno())
        beside.replace(self.path)
        sync_folder(self.path.parent)

    def stamp(self) -> Stamp:
        """Another one after each change."""
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


class Followed(Generic[T]):
    """Follows such a file: `entries` are those of it, `refused` says why not as it is now."""

    def __init__(self, file: HandFile[T]) -> None:
        """LakeError where the file is not as the command writes it."""
        self._file = file
        self._seen = file.stamp()
        self.entries = file.read()
        self.refused = ""

    def look(self) -> bool:
        """Whether there are others since the last look; a file that is wrong changes nothing."""
        stamp = self._file.stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            now = self._file.read()
        except LakeError as error:
            self.refused = str(error)
            return False
        before, self.entries, self.refused = self.entries, now, ""
        return now != before


def _hand_over(file: int, folder: Path) -> None:
    """What root makes becomes the lake's own: else nobody but root could change it again."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())
