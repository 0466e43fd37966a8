"""Takes the screens that a command asks for, says what they are of, and writes them."""

import io
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

import typer

from launcher.commands.output import (
    WIDTH_WITHOUT_TERMINAL,
    lines_to_file,
    lines_to_stdout,
    new_console,
    plain_console,
)
from spreadlake.errors import InputError
from spreadlake.lake import Lake
from spreadlake.tasks import InProcess
from spreadlake.times import iso_utc
from spreadlake.words import count

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

    from spreadlake.research import ScreenRequest
    from spreadlake.research.screens import KeptScreen
    from spreadlake.tasks import Tasks

# What computes is imported where it is used: polars and numpy are slow to import.

THREADS = min(os.cpu_count() or 1, 4)
"""Threads that test pairs: what they share holds back more of them."""

_COINTEGRATED = 0.05
_NAMED = 5  # symbols named of those left out for one reason


class Choice(NamedTuple):
    """Which rows of each screen are wanted, in which order, and as what."""

    order: str
    max_qvalue: float | None
    top: int | None
    form: str


def iter_screens(
    lake: Lake,
    request: "ScreenRequest",
    times: list[float | None],
    choice: Choice,
    tasks: "Tasks",
) -> Iterator["KeptScreen"]:
    """The screen of each time; of several, those with nothing to screen are told and passed over.

    InputError where there is nothing to screen at all.
    """
    from spreadlake.research import NoScreenError, screens  # noqa: PLC0415

    shown: list[Progress] = []

    def advance(done: int, total: int) -> None:
        if shown:
            shown[-1].advance(done, total)

    alone = isinstance(tasks, InProcess)  # then a bar of the pairs of each screen, not of screens
    keeper = screens.Keeper(choice.order, choice.max_qvalue, choice.top, _COINTEGRATED)
    taker = screens.ScreenTaker(
        lake, request, keeper, THREADS if alone else 1, advance if alone else None
    )
    taken = screens.iter_screens(tasks, taker, times, None if alone else advance)
    any_taken = False
    for at in times:
        what = "testing pairs" if at is None else f"testing pairs at {iso_utc(at)}"
        with Progress(what) as progress:
            shown[:] = [progress]
            one = next(taken)
        if not isinstance(one, NoScreenError):
            any_taken = True
            yield one
        elif len(times) == 1:
            raise one
        else:
            typer.echo(str(one), err=True)
    if not any_taken:
        raise InputError("there was nothing to screen at any time of the range")


def write_rows(screens: Iterator["KeptScreen"], choice: Choice, path: Path | None) -> None:
    """CSV or JSON of all screens, to a file or (None) to stdout; what they are of on stderr."""
    from launcher.commands.screen_tables import csv_of_screens, json_of_rows  # noqa: PLC0415
    from spreadlake.quant.screen import SCREEN_SCHEMA  # noqa: PLC0415

    written = taken = 0
    first = next(screens)  # where nothing can be screened, no file is replaced

    def kept_of_each() -> Iterator["pl.DataFrame"]:
        nonlocal written, taken
        for one in chain([first], screens):
            kept = one.screen.rows
            _tell(one)
            written, taken = written + kept.height, taken + 1
            yield kept

    columns = SCREEN_SCHEMA.names()
    if choice.form == "csv":
        lines = csv_of_screens(columns, kept_of_each())
    else:
        rows = (row for kept in kept_of_each() for row in kept.iter_rows(named=True))
        lines = json_of_rows(columns, rows)
    if path is None:
        lines_to_stdout(lines)
        return
    lines_to_file(lines, path)
    typer.echo(f"wrote {count(written, 'row')} of {count(taken, 'screen')} to {path}", err=True)


def write_tables(screens: Iterator["KeptScreen"], choice: Choice, path: Path | None) -> None:
    """A table for each screen, to a file or (None) to the terminal, as wide as it is."""
    if path is None:
        for one in screens:
            _tell(one)
            _print(one, choice, _console())
        return
    lines_to_file(_table_texts(chain([next(screens)], screens), choice), path)
    typer.echo(f"wrote {path}", err=True)


def _table_texts(screens: Iterator["KeptScreen"], choice: Choice) -> Iterator[str]:
    for one in screens:
        text = io.StringIO()
        _print(one, choice, plain_console(text, WIDTH_WITHOUT_TERMINAL))
        yield f"{_summary(one)}\n{text.getvalue()}"


def _console() -> "Console":
    return plain_console() if "COLUMNS" in os.environ else new_console()


def _print(one: "KeptScreen", choice: Choice, console: "Console") -> None:
    from launcher.commands.screen_tables import screen_table  # noqa: PLC0415

    kept = one.screen.rows
    if kept.height:
        console.print(screen_table(kept.to_dicts(), console.width, _COINTEGRATED))
    more = one.pairs - kept.height
    if more and choice.max_qvalue is not None:
        console.print(f"{count(more, 'pair')} more, or with q-values above {choice.max_qvalue:g}")
    elif more:
        console.print(f"{count(more, 'pair')} more: --top N shows N, -o FILE writes all")


def _tell(one: "KeptScreen") -> None:
    """What was screened, and who was left out, on stderr."""
    typer.echo(_summary(one), err=True)
    reasons: dict[str, list[str]] = {}
    for symbol, why in one.screen.left_out.items():
        reasons.setdefault(why, []).append(symbol)
    for why, symbols in reasons.items():
        more = len(symbols) - _NAMED
        named = ", ".join(symbols[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
        typer.echo(f"left out: {named}: {why}", err=True)


def _summary(kept: "KeptScreen") -> str:
    one = kept.screen
    old = one.at is not None and one.at - one.close_time >= one.length
    then = f" (no bar from then to {iso_utc(one.at)})" if one.at is not None and old else ""
    return (
        f"{iso_utc(one.close_time)}{then}: {count(kept.pairs, 'pair')} of "
        f"{len(one.symbols):,} symbols, {kept.found:,} with q ≤ {_COINTEGRATED:g}"
    )


class Progress:
    """A bar on a terminal's stderr while `what` is done; nothing where there is no terminal."""

    def __init__(self, what: str) -> None:
        from rich import progress  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415 slow to import

        console = Console(stderr=True)
        self._bar = progress.Progress(
            console=console, transient=True, disable=not console.is_terminal
        )
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def advance(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._bar.update(self._task, completed=done, total=total)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
