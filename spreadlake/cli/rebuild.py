"""What `spreadlake analyse` with an end shows: how far it is, and at the end what it did.

The job is asked nothing: it leaves in the lake how far it has come.
"""

import os
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from spreadlake.lake import Lake
from spreadlake.report import read_progress, snapshot
from spreadlake.report.words import count, duration
from spreadlake.times import iso_utc

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = ["rebuilding"]

_SERIES = "SELECT pair, timeframe, window_bars, lookback_bars FROM series"
_ANY_ROW = """
SELECT EXISTS (SELECT 1 FROM pair_analytics WHERE
  pair = ? AND timeframe = ? AND window_bars = ? AND lookback_bars = ?)
"""
_FOR_EVER = 2**40

_LOOK_SECONDS = 0.5
_JOINED_SECONDS = 10.0
_NEAR_SECONDS = 120  # so near to its end the rest of it is done in one transaction


@contextmanager
def rebuilding(lake: Lake, start: float | None, *, once: bool = False) -> Iterator[None]:
    """Within it the job rebuilds `lake` from the Unix second `start` on (None: everything).

    With `once` it takes in what is there and not analysed yet.
    """
    from rich.console import Console  # noqa: PLC0415 slow to import

    console, began = Console(file=sys.stderr), time.monotonic()
    with _ending_at_once(console):
        if console.is_terminal and lake.ticks_db.exists():
            with _bar(console, lake, start, "analysed" if once else "rebuilt"):
                yield
        else:
            yield
    told = _summary(lake, start)
    if told is None:
        typer.echo(f"nothing to {'analyse' if once else 'rebuild'}: lake {lake.root} has no trades")
    else:
        word = "analysed" if once else "rebuilt"
        typer.echo(f"{word} in {duration(time.monotonic() - began)}: {told}")


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


@contextmanager
def _bar(console: "Console", lake: Lake, start: float | None, word: str) -> Iterator[None]:
    from rich.progress import (  # noqa: PLC0415 slow to import
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    done = threading.Event()
    with Progress(*columns, console=console, transient=True) as bar:
        watcher = threading.Thread(target=_watch, args=(bar, lake, start, word, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join(_JOINED_SECONDS)


def _watch(
    bar: "Progress", lake: Lake, start: float | None, word: str, done: threading.Event
) -> None:
    from spreadlake.lake.trades import trades_span  # noqa: PLC0415 slow to import

    span = trades_span(lake)
    if span is None:
        return
    first = max(span.first_ms / 1000, start or 0)
    task = bar.add_task("beginning", total=max(1.0, span.last_ms / 1000 - first))
    while not done.wait(_LOOK_SECONDS):
        final, due = _look(lake)
        if final is None:
            continue
        text = f"{word} up to {iso_utc(final)}"
        if final >= span.last_ms // 1000 - _NEAR_SECONDS:
            text = f"slow statistics, {count(due, 'row')} to go" if due else "moving to Parquet"
        bar.update(task, completed=final - first, description=text)
    # The last seconds wait for trades that may come late; the bar does not.
    bar.update(task, completed=bar.tasks[task].total)


def _look(lake: Lake) -> tuple[int | None, int]:
    """Up to which second bars are final, and how many slow statistics are due."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return None, 0
        due = db.execute("SELECT count(*) FROM tests_due").fetchone()[0]
        return read_progress(db).get("final_time"), due


def _summary(lake: Lake, start: float | None) -> str | None:
    """What the lake has from `start` on; None without trades."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return None
        final = read_progress(db).get("final_time")
        symbols, first = db.execute(
            "SELECT count(*), min(time) FROM first_bars WHERE timeframe = '1s'"
        ).fetchone()
        series = db.execute(_SERIES).fetchall()
        filled = sum(_has_rows(db, lake, *one) for one in series)
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


def _has_rows(
    db: sqlite3.Connection, lake: Lake, pair: str, timeframe: str, window: int, lookback: int
) -> bool:
    """Whether there is any row of a series, in SQLite or in Parquet."""
    from spreadlake.lake.archive import read_archive  # noqa: PLC0415 slow to import

    if db.execute(_ANY_ROW, (pair, timeframe, window, lookback)).fetchone()[0]:
        return True
    pieces = read_archive(db, lake, "pair_analytics", timeframe, pair, 0, _FOR_EVER)
    mine = {"window_bars": window, "lookback_bars": lookback}
    return any(piece.filter(**mine).height for piece in pieces)
