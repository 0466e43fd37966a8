"""What goes wrong, told every ten minutes for as long as it does, and always in the status.

By kind: a bucket that is away says the same of every file.
"""

import logging
import time

from spreadlake.errors import LakeError
from spreadlake.lake.cold.errors import ColdError

log = logging.getLogger(__name__)

_AGAIN = 600.0
_MOST = 100


class Trouble:
    """The last one, if it has not passed; `since_ms` is when the first of its row was met."""

    def __init__(self) -> None:
        self.error: LakeError | OSError | None = None
        self.since_ms: int | None = None
        self.number = 0
        self.once = False  # nothing is tried again after it was met
        self._told: dict[str, float] = {}
        self._met = False

    @property
    def said(self) -> str:
        """The last one in words; empty: there is none."""
        return "" if self.error is None else str(self.error)

    def begin(self) -> None:
        """What is met from here on tells whether the one before has passed."""
        self._met = False

    def met(self, error: LakeError | OSError) -> None:
        """Something went wrong."""
        self.error, self._met = error, True
        self.number += 1
        self.since_ms = self.since_ms or time.time_ns() // 1_000_000
        kind = error.kind if isinstance(error, ColdError) else type(error).__name__
        now = time.monotonic()
        if now >= self._told.get(kind, 0.0):
            if len(self._told) >= _MOST:
                self._told.clear()
            self._told[kind] = now + _AGAIN
            log.warning("not uploaded%s: %s", "" if self.once else ", and tried again", error)

    def settle(self) -> None:
        """A round is over: what did not come again in it has passed."""
        if self._met or self.error is None:
            return
        log.info("object storage does what it is asked again")
        self.error, self.since_ms = None, None
        self._told.clear()
