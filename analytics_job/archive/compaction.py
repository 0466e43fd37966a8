"""Puts the hours of finished days of bars and analytics together, in files of a day.

As rolling does: written beside, synced, read back, renamed, and only then do the files of the hours
go. Every reader takes hours and days as one (`spreadlake.lake.analytics.archive.read_day`).
"""

import sqlite3
from collections.abc import Callable, Iterator
from urllib.parse import unquote

import polars as pl

from spreadlake.lake import Lake
from spreadlake.lake.analytics.archive import (
    Piece,
    is_on_logs,
    not_in_file,
    piece_seconds,
    read_day,
)
from spreadlake.lake.parts import write_parts
from spreadlake.series import TABLES, Table
from spreadlake.times import parse_time

_DAY = 86_400


class Compaction:
    """Knows, by table and timeframe, up to which day there are no hours left (in `progress`)."""

    def __init__(self, db: sqlite3.Connection, lake: Lake) -> None:
        self._db = db
        self._lake = lake

    def came(self, piece: Piece) -> None:
        """An hour's file came; inside the caller's transaction."""
        self._db.execute(
            "UPDATE progress SET value = min(value, ?) WHERE key = ?",
            (piece.whole_day.start, _key(piece.table, piece.timeframe)),
        )

    def days(self, cutoff: Callable[[str], int]) -> Iterator[Iterator[None]]:
        """The days to compact, each in parts; `cutoff` says up to when a timeframe is archived.

        A day of one symbol or pair whose compaction raises stays in hours until the next look.
        """
        for table in TABLES.values():
            for folder in sorted((self._lake.root / table.name).glob("timeframe=*")):
                timeframe = folder.name.removeprefix("timeframe=")
                if piece_seconds(timeframe) < _DAY:
                    yield from self._of(table, timeframe, cutoff(timeframe) // _DAY * _DAY)

    def _of(self, table: Table, timeframe: str, end: int) -> Iterator[Iterator[None]]:
        names, clean = self._names(table, timeframe), True
        start = self._begin(table, timeframe, end)
        for midnight in range(start, end, _DAY):
            left = [
                day
                for day in (Piece(table, timeframe, n, midnight, midnight + _DAY) for n in names)
                if day.hours(self._lake)
            ]
            for day in left:
                yield self._compact(day)
            clean = clean and not any(day.hours(self._lake) for day in left)
            if clean:
                self._db.execute(
                    "INSERT OR REPLACE INTO progress VALUES (?, ?)",
                    (_key(table, timeframe), midnight + _DAY),
                )
            yield iter((None,))  # a year without an hour is not to hold up a step

    def _names(self, table: Table, timeframe: str) -> list[str]:
        folder = self._lake.root / table.name / f"timeframe={timeframe}"
        prefix = f"{table.key[0]}="
        return sorted(unquote(one.name.removeprefix(prefix)) for one in folder.glob(f"{prefix}*"))

    def _begin(self, table: Table, timeframe: str, end: int) -> int:
        """Midnight of the first day that may have hours; `end` where there is none before it."""
        row = self._db.execute(
            "SELECT value FROM progress WHERE key = ?", (_key(table, timeframe),)
        ).fetchone()
        if row is not None:
            return int(row[0])
        folder = self._lake.root / table.name / f"timeframe={timeframe}"
        dates = {day.name.removeprefix("date=") for day in folder.glob("*/date=*")}
        first = min(dates, default=None)
        return end if first is None else int(parse_time(first))

    def _compact(self, day: Piece) -> Iterator[None]:
        hours = day.hours(self._lake)
        yield from write_parts(self._parts(day), day.path(self._lake))
        for hour in hours:
            hour.path(self._lake).unlink(missing_ok=True)

    def _parts(self, day: Piece) -> Iterator[pl.DataFrame]:
        key = (*day.table.key, "time")
        pieces = (day, *day.hours(self._lake))
        on_logs = any(is_on_logs(piece, self._lake) for piece in pieces)
        for start in range(day.start, day.end, 3600):
            frames = read_day(self._db, self._lake, day, start, start + 3600)
            if frames:
                rows = pl.concat(frames).unique(key, keep="first").sort(key)
                yield rows.drop(not_in_file(day, on_logs=on_logs))


def _key(table: Table, timeframe: str) -> str:
    return f"compacted:{table.name}:{timeframe}"
