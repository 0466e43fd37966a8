"""What `spreadlake analyse` with an end shows: how far it is, and at the end what it did."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from launcher.commands.work_shown import Tell, work_shown
from spreadlake.lake import Lake
from spreadlake.lake.rows import first_rows
from spreadlake.series import PAIR_ANALYTICS, SeriesKey
from spreadlake.status import read_progress, snapshot
from spreadlake.times import iso_utc
from spreadlake.words import count, duration

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
    """What the lake has from `start` on; None without trades."""
    with snapshot(lake.analytics_db) as db:
        if db is None:
            return None
        final = read_progress(db).get("final_time")
        symbols, first = db.execute(
            "SELECT count(*), min(time) FROM first_bars WHERE timeframe = '1s'"
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
