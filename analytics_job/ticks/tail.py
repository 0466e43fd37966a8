"""What is new in `ticks.db` since a sequence number, whether it is still hot or already rolled."""

import logging
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass

import polars as pl

from spreadlake.lake import HOUR_MS, TRADES_SCHEMA, Lake, open_reader, read_trades
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.databases.meta import has_table
from spreadlake.lake.databases.presence import Presence
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.ticks.hot import rows_after, rows_until
from spreadlake.lake.ticks.kline_files import klines_between
from spreadlake.lake.ticks.klines import (
    KlineChange,
    kline_changes,
    newest_kline_change,
)
from spreadlake.lake.ticks.removal import removed_days, removed_until
from spreadlake.lake.ticks.rolls import newest_seq, rolls_after, rolls_until
from spreadlake.lake.ticks.source_end import NO_END, SourceEnd, read_end
from spreadlake.lake.ticks.universe import UniverseChange, universe_changes

log = logging.getLogger(__name__)

TAIL_SCHEMA = pl.Schema([("seq", pl.Int64()), *TRADES_SCHEMA.items()])
_LIMIT = 200_000  # trades in one read, to bound memory while catching up


@dataclass(frozen=True)
class NewTrades:
    """Trades to take in, and hours (symbol, ms) to read: all of seq <= `seq` is in them.

    `more` says that there is more to read. `changes` are of who is captured, all of those before
    the last of these trades.
    """

    trades: pl.DataFrame
    seq: int
    more: bool
    hours: tuple[tuple[str, int], ...] = ()
    changes: Sequence[UniverseChange] = ()


class TickTail:
    """Reads trades in the order of `seq`."""

    def __init__(self, lake: Lake, limit: int = _LIMIT) -> None:
        self._lake = lake
        self._limit = limit
        self._db: sqlite3.Connection | None = None
        self._presence = Presence(lake.ticks_db)

    def read(self, after: int, changes_after: int = 0) -> NewTrades:
        """The next trades with seq > `after`; none if the collector has not made its file yet.

        With them all changes of who is captured since the one of seq `changes_after`.
        """
        with explaining(self._lake.ticks_db):
            return self._read(after, changes_after)

    def _read(self, after: int, changes_after: int) -> NewTrades:
        db = self._connection()
        if db is None:
            return NewTrades(TAIL_SCHEMA.to_frame(), after, more=False)
        if after > newest_seq(db):
            log.warning(
                "%s begins anew, with sequence numbers that were given before: all of its trades "
                "are taken in again",
                self._lake.ticks_db,
            )
            after = 0
        db.execute("BEGIN")  # one snapshot for what is hot and what is rolled
        try:
            hot = self._read_hot(db, after)
            more = hot.height == self._limit
            last = int(hot["seq"][-1]) if hot.height else after
            rolls = rolls_after(db, after, last if more else 2**62)
            hot = _without_removed(db, hot)
            changes = universe_changes(db, changes_after)
        finally:
            db.execute("ROLLBACK")
        seq = max([last, *(roll.max_seq for roll in rolls)])
        hours = tuple((roll.symbol, roll.hour_ms) for roll in rolls)
        return NewTrades(hot, seq, more, hours, changes)

    def source_end(self) -> SourceEnd:
        """Where an import has ended after which no other trade came; NO_END otherwise."""
        db = self._connection()
        return NO_END if db is None else read_end(db)

    def kline_changes(self, after: int) -> list[KlineChange]:
        """What was stored of klines since the change `after`."""
        db = self._connection()
        if db is None:
            return []
        newest = newest_kline_change(db)
        if after == newest:
            return []
        return kline_changes(db, after if after < newest else 0)  # the file may have begun anew

    def klines(self, symbol: str, first: int, last: int) -> pl.DataFrame:
        """The 1m klines of a symbol that open from `first` to `last` (KLINES_SCHEMA)."""
        db = self._connection()
        if db is None:
            raise LookupError("klines are read only where kline_changes says there are some")
        with explaining(self._lake.ticks_db):
            return klines_between(db, self._lake, symbol, first, last)

    def close(self) -> None:
        """Closes the connection."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _connection(self) -> sqlite3.Connection | None:
        if self._db is not None and self._presence.lost:
            log.warning("%s is another file than before: it is opened again", self._lake.ticks_db)
            self.close()
        if self._db is None and self._lake.ticks_db.exists():
            db = open_reader(self._lake.ticks_db)
            if not has_table(db, "rolls"):
                db.close()  # the collector is just making it
                return None
            self._db, self._presence = db, Presence(self._lake.ticks_db)
        return self._db

    def _read_hot(self, db: sqlite3.Connection, after: int) -> pl.DataFrame:
        rows = rows_after(db, after, self._limit)
        return pl.DataFrame(rows, schema=TAIL_SCHEMA, orient="row")


def _without_removed(db: sqlite3.Connection, trades: pl.DataFrame) -> pl.DataFrame:
    """Less those of days whose other trades were removed: bars of the rest would be wrong."""
    until_ms = removed_until(db)
    if trades.is_empty() or int(trades["time_ms"].min()) >= until_ms:  # type: ignore[arg-type]
        return trades
    days = removed_days(db, None, int(trades["time_ms"].min()), until_ms)  # type: ignore[arg-type]
    gone = pl.DataFrame(
        [(day.symbol, day.day_ms) for day in days],
        schema={"symbol": pl.String, "day_ms": pl.Int64},
        orient="row",
    )
    dated = trades.with_columns(day_ms=pl.col("time_ms") // DAY_MS * DAY_MS)
    kept = dated.join(gone, on=["symbol", "day_ms"], how="anti", maintain_order="left")
    if kept.height < trades.height:
        log.warning(
            "%d trades came late, of days whose trades were removed to make room: the bars of "
            "these stay as they are",
            trades.height - kept.height,
        )
    return kept.drop("day_ms")


def waiting_trades(
    lake: Lake,
    start_ms: int,
    end_ms: int | None,
    seq: int,
    without: Collection[tuple[str, int]],
) -> pl.DataFrame:
    """Trades of [start_ms, end_ms) of those read up to `seq`, hot or rolled (TAIL_SCHEMA).

    `without` are hours (symbol, ms) that are not read yet; a symbol '' stands for all.
    """
    if not lake.ticks_db.exists():
        return TAIL_SCHEMA.to_frame()
    end = 2**62 if end_ms is None else end_ms
    with closing(open_reader(lake.ticks_db)) as db:
        rows = rows_until(db, start_ms, end, seq)
        rolls = rolls_until(db, start_ms, end, seq)
        parts = [pl.DataFrame(rows, schema=TAIL_SCHEMA, orient="row")]
        for symbol, hour, *_ in rolls:
            if ("", hour) not in without and (symbol, hour) not in without:
                begin = max(start_ms, hour)
                cold = read_trades(lake, begin, hour + HOUR_MS, [symbol], db)
                parts.append(cold.with_columns(seq=pl.lit(0, pl.Int64)).select(TAIL_SCHEMA.names()))
    due = {hour for symbol, hour in without if not symbol}
    trades = pl.concat(parts).unique(["symbol", "trade_id"], keep="first", maintain_order=True)
    return trades.filter(~(pl.col("time_ms") // HOUR_MS * HOUR_MS).is_in(list(due)))
