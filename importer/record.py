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

from importer.ids import IdRange, Ids, RunCollector, missing_in
from importer.merge import trades_in
from importer.partitions import WrittenHour
from spreadlake.lake import HOUR_MS, atomic
from spreadlake.lake.ticks.rolls import Roll, newest_seq, record_rolls

_CAUSE = "import"
_MESSAGE = "not in the imported files; import the days that are missing"
_ROWS = 20_000  # deleted in one transaction


@dataclass
class FileRecord:
    """What one file brought of one symbol: hours in place, ids, and its newest trade.

    `empty_ids` are those of `ids` that stand for no trade: their records have no quantity.
    """

    symbol: str
    hours: list[WrittenHour] = field(default_factory=list)
    ids: RunCollector = field(default_factory=RunCollector)
    empty_ids: RunCollector = field(default_factory=RunCollector)
    empty: int = 0
    skipped: int = 0
    last_id: int = -1
    last_time_ms: int = 0
    last_price: float = 0.0

    def add(self, hour: WrittenHour, records: pl.DataFrame) -> None:
        """Takes in an hour that is in place, and what the file brought of it, each id once."""
        self.skipped += hour.skipped
        if hour.rows:
            self.hours.append(hour)
        trades = trades_in(records)
        self.ids.add(_ids(records))
        self.empty_ids.add(_ids(records.filter(pl.col("qty") == 0)))
        self.empty += records.height - trades.height
        if trades.is_empty():
            return
        newest = trades.sort("trade_id").row(-1, named=True)
        if newest["trade_id"] > self.last_id:
            self.last_id, self.last_price = newest["trade_id"], newest["price"]
        self.last_time_ms = max(self.last_time_ms, int(str(trades["time_ms"].max())))

    @property
    def trades(self) -> int:
        """Trades that the lake did not have."""
        return sum(hour.uncounted for hour in self.hours)

    @property
    def restored(self) -> int:
        """Hours whose partition was gone, and is there again."""
        return sum(hour.lost > 0 for hour in self.hours)

    @property
    def not_restored(self) -> int:
        """Trades of these hours that the file did not bring back."""
        rows = {hour.hour_ms: hour.rows for hour in self.hours}
        return sum(max(0, h.lost - rows[h.hour_ms]) for h in self.hours if h.lost)


def _ids(records: pl.DataFrame) -> Ids:
    return records["trade_id"].unique().sort().to_numpy()


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
        _record_empty(db, record)
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
    # What comes back is told again as well: the job may have been without it.
    back = {hour.hour_ms for hour in record.hours if hour.lost}
    hours = {hour: n for hour, n in rows.items() if recorded.get(hour) != n or hour in back}
    row = db.execute("SELECT max(last_time_ms) FROM symbols").fetchone()
    ahead = not hours or row[0] is None or min(hours) > row[0]
    ordered = sorted(hours, reverse=not ahead)
    last = accumulate((hours[hour] for hour in ordered), initial=newest_seq(db))
    rolls = [
        Roll(record.symbol, hour, hours[hour], seq)
        for hour, (_, seq) in zip(ordered, pairwise(last), strict=True)
    ]
    record_rolls(db, rolls, now_ms)


def _record_empty(db: sqlite3.Connection, record: FileRecord) -> None:
    """Ids that stand for no trade: whoever compares ids later knows them, and asks for none."""
    db.executemany(
        "INSERT INTO empty_ids VALUES (?, ?, ?) ON CONFLICT(symbol, first_id) DO UPDATE SET "
        "last_id = max(last_id, excluded.last_id)",
        [(record.symbol, *run) for run in record.empty_ids.runs()],
    )


def _empty_ids(db: sqlite3.Connection, symbol: str, span: IdRange) -> list[IdRange]:
    rows = db.execute(
        "SELECT first_id, last_id FROM empty_ids WHERE symbol = ? AND first_id <= ? "
        "AND last_id >= ?",
        (symbol, span.last, span.first),
    )
    return [IdRange(*row) for row in rows.fetchall()]


def _extend_symbol(
    db: sqlite3.Connection, record: FileRecord, runs: Sequence[IdRange]
) -> list[IdRange]:
    """Brings the row of `symbols` up to date; returns the ids that are now missing in between."""
    first, last = runs[0].first, runs[-1].last
    row = db.execute(
        "SELECT first_id, last_id FROM symbols WHERE symbol = ?", (record.symbol,)
    ).fetchone()
    ends = (first, last, *(row or ()))
    there = sorted([*runs, *_empty_ids(db, record.symbol, IdRange(min(ends), max(ends)))])
    if row is None:
        opened = missing_in(IdRange(first, last), there)
    else:
        before, after = IdRange(first, row[0] - 1), IdRange(row[1] + 1, last)
        opened = [gap for span in (before, after) for gap in missing_in(span, there)]
    ids = (record.symbol, first, last)
    if record.last_id < 0:  # no trade at all
        db.execute(
            "UPDATE symbols SET first_id = min(first_id, ?2), last_id = max(last_id, ?3) "
            "WHERE symbol = ?1",
            ids,
        )
        return opened if row else []
    db.execute(
        "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT(symbol) DO UPDATE SET "
        "last_price = iif(excluded.last_id > last_id, excluded.last_price, last_price), "
        "last_time_ms = max(last_time_ms, excluded.last_time_ms), "
        "first_id = min(first_id, excluded.first_id), last_id = max(last_id, excluded.last_id), "
        "ticks = ticks + excluded.ticks",
        (
            *ids,
            record.last_time_ms,
            record.last_price,
            record.trades - record.not_restored,
        ),
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
