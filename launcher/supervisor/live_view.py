"""The live view of a running pipeline: a screen on a terminal, else a line now and then."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console, Group
from rich.live import Live

from launcher.supervisor.child import LogLines
from launcher.supervisor.live_screen import LiveScreen, ShownSeries, draw, summarise
from spreadlake.config import AlertRule, Settings
from spreadlake.errors import LakeError
from spreadlake.lake import Lake
from spreadlake.status import LakeReport, report_on

_REDRAW_SECONDS = 0.5
_REST = 2.0  # times what drawing took
_SUMMARY_SECONDS = 30.0
_RATE_SECONDS = 5.0

Refresh = Callable[[Mapping[str, str]], None]


class Rate:
    """Trades a second over the last few seconds, from a total that only grows."""

    def __init__(self, seconds: float = _RATE_SECONDS) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, at: float, total: int) -> float | None:
        """The rate once `total` was read at `at` (monotonic seconds); None at first."""
        self._seen.append((at, total))
        while len(self._seen) > 2 and self._seen[1][0] <= at - self._seconds:
            self._seen.popleft()
        first_at, first = self._seen[0]
        return (total - first) / (at - first_at) if at > first_at else None


def watched_series(settings: Settings) -> list[ShownSeries]:
    """The series of each timeframe that the screen shows: what the first rule on it watches.

    Where there is none on it, the window and the threshold are those of the first rule of all.
    """
    rules = settings.pair_rules
    first = _watched_by(settings, rules[:1])
    known = {rule.timeframe: _watched_by(settings, [rule]) for rule in reversed(rules)}
    # What is watched most closely comes first.
    timeframes = sorted(settings.timeframes, key=lambda one: one != first.timeframe)
    return [known.get(one) or replace(first, timeframe=one) for one in timeframes]


def _watched_by(settings: Settings, rules: Sequence[AlertRule]) -> ShownSeries:
    lookback = settings.lookbacks[0]
    if not rules:
        return ShownSeries(settings.timeframes[0], settings.windows[0], lookback, 2.0)
    rule = rules[0]
    return ShownSeries(rule.timeframe, rule.window, rule.lookback or lookback, rule.threshold)


def _read(lake: Lake, watched: Sequence[ShownSeries]) -> LakeReport | None:
    try:
        looked = [one.key for one in watched]
        return report_on(lake, time.time(), sizes=False, looked=looked)
    except LakeError:
        return None  # not there yet, or being made


@contextmanager
def live_view(
    lake: Lake,
    settings: Settings,
    title: str,
    facts: Sequence[str],
    lines: LogLines,
    foot: Sequence[str] = (),
) -> Iterator[Refresh]:
    """Yields a function to call often with the states of the children.

    On a terminal it redraws about twice a second in a screen of its own, which is gone afterwards;
    elsewhere it adds a line of summary to `lines` every half minute.
    """
    screen = LiveScreen(title, facts, watched_series(settings), foot=foot)
    if not sys.stdout.isatty():
        yield _Summaries(lake, screen.watched, lines)
        return
    # Names of rules and what services say are written as they are.
    console = Console(highlight=False, markup=False, emoji=False)
    with Live(console=console, screen=True, auto_refresh=False, redirect_stderr=False) as live:
        yield _Redraw(lake, screen, lines, live)


class _Redraw:
    def __init__(self, lake: Lake, screen: LiveScreen, lines: LogLines, live: Live) -> None:
        self._lake, self._screen, self._lines, self._live = lake, screen, lines, live
        self._started = self._next = time.monotonic()
        self._rate = Rate()

    def __call__(self, children: Mapping[str, str]) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        report = _read(self._lake, self._screen.watched)
        size = self._live.console.size
        screen = replace(
            self._screen,
            elapsed=now - self._started,
            report=report,
            rate=None if report is None else self._rate.update(now, report.ticks),
            children=children,
            log=self._lines.last(size.height),
        )
        self._live.update(Group(*draw(screen, size.width, size.height)), refresh=True)
        # Of very many pairs a look takes long: the children are minded in between all the same.
        drawn = time.monotonic()
        self._next = max(now + _REDRAW_SECONDS, drawn + _REST * (drawn - now))


class _Summaries:
    def __init__(self, lake: Lake, watched: Sequence[ShownSeries], lines: LogLines) -> None:
        self._lake, self._watched, self._lines = lake, watched, lines
        self._next = time.monotonic() + _SUMMARY_SECONDS
        self._rate = Rate(_SUMMARY_SECONDS)

    def __call__(self, children: Mapping[str, str]) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _SUMMARY_SECONDS
        report = _read(self._lake, self._watched)
        if report is not None:
            rate = self._rate.update(now, report.ticks)
            self._lines.add(summarise(report, self._watched, rate, children))
