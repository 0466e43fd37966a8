"""Notices an edited configuration; a wrong edit is told, and the accepted one goes on."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from spreadlake.config.accepted import AcceptedCopy
from spreadlake.config.changes import changed_keys
from spreadlake.config.load import read_config, settings_of, values_of
from spreadlake.config.settings import Settings
from spreadlake.errors import ConfigError

log = logging.getLogger(__name__)

Stamp = tuple[int, int, int]

_GONE_SECONDS = 5.0  # an editor's delete and its rename are closer together


class ConfigWatch:
    """Watches one file, which `settings` were read from; None watches nothing.

    It is read once more at the first call: an edit may have come since `settings` were read.
    `content` is the text that they were read from, where it is known, and `copy` keeps what was
    accepted. `refused` says why the file as it is now is not what goes on; empty where it is.
    Keys that begin with one of `at_next_start` are told to be taken with the next start only.
    """

    def __init__(
        self,
        path: Path | None,
        settings: Settings,
        content: bytes | None = None,
        copy: AcceptedCopy | None = None,
    ) -> None:
        no_file = path is None or (path.exists() and not path.is_file())
        self._path = None if no_file else path
        self._copy = copy or AcceptedCopy(None)
        self._content = content
        self._seen: Stamp | None = None
        self._gone: float | None = None
        self._candidate: tuple[Settings, bytes] = settings, content or b""
        self.settings = settings
        self.refused = ""
        self.at_next_start: Sequence[str] = ()

    def edited(self) -> Settings | None:
        """The settings, if they have changed since the last call and are right: then accepted."""
        settings = self.look()
        if settings is not None:
            self.accept()
        return settings

    def look(self) -> Settings | None:
        """Settings that were edited and are right, to be accepted or refused."""
        stamp = self._stamp()
        if stamp is None or self._path is None or stamp == self._seen:
            return None
        self._seen = stamp
        try:
            content = read_config(self._path)
            settings = settings_of(content, self._path)
        except ConfigError as error:
            self.refuse(str(error))
            return None
        self._candidate = settings, content
        if settings != self.settings:
            return settings
        self._take(content)  # nothing for whoever watches, or only what a start reads
        return None

    def accept(self) -> None:
        """What was looked at goes on from now, and is what a restart takes."""
        self.settings, content = self._candidate
        log.info("took on the edited configuration %s", self._path)
        self._take(content)

    def refuse(self, reason: str) -> None:
        """What was looked at does not go on, until the file is edited again."""
        self.refused = reason
        log.warning("the edited configuration is refused, the old one goes on: %s", reason)

    def forget(self) -> None:
        """To be called where the service ends as it was told to."""
        self._copy.forget()

    def _take(self, content: bytes) -> None:
        if self.refused:
            log.info("the configuration %s is right again", self._path)
        if later := [key for key in self._changed(content) if self._is_for_later(key)]:
            log.warning("%s: taken with the next start, not before", ", ".join(later))
        if content != self._content:
            self._copy.keep(content)
        self.refused, self._content = "", content

    def _changed(self, content: bytes) -> list[str]:
        if self._content is None or self._path is None:
            return []
        before, after = (values_of(text, self._path) for text in (self._content, content))
        return changed_keys(before, after)

    def _is_for_later(self, key: str) -> bool:
        return key.startswith(tuple(self.at_next_start))

    def _stamp(self) -> Stamp | None:
        """Changes with every save, also with an editor that replaces the file."""
        try:
            stat = self._path.stat() if self._path else None
        except OSError as error:
            self._note_gone(error)
            return None
        self._gone = None
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino) if stat else None

    def _note_gone(self, error: OSError) -> None:
        self._gone = self._gone or time.monotonic()
        self._seen = None  # what comes in its place is looked at, whatever its stamp
        if not self.refused and time.monotonic() - self._gone > _GONE_SECONDS:
            self.refuse(f"configuration {self._path} cannot be read: {error.strerror}")


def watch_config(
    path: Path | None, copy: AcceptedCopy, *, restarted: bool, alone: bool, keep: bool = True
) -> ConfigWatch:
    """The configuration that a service starts with, and the watch over its file.

    A service that is started again by its supervisor (`restarted`) goes on with what was accepted;
    whatever the file says now is an edit. One that runs `alone`, and whose copy tells that it did
    not end as it was told to, does so only where the file is wrong: whoever starts it may have
    edited the file meanwhile. Raises ConfigError where there is nothing right to start with.
    Whoever only looks does not `keep` what was read.
    """
    if path is None or (path.exists() and not path.is_file()):
        copy = AcceptedCopy(None)
    held = copy.read() if restarted or alone else None
    if restarted and held is not None:
        try:
            return ConfigWatch(path, settings_of(held, copy.path), held, copy)
        except ConfigError:
            held = None  # the environment is another now
    content = b""
    try:
        content = b"" if path is None else read_config(path)
        settings = settings_of(content, path)
    except ConfigError:
        if held is None:
            raise
        return ConfigWatch(path, settings_of(held, copy.path), held, copy)
    if keep:
        copy.keep(content)
    return ConfigWatch(path, settings, content, copy)
