"""The copy of its configuration that a service keeps while it runs: what a restart takes."""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)


class AcceptedCopy:
    """A file with the text of the configuration that was last accepted.

    It is there while the service runs, and stays where the service ends in any other way than by
    being told to. A `path` of None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def keep(self, content: bytes) -> bool:
        """Puts `content` in its place, as a whole or not at all; whether it could be done."""
        if self.path is None:
            return False
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError as error:
            log.info("%s is not kept: %s", self.path, error.strerror)
            return False
        return True

    def read(self) -> bytes | None:
        """The text; None where there is none."""
        try:
            return None if self.path is None else self.path.read_bytes()
        except OSError:
            return None

    def forget(self) -> None:
        """Removes it: the next start is a new one."""
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
                self.path.parent.rmdir()  # unless it holds those of others
