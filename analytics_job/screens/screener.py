"""Screens every pair when it is due, on a thread and a process of their own."""

import logging
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from analytics_job.alerts.screened import known_screen_events, screen_rules
from analytics_job.background import NicedProcess
from analytics_job.screens.following import follow_screen
from analytics_job.screens.store import store_screen
from analytics_job.screens.taking import Due, TakenScreen, take
from spreadlake.config import Settings
from spreadlake.lake import Lake, atomic
from spreadlake.lake.analytics.screens import ScreenKey, newest_screen
from spreadlake.quant.screen import ScreenOptions
from spreadlake.research import ScreenRequest
from spreadlake.times import iso_utc, timeframe_seconds
from spreadlake.words import count

log = logging.getLogger(__name__)


class _Finished(NamedTuple):
    key: ScreenKey
    taken: TakenScreen
    keep_seconds: float


class Screener:
    """Takes a screen at each multiple of the interval, in exchange time; only ever the newest.

    So a machine that is too slow leaves some out, and none is of a time that was chosen by
    how busy it was. `message` says what came of the last one.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._process = NicedProcess("screens")
        self._finished: _Finished | None = None  # until it is stored
        self._tried: tuple[ScreenKey, int] | None = None
        self.message = ""

    def run(
        self,
        db: sqlite3.Connection,
        settings: Settings,
        symbols: Sequence[str],
        final: int | None,
    ) -> None:
        """Takes the screen that is due at `final`, up to which (Unix seconds) bars are final.

        Returns when it is taken; the next step stores it.
        """
        if not settings.screen.enabled:
            self.message, self._tried = "", None
            return
        if final is None or self._finished is not None:
            return
        due = self._due(db, settings, symbols, final)
        if due is None or self._process.closing.is_set():
            return
        self._tried = (due.key, due.at)
        taken = self._process.compute(take, due)
        if isinstance(taken, str):
            self.message = f"no screen at {iso_utc(due.at)}: {taken}"
        elif taken is not None:
            self.message = _in_words(taken, due)
            self._finished = _Finished(due.key, taken, settings.screen.keep_hours * 3_600)

    def _due(
        self, db: sqlite3.Connection, settings: Settings, symbols: Sequence[str], final: int
    ) -> Due | None:
        """What to take; None where the newest was taken, or tried, before."""
        screen = settings.screen
        length = timeframe_seconds(screen.timeframe)
        at = final // screen.step_seconds * screen.step_seconds
        options = ScreenOptions(
            screen.lookback, screen.window, "log", screen.fee_bps, screen.slippage_bps
        )
        key = ScreenKey(screen.timeframe, screen.lookback, screen.window)
        if self._tried == (key, at):
            return None
        newest = newest_screen(db, key)
        after = None if newest is None else newest.time
        if after is not None and after + length >= at:
            return None
        # A symbol that has just been listed has no bar yet, and is no mistake.
        begun = {symbol for (symbol,) in db.execute("SELECT DISTINCT symbol FROM first_bars")}
        there = tuple(sorted(begun & set(symbols)))
        if not there:  # nobody has yet; whoever takes the screen may find bars of others
            return None
        request = ScreenRequest(
            screen.timeframe,
            options,
            there,
            screen.min_quote_volume,
            settings.max_stale_bars,
        )
        rules = screen_rules(settings)
        known = known_screen_events(db, rules, at)
        return Due(self._lake.root, request, at, after, screen.top, screen.max_qvalue, rules, known)

    def store(self, db: sqlite3.Connection, settings: Settings) -> bool:
        """Writes the screen that was taken since the last call, if there is one.

        Whether other pairs are to be followed since: in the same transaction, so that each screen
        counts once. Where that fails the step tells it, and tries again. No other is taken before:
        who is open after this one has to be known.
        """
        finished = self._finished
        if finished is None:
            return False
        with atomic(db):
            store_screen(db, finished.key, finished.taken, finished.keep_seconds)
            others = follow_screen(db, settings, finished.key, finished.taken)
        self._finished = None
        return others

    def close(self) -> None:
        """Gives up the screen that is being taken."""
        self._process.close()


def _in_words(taken: TakenScreen, due: Due) -> str:
    time, symbols, pairs, found, seconds = taken.summary
    close = time + timeframe_seconds(due.request.timeframe)
    left_out = "".join(
        f"; {count(found.left_out, 'more pair')} than may have an open alert of rule {rule.name} "
        f"(max_open {rule.levels.max_open:,})"
        for rule, found in taken.alerts
        if found.left_out
    )
    return (
        f"screen at {iso_utc(close)}: {count(pairs, 'pair')} of {count(symbols, 'symbol')}, "
        f"{found:,} with q ≤ {due.max_qvalue:g}, in {seconds:.1f} s{left_out}"
    )
