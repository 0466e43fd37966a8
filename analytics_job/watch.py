"""Notices an edited configuration; a wrong edit is told, and the old settings go on."""

import logging
from pathlib import Path

from spreadlake.config import Settings, load_settings
from spreadlake.errors import ConfigError

__all__ = ["ConfigWatch"]

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


class ConfigWatch:
    """Watches one file, which `settings` were read from; None watches nothing.

    It is read once more at the first call: an edit may have come since `settings` were read.
    """

    def __init__(self, path: Path | None, settings: Settings) -> None:
        self._path = path if path is not None and path.is_file() else None
        self._seen: Stamp | None = None
        self._settings = settings

    def edited(self) -> Settings | None:
        """The settings, if they have changed since the last call and are right."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        self._seen = stamp
        try:
            settings = load_settings(self._path)
        except ConfigError as error:
            log.warning("the edited configuration is refused, the old one goes on: %s", error)
            return None
        if settings == self._settings:
            return None
        self._settings = settings
        log.info("took on the edited configuration %s", self._path)
        return settings

    def _stamp(self) -> Stamp | None:
        """Changes with every save, also with an editor that replaces the file."""
        try:
            stat = self._path.stat() if self._path else None
        except OSError:
            return None  # between an editor's delete and its rename
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat else None
