"""Takes one screen and puts all of it into the lake's file; runs in a process of its own."""

import sqlite3
import time
from pathlib import Path
from typing import Any, NamedTuple

from analytics_job.alerts.screened import KnownEvents, RuleFound, ScreenRule, scan_rules
from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.lake.analytics.screens import ScreenKey, ScreenSummary
from spreadlake.lake.databases.errors import explain
from spreadlake.lake.parquet import write_durably
from spreadlake.quant.correlation_map import correlation_map
from spreadlake.quant.screen import SCREEN_SCHEMA, passing, ranked
from spreadlake.research import NoScreenError, Screen, ScreenRequest, take_screen

_MAPPED = 30  # symbols of the correlation map: more are not read

COLUMNS = tuple(name for name in SCREEN_SCHEMA.names() if name != "time")
"""Those of a stored row, after its key and its time."""


class Due(NamedTuple):
    """A screen to take, as it was known at `at` (Unix seconds), and what is kept of it.

    `after` is the bar of the one before, None where there is none; `known` are the events of the
    alert rules that are open after that one, or ended lately.
    """

    root: Path
    request: ScreenRequest
    at: int
    after: int | None
    top: int
    max_qvalue: float
    rules: tuple[ScreenRule, ...]
    known: KnownEvents

    @property
    def key(self) -> ScreenKey:
        """Of which screens it is one."""
        options = self.request.options
        return ScreenKey(self.request.timeframe, options.lookback, options.window)


class TakenScreen(NamedTuple):
    """What is stored of a screen: its first rows (COLUMNS), the names of those that passed.

    `correlations` are rows of CORRELATION_MAP_SCHEMA.
    """

    summary: ScreenSummary
    rows: list[tuple[Any, ...]]
    passed: list[str]
    correlations: list[tuple[Any, ...]]
    alerts: list[RuleFound]


def take(due: Due) -> TakenScreen | str:
    """Takes a screen; why there is none, in words, where there is none."""
    begin = time.perf_counter()
    lake = Lake(due.root)
    try:
        screen = take_screen(lake, due.request, due.at, after=due.after)
        write_durably(screen.rows, lake.latest_screen)
    except sqlite3.Error as error:
        return str(explain(error, lake.analytics_db, "read"))
    except OSError as error:
        return f"{lake.latest_screen} cannot be written: {error}"
    except (NoScreenError, LakeError) as error:
        return str(error)
    return _taken(due, screen, time.perf_counter() - begin)


def _taken(due: Due, screen: Screen, seconds: float) -> TakenScreen:
    rows = screen.rows
    found = int((rows["qvalue"] <= due.max_qvalue).sum())
    summary = ScreenSummary(screen.time, len(screen.symbols), rows.height, found, seconds)
    first = ranked(rows, top=due.top).select(COLUMNS).rows()
    correlations = correlation_map(rows, _MAPPED).rows()
    alerts = scan_rules(due.rules, due.known, rows, screen.time)
    return TakenScreen(summary, first, passing(rows), correlations, alerts)
