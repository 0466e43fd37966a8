"""Screens at many times, each a task of its own: as it was known then, whatever came before it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

from spreadlake.lake import Lake
from spreadlake.quant.screen import ranked
from spreadlake.research.screen import NoScreenError, Screen, ScreenRequest, take_screen
from spreadlake.tasks import Progress, Tasks

Kept = TypeVar("Kept")


class Time(NamedTuple):
    """When a screen is taken (Unix seconds; None: now), and when the one before it was."""

    at: float | None
    since: float | None = None


def times_of(times: Sequence[float | None]) -> list[Time]:
    """Times in order, each with the one before it."""
    return [Time(at, since) for at, since in zip(times, [None, *times], strict=False)]


@dataclass(frozen=True)
class ScreenTaker(Generic[Kept]):
    """Takes the screen of a time and `keeps` of it what is asked for.

    So the rows of every pair stay where they were computed. `advance` is told of the pairs of each
    screen.
    """

    lake: Lake
    request: ScreenRequest
    keeps: Callable[[Screen], Kept]
    threads: int = 1
    advance: Progress | None = None

    def __call__(self, time: Time) -> Kept | NoScreenError:
        """NoScreenError as a value: the screens of other times go on."""
        try:
            found = take_screen(
                self.lake, self.request, time.at, self.advance, None, self.threads, time.since
            )
        except NoScreenError as error:
            return error.with_traceback(None)
        return self.keeps(found)


class KeptScreen(NamedTuple):
    """A screen with the rows that are wanted of it.

    `pairs` were tested, and `found` of them counted as cointegrated.
    """

    screen: Screen
    pairs: int
    found: int


@dataclass(frozen=True)
class Keeper:
    """Keeps the first `top` rows by `order` with q-values up to `max_qvalue` (None: all).

    Pairs with q-values up to `cointegrated` are counted.
    """

    order: str
    max_qvalue: float | None
    top: int | None
    cointegrated: float

    def __call__(self, one: Screen) -> KeptScreen:
        """What is wanted of a screen."""
        rows = ranked(one.rows, self.order, self.max_qvalue, self.top)
        found = int((one.rows["qvalue"] <= self.cointegrated).sum())
        return KeptScreen(replace(one, rows=rows), one.rows.height, found)


def iter_screens(
    tasks: Tasks, taker: ScreenTaker[Kept], times: Sequence[float | None], advance: Progress | None
) -> Iterator[Kept | NoScreenError]:
    """What is kept of the screen of each time, in order.

    A time at which no bar is newer than what was known at the one before has a NoNewerBarError.
    """
    return tasks.map(taker, times_of(times), advance)
