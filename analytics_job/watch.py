"""Notices an edited configuration; a wrong edit is told, and the old settings go on."""

import logging
from pathlib import Path

from spreadlake.config import Settings, load_settings
from spreadlake.errors import ConfigError

__all__ = ["ConfigWatch"]

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]


class ConfigWatch:
    """Watches one file; None watches nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path if path is not None and path.is_file() else None
        self._seen = self._stamp()

    def edited(self) -> Settings | None:
        """The settings, if the file has changed since the last call and they are right."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return None
        self._seen = stamp
        try:
            settings = load_settings(self._path)
        except ConfigError as error:
            log.warning("the edited configuration is refused, the old one goes on: %s", error)
            return None
        log.info("took on the edited configuration %s", self._path)
        return settings

    def _stamp(self) -> Stamp | None:
        """Changes with every save, also with an editor that replaces the file."""
        try:
            stat = self._path.stat() if self._path else None
        except OSError:
            return None  # between an editor's delete and its rename
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat else None
