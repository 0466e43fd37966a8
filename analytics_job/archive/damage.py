"""A damaged file of archived analytics costs itself: it is set aside, told, and computed again."""

import json
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress

import polars as pl

from analytics_job.pipeline import Pipeline
from spreadlake.errors import DamagedFileError, RemovedError
from spreadlake.lake import Lake, add_counters, atomic, iter_trades
from spreadlake.lake.analytics.archive import piece_of
from spreadlake.pairs import parse_pair
from spreadlake.series import BARS

log = logging.getLogger(__name__)

_KEY = "set_aside"

DueRows = tuple[str, int, int]  # symbol, and the seconds [start, end) that the file held


def quarantine(db: sqlite3.Connection, lake: Lake, error: DamagedFileError) -> bool:
    """Moves the damaged file out of the way; `compute_again` is then due for what it held.

    The file stays beside its place, with `.damaged` after its name, until a person has looked at
    it. False, and nothing is done, where the file is none of ours (trades), or may be read again
    by itself (rights, too many open files).
    """
    if error.path is None or not error.for_good:
        return False
    piece = piece_of(lake, error.path)
    if piece is None:
        return False
    aside = error.path.with_name(f"{error.path.name}.damaged")
    symbol = piece.name if piece.table is BARS else parse_pair(piece.name).a
    with atomic(db):
        _write(
            db, _read(db) | {str(aside.relative_to(lake.root)): (symbol, piece.start, piece.end)}
        )
        add_counters(db, {("set_aside", ""): 1})
    # After the note: a crash in between meets the file once more.
    error.path.replace(aside)
    log.error(
        "%s; it is set aside as %s, and what it held is computed again from the trades",
        error.reason,
        aside.name,
    )
    return True


def past_damaged_files(db: sqlite3.Connection, lake: Lake, work: Callable[[], None]) -> None:
    """Does `work`, anew after each damaged file that it meets and that can be set aside."""
    while True:
        try:
            work()
        except DamagedFileError as error:
            if not quarantine(db, lake, error):
                raise
        else:
            return


def compute_again(db: sqlite3.Connection, lake: Lake, pipeline: Pipeline) -> None:
    """What files that were set aside held, as if all trades of their time came late."""
    for name, due in _read(db).items():
        if due is None:
            continue
        symbol, start, end = due
        begin = pl.DataFrame({"symbol": [symbol], "time_ms": [start * 1000]})
        found = False
        with suppress(RemovedError):
            for trades in iter_trades(lake, start * 1000, end * 1000, [symbol]):
                late = trades.select("symbol", "time_ms")
                # From the first second on, which carries what came before the piece.
                pipeline.repair(late if found else pl.concat([begin, late]))
                found = True
        if not found:
            log.error("the lake has no trades of the time of %s: what it held is missing", name)
        with atomic(db):
            _write(db, _read(db) | {name: None})


def archive_trouble(db: sqlite3.Connection, lake: Lake, not_rolled: str) -> str:
    """What is wrong with the archive, for as long as it is; empty where nothing is."""
    parts = [f"not rolled to Parquet: {not_rolled}"] if not_rolled else []
    if aside := quarantined(db, lake):
        more = f" and {len(aside) - 1} more" if len(aside) > 1 else ""
        parts.append(f"damaged and set aside: {aside[0]}{more}; look at it and move it away")
    return "; ".join(parts)


def quarantined(db: sqlite3.Connection, lake: Lake) -> list[str]:
    """Files that were set aside and that nobody has moved away yet, below the lake's folder."""
    held = _read(db)
    there = [name for name in held if (lake.root / name).exists()]
    if len(there) < len(held) and not any(held[name] for name in held if name not in there):
        with atomic(db):
            _write(db, {name: held[name] for name in there})
    return there


def _read(db: sqlite3.Connection) -> dict[str, DueRows | None]:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
    held: dict[str, list[object] | None] = {} if row is None else json.loads(row[0])
    return {name: None if due is None else _due(due) for name, due in held.items()}


def _due(due: list[object]) -> DueRows:
    symbol, start, end = due
    return str(symbol), int(str(start)), int(str(end))


def _write(db: sqlite3.Connection, held: dict[str, DueRows | None]) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY, json.dumps(held)))
