"""Says of symbols that an edit brought and nobody captures: nothing will come of them.

The collector asks the exchange before it takes an edit on, and refuses one with a symbol that is
not known there. The job cannot ask, and has taken it on by then.
"""

import logging
import time
from contextlib import closing

from spreadlake.config import Settings
from spreadlake.errors import LakeError
from spreadlake.lake import Lake, open_reader
from spreadlake.lake.ticks.universe import captured_symbols

log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""Within this a collector that runs has taken an edit on."""


class Uncaptured:
    """Looks once after each edit, and says which of its symbols are not captured."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._symbols: list[str] = []
        self._due = 0.0

    def expect(self, settings: Settings) -> None:
        """From now on these are looked for; none where rules choose them."""
        self._symbols = settings.symbol_list
        self._due = time.monotonic() + GRACE_SECONDS

    def look(self) -> None:
        """To be called again and again."""
        if not self._symbols or time.monotonic() < self._due:
            return
        wanted, self._symbols = self._symbols, []
        try:
            with closing(open_reader(self._lake.ticks_db)) as db:
                captured = captured_symbols(db)
        except LakeError:
            return
        if captured is None:  # a lake of imports: nothing in it ever was
            return
        if missing := [symbol for symbol in wanted if symbol not in captured]:
            log.warning(
                "not captured, so nothing comes of it: %s; the collector does not run, or has "
                "refused the edited configuration: spreadlake status says why",
                ", ".join(missing),
            )
