"""What `spreadlake analyse` with an end shows: how far it is, and at the end what it did.

The job tells how far it is; what is shown is what it said, and the time left at its rate: a bar for
each stage, or a line without a terminal.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from spreadlake.lake import Lake
from spreadlake.lake.analytics.rows import first_rows
from spreadlake.series import PAIR_ANALYTICS, SeriesKey
from spreadlake.status import read_progress, snapshot
from spreadlake.times import iso_utc
from spreadlake.words import count, duration, words_of_work
from spreadlake.work import Estimate, Work

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID


Tell = Callable[[Work], None]


@contextmanager
def work_shown() -> Iterator[Tell]:
    """Yields whom to tell how far the work is; Ctrl-C ends the process within it."""
    from rich.console import Console  # noqa: PLC0415 slow to import

    console = Console(file=sys.stderr)
    with _ending_at_once(console):
        if console.is_terminal:
            with _bars(console) as tell:
                yield tell
        else:
            yield _Lines().tell


class _Lines:
    """A line for each stage, once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def tell(self, work: Work) -> None:
        if work.stage not in self._seen:
            self._seen.add(work.stage)
            typer.echo(words_of_work(work), err=True)


class _Bars:
    """A bar for each stage; all of them are full at the end."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._estimate = Estimate()

    def tell(self, work: Work) -> None:
        self._estimate.take(work, time.monotonic())
        if work.stage not in self._tasks:
            self._tasks[work.stage] = self._progress.add_task(work.stage, total=None, rest="")
        share, seconds = self._estimate.share(work.stage), self._estimate.seconds_left(work.stage)
        rest = words_of_work(work).removeprefix(work.stage).removeprefix(": ").lstrip()
        if seconds is not None:
            rest = f"{duration(seconds)} left; {rest}"
        self._progress.update(
            self._tasks[work.stage],
            total=None if share is None else 1.0,
            completed=share or 0.0,
            rest=rest,
        )

    def end(self) -> None:
        for task in self._tasks.values():
            self._progress.update(task, total=1.0, completed=1.0, rest="")


@contextmanager
def _bars(console: "Console") -> Iterator[Tell]:
    from rich.progress import (  # noqa: PLC0415 slow to import
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(20),
        TaskProgressColumn(),
        TextColumn("{task.fields[rest]}"),
    )
    with Progress(*columns, console=console) as progress:
        shown = _Bars(progress)
        yield shown.tell
        shown.end()


@contextmanager
def _ending_at_once(console: "Console") -> Iterator[None]:
    """Ctrl-C ends the process where it stands, as a loss of power would: the lake bears that.

    An exception in the middle of a transaction would have to be carried out of many places.
    """

    def end(*_: object) -> None:
        console.show_cursor()
        typer.echo("\ninterrupted; the job goes on from here when it runs next", err=True)
        os._exit(130)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SERIES = f"SELECT {', '.join(PAIR_ANALYTICS.key)} FROM series"


@contextmanager
def rebuilding(lake: Lake, start: float | None, *, once: bool = False) -> Iterator[Tell]:
    """Within it the job rebuilds `lake` from the Unix second `start` on (None: everything).

    With `once` it takes in what is there and not analysed yet. Yields whom it tells how far it is.
    """
    began = time.monotonic()
    with work_shown() as tell:
        yield tell
    told = _summary(lake, start)
    if told is None:
        typer.echo(f"nothing to {'analyse' if once else 'rebuild'}: lake {lake.root} has no trades")
    else:
        word = "analysed" if once else "rebuilt"
        typer.echo(f"{word} in {duration(time.monotonic() - began)}: {told}")


def _summary(lake: Lake, start: float | None) -> str | None:
    """What the lake has from `start` on; None without bars."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return None
        final = read_progress(db).get("final_time")
        symbols, first = db.execute(
            "SELECT count(DISTINCT symbol), coalesce(min(CASE timeframe WHEN '1s' THEN time END), "
            "min(time)) FROM first_bars"  # of klines alone there are no seconds
        ).fetchone()
        series = [SeriesKey(*row) for row in db.execute(_SERIES)]
        filled = sum(bool(first_rows(db, lake, key, ["time"], 0, 2**40, 1)) for key in series)
    if first is None or final is None:
        return None
    begin, end = (iso_utc(int(t)) for t in (max(first, start or 0), final))
    told = (
        f"bars of {count(symbols, 'symbol')}, {count(filled, 'series', 'series')} of "
        f"pair analytics and their alerts, from {begin} to {end}"
    )
    if empty := len(series) - filled:
        told += f"; {count(empty, 'series', 'series')} of longer windows without a row yet"
    return told
