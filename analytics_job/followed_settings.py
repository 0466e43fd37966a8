"""The settings that the job works by: those of the configuration, of the symbols captured now, with
the pairs and the alert rules that were added by hand.
"""

import time

from analytics_job.uncaptured import Uncaptured
from spreadlake.config import ConfigWatch, Settings
from spreadlake.config.added_rules import added_rules
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.added_pairs import added_pairs
from spreadlake.lake.hand_file import Followed
from spreadlake.lake.ticks.universe import captured_symbols

_LOOK_SECONDS = 1.0


class FollowedSettings:
    """Follows an edited configuration, the files of added pairs and rules, and who is captured
    where rules choose the symbols.
    """

    def __init__(self, lake: Lake, settings: Settings, watch: ConfigWatch | None = None) -> None:
        self._lake = lake
        self._given = settings
        self._watch = watch
        self._pairs = Followed(added_pairs(lake))
        self._rules = Followed(added_rules(lake))
        self._due = 0.0
        self._uncaptured = Uncaptured(lake)
        self.settings = self._now()

    @property
    def refused(self) -> str:
        """Why the files as they are now do not go on; empty where they do."""
        of_file = self._watch.refused if self._watch else ""
        return of_file or self._pairs.refused or self._rules.refused

    def changed(self) -> Settings | None:
        """The settings, if they are others than at the last call; None where they are the same."""
        edited = self._watch.edited() if self._watch else None
        self._uncaptured.look()
        if edited is not None:
            self._given = edited
            self._uncaptured.expect(edited)
        elif time.monotonic() < self._due:
            return None
        self._due = time.monotonic() + _LOOK_SECONDS
        looked = [self._pairs.look(), self._rules.look()]
        others = any(looked) or edited is not None
        if not others and self._given.symbols != "all":
            return None
        now = self._now()
        if not others and now.symbols == self.settings.symbols:
            return None
        self.settings = now
        return now

    def _now(self) -> Settings:
        settings = captured_settings(self._lake, self._given)
        return settings.following(self._pairs.entries).with_rules(self._rules.entries)


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
