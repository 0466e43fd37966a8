"""The finished files of a lake: which there are, on its disk or in object storage alone.

A file on the disk counts before its object. The disk is looked at first and the record (`cold.db`)
then: what leaves the disk is on record before it does, so that none is missed while it happens. Of
a lake without a cold part nothing more is asked than whether there is a record.
"""

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from spreadlake.lake.layout import Lake

if TYPE_CHECKING:
    from spreadlake.lake.cold.recorded import Recorded


def cold_part(lake: Lake) -> "Recorded | None":
    """What of the lake is in object storage; None where it has no cold part."""
    if not os.path.exists(lake.cold_db):  # noqa: PTH110 asked with each file
        return None
    from spreadlake.lake.cold.recorded import recorded  # noqa: PLC0415 most lakes have none

    return recorded(lake)


def is_there(lake: Lake, path: Path) -> bool:
    """Whether a file is on the disk or in object storage; no request is made for that."""
    if path.exists():
        return True
    cold = cold_part(lake)
    return cold is not None and cold.has(path)


def is_remote(lake: Lake, path: Path) -> bool:
    """Whether a file is in object storage, and not on the disk."""
    return not path.exists() and is_there(lake, path)


def names_in(lake: Lake, folder: Path) -> set[str]:
    """The names of what is in a folder, files and folders; none where it is not there."""
    names = local_names(folder)
    cold = cold_part(lake)
    return names if cold is None else names.union(cold.children(folder))


def local_names(folder: Path) -> set[str]:
    """Those on the disk alone."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def values_in(lake: Lake, folder: Path, key: str) -> list[str]:
    """What the folders `key=VALUE` in a folder say, in order."""
    begin = f"{key}="
    return sorted(
        name.removeprefix(begin) for name in names_in(lake, folder) if name.startswith(begin)
    )


def matching(lake: Lake, folder: Path, pattern: str) -> list[Path]:
    """The files below a folder whose path in it matches, such as `date=*/*.parquet`, in order."""
    found = set(folder.glob(pattern))
    if (cold := cold_part(lake)) is not None:
        depth = pattern.count("/")
        found.update(
            folder / name
            for name in cold.names_under(folder)
            if fnmatchcase(name, pattern) and name.count("/") == depth
        )
    return sorted(found)
