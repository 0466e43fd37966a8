"""The settings that the job works by: those of the configuration, of the symbols captured now."""

import time

from spreadlake.config import ConfigWatch, Settings
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.universe import captured_symbols

_LOOK_SECONDS = 1.0


class FollowedSettings:
    """Follows an edited configuration, and who is captured where rules choose the symbols."""

    def __init__(self, lake: Lake, settings: Settings, watch: ConfigWatch | None = None) -> None:
        self._lake = lake
        self._given = settings
        self._watch = watch
        self._due = 0.0
        self.settings = captured_settings(lake, settings)

    @property
    def refused(self) -> str:
        """Why the file as it is now does not go on; empty where it does."""
        return self._watch.refused if self._watch else ""

    def changed(self) -> Settings | None:
        """The settings, if they are others than at the last call; None where they are the same."""
        edited = self._watch.edited() if self._watch else None
        if edited is not None:
            self._given = edited
        elif self._given.symbols != "all" or time.monotonic() < self._due:
            return None
        self._due = time.monotonic() + _LOOK_SECONDS
        now = captured_settings(self._lake, self._given)
        if edited is None and now.symbols == self.settings.symbols:
            return None
        self.settings = now
        return now


def captured_settings(lake: Lake, settings: Settings) -> Settings:
    """The settings with the symbols that are captured in place of "all"; none in a new lake."""
    if settings.symbols != "all":
        return settings
    try:
        db = open_reader(lake.ticks_db)
    except LakeError:
        return settings.capturing(None)
    try:
        return settings.capturing(captured_symbols(db))
    finally:
        db.close()
