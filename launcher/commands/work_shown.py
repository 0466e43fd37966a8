"""Long work of the analytics job as it goes on: a bar for each stage, or a line without a terminal.

The job tells how far it is; what is shown here is what it said, and the time left at its rate.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from spreadlake.words import duration, words_of_work
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
