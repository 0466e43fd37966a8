"""Keeps the catalogue in the bucket, which a machine without the lake opens it by."""

import shutil
import time
from collections.abc import Iterator

from spreadlake.lake import Lake
from spreadlake.lake.cold.objects import Objects
from spreadlake.lake.databases.errors import explaining
from uploader.ledger import Ledger
from uploader.trouble import Trouble
from uploader.workers import Workers

# Between two; it may be large, and then takes a twentieth of the time at most.
_LEAST_SECONDS = 60.0
_RESTS = 20.0


class Catalogue:
    """Writes it anew where something changed: `due`."""

    def __init__(self, lake: Lake, objects: Objects, workers: Workers) -> None:
        self._lake = lake
        self._objects = objects
        self._workers = workers
        self._next = float("-inf")
        self.due = True
        for left in lake.root.glob(".catalogue-*"):  # of one that was killed meanwhile
            shutil.rmtree(left, ignore_errors=True)

    def keep(self, ledger: Ledger, trouble: Trouble) -> Iterator[None]:
        """Puts it in the bucket if it is due, and was not just now."""
        if not self.due or time.monotonic() < self._next or ledger.totals() == (0, 0):
            return
        begin = time.monotonic()
        for outcome in self._workers.run(lambda _: self._put(), [None], lambda: True):
            yield
            if outcome is not None and outcome.error is not None:
                trouble.met(outcome.error)
            elif outcome is not None:
                self.due = False
        end = time.monotonic()
        self._next = end + max(_LEAST_SECONDS, _RESTS * (end - begin))

    def _put(self) -> None:
        # Polars is needed for nothing else here.
        from spreadlake.lake.cold.catalogue import CATALOGUE, catalogue_of  # noqa: PLC0415

        with explaining(self._lake.cold_db):
            content = catalogue_of(self._lake)
        self._objects.put_bytes(CATALOGUE, content)
