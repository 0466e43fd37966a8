"""What is new in `ticks.db` since a sequence number, whether it is still hot or already rolled."""

import logging
import sqlite3
from dataclasses import dataclass

import polars as pl

from spreadlake.lake import (
    HOUR_MS,
    TRADES_SCHEMA,
    Lake,
    open_reader,
    read_trades,
)
from spreadlake.lake.ends import NO_END, SourceEnd, read_end
from spreadlake.lake.presence import Presence
from spreadlake.lake.trouble import explaining

__all__ = ["FEED_SCHEMA", "NewTrades", "TickFeed"]

log = logging.getLogger(__name__)

FEED_SCHEMA = pl.Schema([("seq", pl.Int64()), *TRADES_SCHEMA.items()])
_LIMIT = 200_000  # trades in one read, to bound memory while catching up


@dataclass(frozen=True)
class NewTrades:
    """Trades to take in; all of seq <= `seq` have now been read, and `more` says there are more."""

    trades: pl.DataFrame
    seq: int
    more: bool


class TickFeed:
    """Reads trades in the order of `seq`."""

    def __init__(self, lake: Lake, limit: int = _LIMIT) -> None:
        self._lake = lake
        self._limit = limit
        self._db: sqlite3.Connection | None = None
        self._presence = Presence(lake.ticks_db)

    def read(self, after: int) -> NewTrades:
        """The next trades with seq > `after`; none if the collector has not made its file yet."""
        with explaining(self._lake.ticks_db):
            return self._read(after)

    def _read(self, after: int) -> NewTrades:
        db = self._connection()
        if db is None:
            return NewTrades(FEED_SCHEMA.to_frame(), after, more=False)
        if after > _newest_seq(db):
            log.warning(
                "%s begins anew, with sequence numbers that were given before: all of its trades "
                "are taken in again",
                self._lake.ticks_db,
            )
            after = 0
        db.execute("BEGIN")  # one snapshot for what is hot and what is rolled
        try:
            roll = db.execute(
                "SELECT symbol, hour_ms, max_seq FROM rolls WHERE max_seq > ? "
                "ORDER BY max_seq LIMIT 1",
                (after,),
            ).fetchone()
            hot = self._read_hot(db, after, roll[2] if roll else None)
        finally:
            db.execute("ROLLBACK")
        if hot.height == self._limit:
            return NewTrades(hot, int(hot["seq"][-1]), more=True)
        if roll is None:
            return NewTrades(hot, int(hot["seq"][-1]) if hot.height else after, more=False)
        return self._with_rolled(hot, *roll)

    def source_end(self) -> SourceEnd:
        """Where an import has ended after which no other trade came; NO_END otherwise."""
        db = self._connection()
        return NO_END if db is None else read_end(db)

    def klines_version(self) -> int:
        """Rises whenever the collector has stored klines."""
        db = self._connection()
        if db is None:
            return 0
        row = db.execute("SELECT TOTAL(value) FROM counters WHERE name = 'klines'").fetchone()
        return int(row[0])

    def klines(self) -> pl.DataFrame:
        """All stored klines: the columns of `klines`."""
        db = self._connection()
        if db is None:
            raise LookupError("klines are read only where klines_version says there are some")
        cursor = db.execute("SELECT * FROM klines")
        names = [column[0] for column in cursor.description]
        with explaining(self._lake.ticks_db):
            rows = cursor.fetchall()
        return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)

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
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'rolls'").fetchone() is None:
                db.close()  # the collector is just making it
                return None
            self._db, self._presence = db, Presence(self._lake.ticks_db)
        return self._db

    def _read_hot(self, db: sqlite3.Connection, after: int, until: int | None) -> pl.DataFrame:
        rows = db.execute(
            f"SELECT {', '.join(FEED_SCHEMA.names())} FROM ticks "
            "WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            (after, 2**62 if until is None else until, self._limit),
        ).fetchall()
        return pl.DataFrame(rows, schema=FEED_SCHEMA, orient="row")

    def _with_rolled(self, hot: pl.DataFrame, symbol: str, hour_ms: int, max_seq: int) -> NewTrades:
        hour = read_trades(self._lake, hour_ms, hour_ms + HOUR_MS, [symbol])
        cold = hour.with_columns(seq=pl.lit(max_seq, pl.Int64)).select(FEED_SCHEMA.names())
        trades = pl.concat([hot, cold]).unique(["symbol", "trade_id"], keep="first")
        return NewTrades(trades.sort("seq"), max_seq, more=True)


def _newest_seq(db: sqlite3.Connection) -> int:
    row = db.execute(
        "SELECT max(coalesce((SELECT max(seq) FROM ticks), 0), "
        "coalesce((SELECT max(max_seq) FROM rolls), 0))"
    ).fetchone()
    return int(row[0])
