"""One round after the other: what is finished is uploaded, what is old enough leaves the disk.

Written as steps, between which the service tells how it does and hears that it is to stop; what
waits for the bucket is in threads. A round that is cut at any step is done again.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from spreadlake.backoff import Backoff
from spreadlake.config.storing import StorageSettings
from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.cold.address import ColdAddress
from spreadlake.lake.cold.errors import ColdError
from spreadlake.lake.cold.note import check_name, write_note
from spreadlake.lake.cold.objects import Objects, Sent
from uploader.catalogue import Catalogue
from uploader.claim import claim, settle
from uploader.expiry import expired
from uploader.finished import Finished
from uploader.leaving import Leaving
from uploader.ledger import Ledger
from uploader.look import Look, ToSend
from uploader.recovery import recover
from uploader.trouble import Trouble
from uploader.workers import Workers

log = logging.getLogger(__name__)

_AT_ONCE = 4  # files
_REST, _LONGEST_REST = 5.0, 3600.0
_LONGEST_IN_VAIN = 600.0  # between two times that a file is sent which the bucket does not hold
# A look at a lake of years may take a minute; looks take a twentieth of the time at most.
_RESTS = 20.0
_RECORDED_AT_ONCE = 64
# Of one file, and nothing that the next one would not fare better with.
_OF_A_FILE = ("wrong", "refused", "missing")


class Rounds:
    """Goes through them for ever, or once."""

    def __init__(
        self,
        lake: Lake,
        db: sqlite3.Connection,
        objects: Objects,
        address: ColdAddress,
        storage: StorageSettings,
    ) -> None:
        self._lake = lake
        self._objects = objects
        self._address = address
        self._cold_keep_days = storage.cold_keep_days or {}
        self._ledger = Ledger(db, lake.cold_db)
        self._workers = Workers(_AT_ONCE)
        self._backoff = Backoff(first=1.0, cap=60.0)
        self._name = ""
        self._in_vain = False
        self._in_vain_backoff = Backoff(first=_REST, cap=_LONGEST_IN_VAIN)
        self._look_due = float("-inf")
        self._edited = False
        self._leaving = Leaving(lake, self._ledger, objects, self._workers)
        self._catalogue = Catalogue(lake, objects, self._workers)
        self.look = Look(lake, self._ledger, storage)
        self.trouble = Trouble()
        self.totals = (0, 0)
        self.uploaded_ms: int | None = None

    def run(self, stop: threading.Event, *, once: bool = False) -> Iterator[None]:
        """Yields at least twice a second; `once` ends after one round, with its trouble if any."""
        self.trouble.once = once
        yield from self._claim(stop, once=once)
        while True:
            self.trouble.begin()
            blocked: list[LakeError | OSError] = []
            try:
                yield from self._round(blocked)
            except (LakeError, OSError) as error:  # a database that is locked, a disk that fails
                if once:
                    raise
                self.trouble.met(error)
                blocked.append(error)
            self.trouble.settle()
            if once:
                if blocked:
                    raise blocked[0]
                return
            yield from _wait(stop, self._rest(blocked=bool(blocked)), lambda: self._edited)

    def follow(self, storage: StorageSettings) -> None:
        """Goes on with edited settings of what leaves the disk, which is looked for at once."""
        if storage != self.look.storage:
            self.look.storage = storage
            self._edited = True

    def recover(self) -> Iterator[None]:
        """Puts on record again what is in the bucket alone; as `uploader.recovery.recover`."""
        yield from recover(self._lake, self._ledger, self._objects, self._address, self._workers)

    def _rest(self, *, blocked: bool) -> float:
        """Seconds until the next round."""
        if blocked:
            return self._backoff.next()
        self._backoff.reset()
        if self._in_vain:  # what would be sent again and again is sent ever more seldom
            return max(self._in_vain_backoff.next(), self._look_due - time.monotonic())
        self._in_vain_backoff.reset()
        return 0.0 if self.look.more else self._look_due - time.monotonic()

    def _round(self, blocked: list[LakeError | OSError]) -> Iterator[None]:
        """Into `blocked` comes what speaks against all that waits.

        None the less what is not kept goes, and what is there leaves the disk: a bucket that is
        full, or takes nothing for another reason, is not to keep the disk full.
        """
        self._note()
        if self._edited or not self.look.waiting or time.monotonic() >= self._look_due:
            # One that fails is due still, and an edit in the middle of it is for the next.
            self._edited, self._look_due = False, float("-inf")
            begin = time.monotonic()
            yield from self.look.again(self.trouble.met)
            rest = min(_LONGEST_REST, max(_REST, _RESTS * self.look.seconds))
            self._look_due = begin + rest
        self._in_vain = False
        yield from self._upload(blocked)
        if not any(isinstance(error, ColdError) and error.kind == "away" for error in blocked):
            yield from self._expire()
            old, self.look.old = self.look.old, []
            yield from self._leaving.run(old, self.trouble)
        self.totals = self._ledger.totals()
        if not blocked:
            yield from self._catalogue.keep(self._ledger, self.trouble)

    def _claim(self, stop: threading.Event, *, once: bool) -> Iterator[None]:
        while True:
            try:
                self._name = settle(self._lake, self._ledger, self._address)
                # A place that is free is not to make one forget what is in another.
                check_name(self._lake, self._name)
                for outcome in self._workers.run(self._take_place, [self._name], _always):
                    yield
                    if outcome is not None and outcome.error is not None:
                        raise outcome.error
            except (LakeError, OSError) as error:
                self.trouble.met(error)
                if once:
                    raise
                yield from _wait(stop, self._backoff.next())
            else:
                self._backoff.reset()
                self.trouble.settle()
                return

    def _note(self) -> None:
        try:
            write_note(self._lake, self._name, self._address.text)
        except (LakeError, OSError) as error:  # on a full disk it goes on, which makes room
            self.trouble.met(error)

    def _take_place(self, name: str) -> None:
        claim(self._objects, self._address, name)

    def _upload(self, blocked: list[LakeError | OSError]) -> Iterator[None]:
        """Uploads what waits; into `blocked` comes what speaks against all that waits."""
        sent: list[tuple[str, Sent]] = []
        try:
            for outcome in self._workers.run(self._send, self.look.take(), lambda: not blocked):
                if outcome is None or len(sent) >= _RECORDED_AT_ONCE:
                    self._record(sent)
                if outcome is not None and outcome.result is not None:
                    self._backoff.reset()
                    sent.append((outcome.item.file.path, outcome.result))
                    self.look.done(outcome.item.file)
                elif outcome is not None and outcome.error is not None:
                    self._failed(outcome.item.file, outcome.error, blocked)
                yield
        finally:
            self._record(sent)

    def _failed(
        self, file: Finished, error: LakeError | OSError, blocked: list[LakeError | OSError]
    ) -> None:
        if isinstance(error, FileNotFoundError):  # removed since the look, or written anew
            self.look.done(file)
            return
        self.trouble.met(error)
        if isinstance(error, ColdError) and error.kind in _OF_A_FILE:
            self._in_vain = True
        elif isinstance(error, ColdError):
            self.look.give_back(file)
            blocked.append(error)

    def _send(self, one: ToSend) -> Sent:
        path = one.file.path
        return self._objects.put_verified(path, self._lake.root / path, one.known)

    def _record(self, sent: list[tuple[str, Sent]]) -> None:
        if not sent:
            return
        now_ms = time.time_ns() // 1_000_000
        try:
            self._ledger.record(sent, now_ms)
        except LakeError as error:  # they are tried again with the next ones, or sent again
            self.trouble.met(error)
            return
        self.uploaded_ms = now_ms
        self._catalogue.due = True
        sent.clear()

    def _expire(self) -> Iterator[None]:
        """Objects of days that the lake has removed for good: only where it is told to."""
        paths = expired(self._lake, self._ledger, self._cold_keep_days)
        if not paths:
            return
        for outcome in self._workers.run(self._objects.delete, [paths], _always):
            yield
            if outcome is not None and outcome.error is not None:
                self.trouble.met(outcome.error)
            elif outcome is not None:
                self._ledger.forget(paths)
                self._catalogue.due = True
                log.info("removed %d objects of days that are not kept any more", len(paths))


def _always() -> bool:
    return True


def _never() -> bool:
    return False


def _wait(
    stop: threading.Event, seconds: float, enough: Callable[[], bool] = _never
) -> Iterator[None]:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not enough():
        stop.wait(min(left, 0.5))
        yield
