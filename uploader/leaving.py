"""Takes files from the disk that the bucket has: asked once more, and never one that is newer."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress

from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.cold.objects import Objects, Stamp
from spreadlake.locks import folder_lock
from uploader.finished import Finished
from uploader.ledger import Ledger
from uploader.look import Uploaded
from uploader.trouble import Trouble
from uploader.workers import Workers

log = logging.getLogger(__name__)


class _NoLocksError(OSError):
    """The lake's file system locks no folders."""


class Leaving:
    """Does so with the files of a look."""

    def __init__(self, lake: Lake, ledger: Ledger, objects: Objects, workers: Workers) -> None:
        self._lake = lake
        self._ledger = ledger
        self._objects = objects
        self._workers = workers

    def run(self, files: Sequence[Uploaded], trouble: Trouble) -> Iterator[None]:
        """Yields now and then; the first trouble ends it, and the rest stays until the next look.

        An object that is not there any more, or is another, is forgotten: its file is on the disk
        still, and uploaded anew.
        """
        left, met = 0, list[Exception]()
        for outcome in self._workers.run(self._is_there, files, lambda: not met):
            yield
            if outcome is None:
                continue
            if outcome.error is not None:
                met.append(outcome.error)
                trouble.met(outcome.error)
            elif outcome.result:
                try:
                    left += self._remove(outcome.item.file)
                except OSError as error:
                    trouble.met(error)
                    if isinstance(error, _NoLocksError):  # nor are there any for the others
                        met.append(error)
            else:
                self._ledger.forget([outcome.item.file.path])
                log.warning(
                    "%s is not in the bucket as it was uploaded; it is uploaded again",
                    outcome.item.file.path,
                )
        if left:
            log.info("%d files have left the disk; they are in the bucket", left)

    def _is_there(self, uploaded: Uploaded) -> bool:
        file = uploaded.file
        return self._objects.holds(file.path, file.stamp.bytes, uploaded.sha256)

    def _remove(self, file: Finished) -> bool:
        path = self._lake.root / file.path
        with suppress(FileNotFoundError), folder_lock(path.parent) as locked:
            if not locked:
                raise _NoLocksError(f"{path} stays: its file system locks no folders")
            # Between this look and the end of it nobody puts another one in its place.
            if Stamp.of(path.stat()) != file.stamp:
                return False
            # Where even this cannot be written the disk is full, and room is made all the same:
            # that the bucket has the file is on record.
            with suppress(LakeError):
                self._ledger.leaves(file.path)
            path.unlink()
            with suppress(OSError):  # hours, or what is somebody else's, may stand beside it
                path.parent.rmdir()
            return True
        return False
