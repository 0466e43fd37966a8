"""What takes how much room in a lake, by kind, day and symbol: one look into each folder."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args
from urllib.parse import unquote

from spreadlake.lake.layout import Lake

DATABASES = ("ticks.db", "analytics.db", "notify.db", "backtests.db", "cold.db")
ColdKind = Literal["ticks", "bars", "pair_analytics", "pair_tests"]
COLD: tuple[ColdKind, ...] = get_args(ColdKind)
"""What is kept in files of a day or an hour."""
FOLDERS = (*COLD, "klines", "screens")
_RECORDING = (".jsonl", ".jsonl.gz")


class Room(NamedTuple):
    """Bytes, and the files that they are in."""

    bytes: int = 0
    files: int = 0

    def plus(self, size: int) -> "Room":
        """With one more file."""
        return Room(self.bytes + size, self.files + 1)


@dataclass
class Sizes:
    """The room that a lake takes, by kind: a database, a folder, `recordings` and `other`.

    `wal` is the part of the databases that is in their write-ahead logs; `days` the bytes of a kind
    of a UTC day (`YYYY-MM-DD`), `symbols` those of a symbol or pair, `folders` how many were read.
    """

    kinds: dict[str, Room] = field(default_factory=dict)
    wal: dict[str, int] = field(default_factory=dict)
    days: Counter[tuple[str, str]] = field(default_factory=Counter)
    symbols: Counter[tuple[str, str]] = field(default_factory=Counter)
    folders: int = 0

    @property
    def total(self) -> int:
        """All bytes."""
        return sum(room.bytes for room in self.kinds.values())

    def add(self, kind: str, size: int) -> None:
        """Counts one file."""
        self.kinds[kind] = self.kinds.get(kind, Room()).plus(size)


def measure(lake: Lake, pause: Callable[[], None] = lambda: None) -> Sizes:
    """Looks into every folder of the lake once; `pause` is called after each.

    What goes meanwhile is left out. A lake within this one (the demo's) is not a part of it.
    """
    sizes = Sizes()
    for entry in _entries(lake.root):
        if entry.is_dir(follow_symlinks=True):
            if not os.path.exists(os.path.join(entry.path, "ticks.db")):  # noqa: PTH110, PTH118
                kind = entry.name if entry.name in FOLDERS else "other"
                _walk(Path(entry.path), kind, sizes, pause)
        else:
            _count(entry, sizes)
    return sizes


def parquet_bytes(folder: Path) -> int:
    """The bytes of all Parquet files in a folder and in those within it."""
    total, waiting = 0, [str(folder)]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.name.endswith(".parquet"):
                total += _size(entry) or 0
    return total


def _count(entry: "os.DirEntry[str]", sizes: Sizes) -> None:
    """A file of the lake's own folder."""
    size = _size(entry)
    if size is None:
        return
    database = next((name for name in DATABASES if entry.name.startswith(name)), None)
    if database is not None:
        sizes.add(database, size)
        if entry.name.endswith("-wal"):
            sizes.wal[database] = size
    else:
        sizes.add("recordings" if entry.name.endswith(_RECORDING) else "other", size)


def _walk(folder: Path, kind: str, sizes: Sizes, pause: Callable[[], None]) -> None:
    waiting: list[tuple[str, str, str]] = [(str(folder), "", "")]
    while waiting:
        path, name, day = waiting.pop()
        sizes.folders += 1
        for entry in _entries(path):
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, *_said(entry.name, name, day)))
            elif (size := _size(entry)) is not None:
                sizes.add(kind, size)
                if day:
                    sizes.days[kind, day] += size
                if name:
                    sizes.symbols[kind, name] += size
        pause()


def _said(folder: str, name: str, day: str) -> tuple[str, str]:
    """The symbol or pair and the day that a folder's name says, or those above it."""
    key, _, value = folder.partition("=")
    if key in ("symbol", "pair"):
        return unquote(value), day
    return (name, value) if key == "date" else (name, day)


def _entries(folder: str | Path) -> "Iterator[os.DirEntry[str]]":
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def _size(entry: "os.DirEntry[str]") -> int | None:
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return None
