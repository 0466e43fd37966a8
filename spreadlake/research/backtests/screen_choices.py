"""The screens of a back-test, each as it was known at its time, and what they choose."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl

from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.pairs import Pair
from spreadlake.quant.backtest.choices import Choice, chosen_pairs
from spreadlake.quant.backtest.frames import times_of
from spreadlake.research.backtests.screen_request import ScreenBacktestRequest
from spreadlake.research.bar_source import BarSource
from spreadlake.research.screen import NoNewerBarError, NoScreenError, Screen
from spreadlake.research.screens import ScreenTaker, iter_screens
from spreadlake.tasks import InProcess, Progress, Tasks
from spreadlake.times import iso_utc
from spreadlake.words import count


@dataclass(frozen=True)
class TakenScreens:
    """What each chose, in order, and of those that could be taken what they were of.

    frame: `time` (when it was taken), `symbols` and `pairs` that were tested, `chosen` of them.
    """

    choices: list[Choice]
    frame: pl.DataFrame


def _earliest(source: BarSource, request: ScreenBacktestRequest) -> int:
    """When a screen has its bars (s): before that there is nothing to screen, or to choose."""
    return (min(source.first.values()) + _bars(request)) * source.length


def _bars(request: ScreenBacktestRequest) -> int:
    return max(request.lookback, request.window)


def _why_none(source: BarSource, request: ScreenBacktestRequest) -> str:
    """Why no time of the run is one of a screen."""
    earliest = _earliest(source, request)
    if earliest <= source.end * source.length:
        return f"the first has its bars at {iso_utc(earliest)}"
    there = source.end - min(source.first.values())
    return f"it takes {count(_bars(request), 'bar')}, and the lake has {there:,}"


def _times(source: BarSource, request: ScreenBacktestRequest, end: int) -> Iterator[float]:
    """When the screens are taken: from `start` on, or at whole multiples of `every`."""
    anchor = 0.0 if request.start is None else request.start
    begin = max(anchor, _earliest(source, request))
    step = math.ceil((begin - anchor) / request.every)
    while (time := anchor + step * request.every) < end * source.length:
        yield time
        step += 1


class _Chosen(NamedTuple):
    """What a back-test keeps of a screen."""

    symbols: int
    tested: int
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class _Chooser:
    max_qvalue: float
    top: int

    def __call__(self, screen: Screen) -> _Chosen:
        pairs = chosen_pairs(screen.rows, self.max_qvalue, self.top)
        return _Chosen(len(screen.symbols), screen.rows.height, pairs)


def take_screens(
    lake: Lake,
    request: ScreenBacktestRequest,
    source: BarSource,
    span: tuple[int, int],
    advance: Progress | None,
    threads: int,
    tasks: Tasks,
) -> TakenScreens:
    """Those of the bars `span` (absolute numbers) of the run; `advance` is told of each.

    InputError where there was nothing to screen at any time.
    """
    choices: list[Choice] = []
    rows = []
    times = list(_times(source, request, span[1]))
    why: NoScreenError | None = None
    chooser = _Chooser(request.max_qvalue, request.top)
    threads = threads if isinstance(tasks, InProcess) else 1
    taker = ScreenTaker(lake, request.screen, chooser, threads)
    found = iter_screens(tasks, taker, times, advance if times else None)
    for time, one in zip(times, found, strict=True):
        low = max(span[0], math.ceil(time / source.length) - 1)
        if isinstance(one, NoNewerBarError):
            continue
        if isinstance(one, NoScreenError):
            why = one
            choices.append(Choice(low, ()))
            continue
        choices.append(Choice(low, one.pairs))
        rows.append((int(time), one.symbols, one.tested, len(one.pairs)))
    if not rows:
        told = why or _why_none(source, request)
        raise InputError(f"there was nothing to screen at any time: {told}")
    return TakenScreens(choices, _screens_frame(rows))


def _screens_frame(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    names = ("symbols", "pairs", "chosen")
    numbers = {name: table[:, 1 + at] for at, name in enumerate(names)}
    return pl.DataFrame({"time": times_of(table[:, 0]), **numbers})
