"""Work that waits for object storage which is away, while all other work goes on."""

import time
from collections.abc import Callable

from spreadlake.errors import ObjectStorageError

_SECONDS = 15.0


class Waiting:
    """Lets such work rest once it has met object storage that does not answer."""

    def __init__(self) -> None:
        self._until = 0.0
        self._reason = ""

    @property
    def reason(self) -> str:
        """What is waited for; empty where nothing is."""
        return self._reason if time.monotonic() < self._until else ""

    def run(self, work: Callable[[float | None], object], seconds: float | None) -> None:
        """Does the work, for about so many seconds, unless it is to rest."""
        if self.reason:
            return
        try:
            work(seconds)
        except ObjectStorageError as error:
            self._reason = f"{error.reason}; trying again"
            self._until = time.monotonic() + _SECONDS
            raise

    def end(self) -> None:
        """It is tried again at once."""
        self._until = 0.0
