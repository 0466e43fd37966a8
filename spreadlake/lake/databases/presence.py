"""Whether a database that is open is still the one under its name."""

from pathlib import Path


class Presence:
    """Of the file at `path`, and of its write-ahead log, as they are when this is made.

    A file that is deleted or moved stays usable to those that have it open, and nobody else will
    ever see what they write.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = path.with_name(f"{path.name}-wal")
        self._file = _identity(path)
        self._log_file = _identity(self._log)

    @property
    def lost(self) -> bool:
        """Whether the name stands for another file by now, or for none; costs two look-ups."""
        if self._log_file is None:  # made with the first transaction
            self._log_file = _identity(self._log)
            return self._file != _identity(self._path)
        return self._file != _identity(self._path) or self._log_file != _identity(self._log)

    @property
    def replaced(self) -> bool:
        """Whether another file has taken its name."""
        return _identity(self._path) not in (None, self._file)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
