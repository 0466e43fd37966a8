"""How much of the page is answered at once: the rest waits its turn, or is told to come again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from spreadlake.errors import SpreadlakeError


class BusyError(SpreadlakeError):
    """There are too many questions at once; this one may be asked again in a moment."""


class Slots:
    """`many` at a time; `waiting` more may wait for `seconds` each."""

    def __init__(self, many: int, waiting: int = 0, seconds: float = 0.0) -> None:
        self._free = threading.Semaphore(many)
        self._places = threading.Semaphore(waiting)
        self._seconds = seconds
        self.waiting = 0
        """How many wait now."""

    @contextmanager
    def one(self) -> Iterator[None]:
        """Holds a slot; BusyError where there is none to be had."""
        self.take()
        try:
            yield
        finally:
            self.give_back()

    def take(self) -> None:
        """A slot that is given back later; BusyError where there is none to be had."""
        if not self._free.acquire(blocking=False) and not self._wait():
            raise BusyError("there are too many questions at once; ask again in a moment")

    def give_back(self) -> None:
        """The slot is free again."""
        self._free.release()

    def _wait(self) -> bool:
        if not self._places.acquire(blocking=False):
            return False
        self.waiting += 1
        try:
            return self._free.acquire(timeout=self._seconds)
        finally:
            self.waiting -= 1
            self._places.release()
