"""Records in `ticks.db` what a file brought, in one transaction.

The analytics job finds the hours by `rolls`; the collector goes on after the last id in `symbols`;
ids that are missing in between are in `gaps`, so that nothing that is missing goes unsaid.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

import polars as pl

from spreadlake.importer.ids import IdRange, RunCollector, missing_in
from spreadlake.importer.partitions import WrittenHour
from spreadlake.lake import HOUR_MS, atomic
from spreadlake.report import newest_seq

__all__ = ["FileRecord", "LeftOut", "delete_rolled", "left_out", "record_file", "waiting_klines"]

_CAUSE = "import"
_MESSAGE = "not in the imported files; import the days that are missing"
_ROWS = 20_000  # deleted in one transaction


@dataclass
class FileRecord:
    """What one file brought of one symbol: hours in place, ids, and its newest trade."""

    symbol: str
    hours: list[WrittenHour] = field(default_factory=list)
    ids: RunCollector = field(default_factory=RunCollector)
    last_id: int = -1
    last_time_ms: int = 0
    last_price: float = 0.0

    def add(self, hour: WrittenHour, trades: pl.DataFrame) -> None:
        """Takes in an hour that is in place, and what the file brought of it."""
        self.hours.append(hour)
        self.ids.add(trades["trade_id"].unique().sort().to_numpy())
        newest = trades.sort("trade_id").row(-1, named=True)
        if newest["trade_id"] > self.last_id:
            self.last_id, self.last_price = newest["trade_id"], newest["price"]
        self.last_time_ms = max(self.last_time_ms, newest["time_ms"])

    @property
    def trades(self) -> int:
        """Trades that the lake did not have."""
        return sum(hour.uncounted for hour in self.hours)


class LeftOut(NamedTuple):
    """Trades of one symbol between the imported ones that no file brought, in so many ranges."""

    symbol: str
    trades: int
    ranges: int


def left_out(db: sqlite3.Connection) -> list[LeftOut]:
    """What imports have left out so far, by symbol."""
    rows = db.execute(
        "SELECT symbol, sum(last_id - first_id + 1), count(*) FROM gaps "
        "WHERE state = 'lost' AND cause = ? GROUP BY symbol ORDER BY symbol",
        (_CAUSE,),
    )
    return [LeftOut(*row) for row in rows]


def waiting_klines(db: sqlite3.Connection) -> list[str]:
    """Symbols that have klines and no trade yet: the job can make no bars of these."""
    rows = db.execute(
        "SELECT DISTINCT symbol FROM klines EXCEPT SELECT symbol FROM symbols ORDER BY 1"
    )
    return [symbol for (symbol,) in rows]


def record_file(db: sqlite3.Connection, record: FileRecord, now_ms: int) -> None:
    """Records everything of one file; does nothing where all of it was recorded before."""
    runs = record.ids.runs()
    if not runs:
        return
    with atomic(db):
        _record_rolls(db, record, now_ms)
        opened = _extend_symbol(db, record, runs)
        _fill_gaps(db, record.symbol, runs, now_ms)
        db.executemany(
            "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, closed_ms, "
            "message) VALUES (?, ?, ?, ?, ?, 'lost', ?, ?)",
            [(record.symbol, *gap, now_ms, _CAUSE, now_ms, _MESSAGE) for gap in opened],
        )


def delete_rolled(db: sqlite3.Connection, record: FileRecord) -> None:
    """Deletes hot rows whose partitions are recorded."""
    for hour in record.hours:
        deleted = _ROWS if hour.hot else 0
        while deleted == _ROWS:
            with atomic(db):
                deleted = db.execute(
                    "DELETE FROM ticks WHERE seq IN (SELECT seq FROM ticks WHERE symbol = ? "
                    "AND time_ms >= ? AND time_ms < ? LIMIT ?)",
                    (record.symbol, hour.hour_ms, hour.hour_ms + HOUR_MS, _ROWS),
                ).rowcount
    if any(hour.hot for hour in record.hours):
        db.execute("PRAGMA incremental_vacuum").fetchall()


def _record_rolls(db: sqlite3.Connection, record: FileRecord, now_ms: int) -> None:
    """Each hour under a seq of its own, so that the job takes in every one of them.

    One hour's is as many further as it has trades: so seqs count what is yet to be analysed.
    Hours before the newest trade of the lake come newest first: the job carries the last price of
    an hour up to the next trade, and so never across all the hours that are still to come.
    """
    recorded = dict(
        db.execute("SELECT hour_ms, rows FROM rolls WHERE symbol = ?", (record.symbol,)).fetchall()
    )
    rows = {hour.hour_ms: hour.rows for hour in record.hours}
    hours = {hour: count for hour, count in rows.items() if recorded.get(hour) != count}
    row = db.execute("SELECT max(last_time_ms) FROM symbols").fetchone()
    ahead = not hours or row[0] is None or min(hours) > row[0]
    ordered = sorted(hours, reverse=not ahead)
    last = accumulate((hours[hour] for hour in ordered), initial=newest_seq(db))
    db.executemany(
        "INSERT INTO rolls VALUES (?, ?, ?, ?, ?) ON CONFLICT(symbol, hour_ms) DO UPDATE SET "
        "rows = excluded.rows, max_seq = excluded.max_seq, rolled_ms = excluded.rolled_ms",
        [
            (record.symbol, hour, hours[hour], seq, now_ms)
            for hour, (_, seq) in zip(ordered, pairwise(last), strict=True)
        ],
    )


def _extend_symbol(
    db: sqlite3.Connection, record: FileRecord, runs: Sequence[IdRange]
) -> list[IdRange]:
    """Brings the row of `symbols` up to date; returns the ids that are now missing in between."""
    first, last = runs[0].first, runs[-1].last
    row = db.execute(
        "SELECT first_id, last_id FROM symbols WHERE symbol = ?", (record.symbol,)
    ).fetchone()
    if row is None:
        opened = missing_in(IdRange(first, last), runs)
    else:
        before, after = IdRange(first, row[0] - 1), IdRange(row[1] + 1, last)
        opened = [gap for span in (before, after) for gap in missing_in(span, runs)]
    db.execute(
        "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(symbol) DO UPDATE SET "
        "last_price = iif(excluded.last_id > last_id, excluded.last_price, last_price), "
        "last_time_ms = max(last_time_ms, excluded.last_time_ms), "
        "first_id = min(first_id, excluded.first_id), last_id = max(last_id, excluded.last_id), "
        "ticks = ticks + excluded.ticks",
        (record.symbol, first, last, record.last_time_ms, record.last_price, record.trades),
    )
    return opened


def _fill_gaps(db: sqlite3.Connection, symbol: str, runs: Sequence[IdRange], now_ms: int) -> None:
    """Takes what came in out of the gaps on record."""
    rows = db.execute(
        "SELECT id, first_id, last_id, found_ms, cause, message FROM gaps WHERE symbol = ? "
        "AND state <> 'repaired' AND first_id <= ? AND last_id >= ?",
        (symbol, runs[-1].last, runs[0].first),
    ).fetchall()
    for row, first, last, found_ms, cause, message in rows:
        gap = IdRange(first, last)
        left = missing_in(gap, runs)
        if left == [gap]:
            continue
        _divide(db, row, left)
        # What was only not imported yet, or only late, has never been a loss.
        if cause != _CAUSE and message:
            _record_repaired(db, symbol, missing_in(gap, left), (found_ms, cause, now_ms))


def _divide(db: sqlite3.Connection, row: int, left: Iterable[IdRange]) -> None:
    for part in left:
        db.execute(
            "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, closed_ms, "
            "message) SELECT symbol, ?, ?, found_ms, cause, state, closed_ms, message "
            "FROM gaps WHERE id = ?",
            (*part, row),
        )
    db.execute("DELETE FROM gaps WHERE id = ?", (row,))


def _record_repaired(
    db: sqlite3.Connection, symbol: str, filled: Iterable[IdRange], facts: tuple[int, str, int]
) -> None:
    db.executemany(
        "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, closed_ms, state) "
        "VALUES (?, ?, ?, ?, ?, ?, 'repaired')",
        [(symbol, *part, *facts) for part in filled],
    )
