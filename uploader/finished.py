"""Finds the files that are finished: days of trades, bars and analytics, months of klines.

Hours are not among them: they become a day.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from spreadlake.lake import Lake
from spreadlake.lake.cold.objects import Stamp
from spreadlake.lake.keeping import midnight
from spreadlake.lake.sizes import COLD

KINDS = (*COLD, "klines")
_DAY = 86_400


class Finished(NamedTuple):
    """A file on the disk: when (s) the time that it is of ends, and its path in the lake."""

    end: int
    path: str
    stamp: Stamp

    @property
    def kind(self) -> str:
        """The folder of the lake that it is in."""
        return self.path.partition("/")[0]


def finished_files(
    lake: Lake, now: float, tell: Callable[[OSError], None]
) -> Iterator[Finished | None]:
    """Those whose time is over at `now`, in no order; None after each folder that was read.

    A folder or file that cannot be read is told, and left out.
    """
    for kind in KINDS:
        waiting = [lake.root / kind]
        while waiting:
            folder = waiting.pop()
            files, inside = _look(folder, tell)
            waiting += inside
            for path, there in files:
                end = end_of(path.parent.name)
                if end is not None and end <= now:
                    yield Finished(end, path.relative_to(lake.root).as_posix(), Stamp.of(there))
            yield None


def end_of(folder: str) -> int | None:
    """When (s) the time ends that a folder's name says; None where it says none."""
    key, _, value = folder.partition("=")
    try:
        if key == "date":
            return midnight(value) + _DAY
        if key == "month":
            year, month = map(int, value.split("-"))
            after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
            return int(after.timestamp())
    except ValueError:
        return None
    return None


def _look(
    folder: Path, tell: Callable[[OSError], None]
) -> tuple[list[tuple[Path, os.stat_result]], list[Path]]:
    """The files of a day or month in a folder, and the folders in it; what goes is left out."""
    files, inside = list[tuple[Path, os.stat_result]](), list[Path]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    inside.append(Path(entry.path))
                elif entry.name in ("day.parquet", "month.parquet"):
                    files.append((Path(entry.path), Path(entry.path).stat()))
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        tell(error)
    return files, inside
