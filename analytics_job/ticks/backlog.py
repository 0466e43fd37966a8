"""Keeps `hours_due`: hours of trades that are in the lake and not in any bar yet."""

import logging
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import polars as pl

from analytics_job.ticks.tail import TAIL_SCHEMA
from spreadlake.errors import RemovedError
from spreadlake.lake import HOUR_MS, Lake, read_trades
from spreadlake.lake.analytics.archive import Piece
from spreadlake.lake.files import cold_part, is_remote
from spreadlake.series import BARS

log = logging.getLogger(__name__)


class DueHour(NamedTuple):
    """The trades of a symbol ('' for all) with from_ms <= time_ms < hour_ms + an hour."""

    hour_ms: int
    symbol: str
    from_ms: int


class HoursDue:
    """A queue in order of time; writes in the caller's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def add(self, hours: Iterable[DueHour]) -> None:
        """Puts hours in the queue."""
        self._db.executemany(
            "INSERT INTO hours_due VALUES (?, ?, ?) "
            "ON CONFLICT DO UPDATE SET from_ms = min(from_ms, excluded.from_ms)",
            list(hours),
        )

    def all(self) -> set[tuple[str, int]]:
        """(symbol, hour in ms) of all that are due."""
        return set(self._db.execute("SELECT symbol, hour_ms FROM hours_due").fetchall())

    def first(self) -> int | None:
        """The earliest hour (ms) that is due."""
        first = self._db.execute("SELECT MIN(hour_ms) FROM hours_due").fetchone()[0]
        return None if first is None else int(first)

    def last(self) -> int | None:
        """The latest hour (ms) that is due."""
        last = self._db.execute("SELECT MAX(hour_ms) FROM hours_due").fetchone()[0]
        return None if last is None else int(last)

    def count(self) -> int:
        """How many hours are due, of however many symbols."""
        return int(self._db.execute("SELECT COUNT(DISTINCT hour_ms) FROM hours_due").fetchone()[0])

    def by_hour(self) -> Iterator[list[DueHour]]:
        """What is due, an hour at a time, in order."""
        hour = self.first()
        while hour is not None:
            rows = self._db.execute(
                "SELECT hour_ms, symbol, from_ms FROM hours_due WHERE hour_ms = ?", (hour,)
            ).fetchall()
            yield [DueHour(*row) for row in rows]
            hour = self._db.execute(
                "SELECT MIN(hour_ms) FROM hours_due WHERE hour_ms > ?", (hour,)
            ).fetchone()[0]

    def done(self, hours: Iterable[DueHour]) -> None:
        """Takes hours out of the queue."""
        self._db.executemany(
            "DELETE FROM hours_due WHERE hour_ms = ? AND symbol = ?",
            [(hour.hour_ms, hour.symbol) for hour in hours],
        )


def without_remote(
    lake: Lake, trades: pl.DataFrame, final_ms: int
) -> tuple[pl.DataFrame, list[DueHour]]:
    """Trades without those before `final_ms` of days in object storage alone, and their hours.

    Bars are built again from all trades of their time, which may have to be waited for.
    """
    late = pl.col("time_ms") < final_ms
    hour = pl.col("time_ms") // HOUR_MS * HOUR_MS
    hours = trades.filter(late).select("symbol", hour_ms=hour).unique()
    if not hours.height or cold_part(lake) is None:
        return trades, []
    far = [row for row in sorted(hours.rows()) if _in_bucket(lake, *row)]
    if not far:
        return trades, []
    named = pl.DataFrame(far, hours.schema, orient="row").with_columns(far=True)
    marked = trades.with_columns(hour_ms=hour).join(
        named, on=("symbol", "hour_ms"), how="left", maintain_order="left"
    )
    near = marked.filter(~late | pl.col("far").is_null()).select(trades.columns)
    return near, [DueHour(hour_ms, symbol, hour_ms) for symbol, hour_ms in far]


def _in_bucket(lake: Lake, symbol: str, hour: int) -> bool:
    """Whether trades of an hour are, or bars from a second before it on, which are carried."""
    bars = (Piece.at(BARS, "1s", symbol, time // 1000).whole_day for time in (hour - 1000, hour))
    paths = (lake.tick_day(symbol, hour), *(piece.path(lake) for piece in bars))
    return any(is_remote(lake, path) for path in paths)


def read_hours(lake: Lake, due: list[DueHour]) -> pl.DataFrame:
    """The trades of some symbols' same hour (TAIL_SCHEMA)."""
    hour, begin = due[0].hour_ms, min(one.from_ms for one in due)
    symbols = None if any(not one.symbol for one in due) else [one.symbol for one in due]
    try:
        trades = read_trades(lake, begin, hour + HOUR_MS, symbols)
    except RemovedError as error:
        log.warning("%s; what is computed of that time stays as it is", error)
        return TAIL_SCHEMA.to_frame()
    return trades.with_columns(seq=pl.lit(0, pl.Int64)).select(TAIL_SCHEMA.names())
