"""What `spreadlake analyse` with an end shows: how far it is, and at the end what it did."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from launcher.commands.work_shown import Tell, work_shown
from spreadlake.lake import Lake
from spreadlake.status import read_progress, snapshot
from spreadlake.times import iso_utc
from spreadlake.words import count, duration

_SERIES = "SELECT pair, timeframe, window_bars, lookback_bars FROM series"
_ANY_ROW = """
SELECT EXISTS (SELECT 1 FROM pair_analytics WHERE
  pair = ? AND timeframe = ? AND window_bars = ? AND lookback_bars = ?)
"""
_FOR_EVER = 2**40


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
