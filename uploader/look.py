"""A look at the whole lake: what waits to be uploaded, and what is old enough to leave the disk."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from typing import NamedTuple

from spreadlake.config.storing import StorageSettings
from spreadlake.lake import Lake, read_status
from spreadlake.lake.keeping import age_cutoff
from spreadlake.status import last_trade_ms, snapshot
from uploader.finished import KINDS, Finished, finished_files
from uploader.ledger import Ledger

# Files that are held of a look; the next one finds the rest.
_MOST = 10_000
_FILES = 200  # between two moments for something else


@dataclass
class Waiting:
    """How much waits: files, bytes, and when (s) the time of the oldest ended."""

    files: int = 0
    bytes: int = 0
    oldest: int | None = None


class Uploaded(NamedTuple):
    """A file that is in the bucket as it is on the disk, and its checksum."""

    file: Finished
    sha256: str


class ToSend(NamedTuple):
    """A file that is to be in the bucket; `known` is the checksum that this has on record of it."""

    file: Finished
    known: str | None


class Look:
    """What the newest look found: `old` may leave the disk, as far as its age goes.

    `storage` says how long files stay; a look goes by what it is then.
    `more`: it found more than is held of it.
    """

    def __init__(self, lake: Lake, ledger: Ledger, storage: StorageSettings) -> None:
        self._lake = lake
        self._ledger = ledger
        self.storage = storage
        self._files: list[Finished] = []
        self.waits = Waiting()
        self.old: list[Uploaded] = []
        self.more = False
        self.seconds = 0.0

    @property
    def waiting(self) -> bool:
        """Whether there is a file to take."""
        return bool(self._files)

    def again(self, tell: Callable[[OSError], None]) -> Iterator[None]:
        """Looks into every folder once; yields now and then. What cannot be read is told."""
        begin = time.monotonic()
        cutoffs = self._cutoffs()
        waiting, old = list[Finished](), list[Uploaded]()
        waits = Waiting()
        newest_ms = last_trade_ms(self._lake) or 0
        for number, file in enumerate(
            finished_files(self._lake, max(time.time(), newest_ms / 1000), tell), 1
        ):
            if file is not None:
                self._sort(file, cutoffs, waiting, old, waits)
            if max(len(waiting), len(old)) > 2 * _MOST:
                waiting, old = nsmallest(_MOST, waiting), nsmallest(_MOST, old)
            if number % _FILES == 0:
                yield
        self._files = sorted(waiting, reverse=True)[-_MOST:]
        self.more = waits.files > len(self._files)
        self.old = nsmallest(_MOST, old)
        self.waits = waits
        self.seconds = time.monotonic() - begin
        yield

    def take(self) -> Iterator[ToSend]:
        """The files that wait, the oldest first; each is then somebody else's."""
        while self._files:
            file = self._files.pop()
            entry = self._ledger.entry(file.path)
            yield ToSend(file, None if entry is None else entry.sha256)

    def give_back(self, file: Finished) -> None:
        """It waits still."""
        self._files.append(file)

    def done(self, file: Finished) -> None:
        """It does not wait any more."""
        self.waits.files -= 1
        self.waits.bytes -= file.stamp.bytes
        if not self._files:
            self.waits.oldest = None if self.waits.files <= 0 else self.waits.oldest
        else:
            self.waits.oldest = self._files[-1].end

    def _sort(
        self,
        file: Finished,
        cutoffs: Mapping[str, int],
        waiting: list[Finished],
        old: list[Uploaded],
        waits: Waiting,
    ) -> None:
        entry = self._ledger.entry(file.path)
        if entry is not None and entry.stamp == file.stamp:
            if file.end <= cutoffs[file.kind]:
                old.append(Uploaded(file, entry.sha256))
            return
        waiting.append(file)
        waits.files += 1
        waits.bytes += file.stamp.bytes
        waits.oldest = min(waits.oldest or file.end, file.end)

    def _cutoffs(self) -> dict[str, int]:
        """Before when (s) files of each kind leave the disk, counted from the newest trade."""
        newest_ms = last_trade_ms(self._lake)
        now = int(time.time()) if newest_ms is None else newest_ms // 1000
        by_size, keep = self._by_size(), self.storage.keep_days or {}
        local = age_cutoff(now, self.storage.local_days)
        kept = {str(kind): age_cutoff(now, days) for kind, days in keep.items()}
        return {kind: max(local, by_size, kept.get(kind, 0)) for kind in KINDS}

    def _by_size(self) -> int:
        """Before when (s) there is no room for files, as the collector measured."""
        with snapshot(self._lake.ticks_db) as db:
            told = {} if db is None else read_status(db).get("storage", ({}, 0))[0]
        return int(told.get("leave_before", 0))
