"""Records in `ticks.db` what a file brought, in one transaction.

The analytics job finds the hours by `rolls`; the collector goes on after the last id in `symbols`;
ids that are missing in between are in `gaps`, so that nothing that is missing goes unsaid.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from importer.hour_writer import ImportedHour
from importer.merge import trades_in
from spreadlake.lake import atomic
from spreadlake.lake.ticks.gaps import IMPORT, Gap, fill_gap, gaps_of, insert_gap
from spreadlake.lake.ticks.hot import delete_part, give_back_pages
from spreadlake.lake.ticks.id_ranges import GapChange, IdCollector, Ids, subtract_ranges
from spreadlake.lake.ticks.rolls import RolledHour, record_rolls_as_new, rolled_of
from spreadlake.lake.ticks.symbols import (
    SymbolRow,
    empty_ids,
    newest_trade_ms,
    read_symbol,
    record_empty_ids,
    save_symbols,
)
from spreadlake.trades import IdRange

_MESSAGE = "not in the imported files; import the days that are missing"
# Deleted, and given back to the file system, in one transaction.
_ROWS = 20_000
_PAGES = 5_000


@dataclass
class FileRecord:
    """What one file brought of one symbol: hours in place, ids, and its newest trade.

    `empty_ids` are those of `ids` that stand for no trade: their records have no quantity.
    """

    symbol: str
    hours: list[ImportedHour] = field(default_factory=list)
    ids: IdCollector = field(default_factory=IdCollector)
    empty_ids: IdCollector = field(default_factory=IdCollector)
    empty: int = 0
    skipped: int = 0
    last_id: int = -1
    last_time_ms: int = 0
    last_price: float = 0.0

    def add(self, hour: ImportedHour, records: pl.DataFrame) -> None:
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


def record_file(db: sqlite3.Connection, record: FileRecord, now_ms: int) -> None:
    """Records everything of one file; does nothing where all of it was recorded before."""
    ranges = record.ids.ranges()
    if not ranges:
        return
    with atomic(db):
        _record_rolls(db, record, now_ms)
        record_empty_ids(db, record.symbol, record.empty_ids.ranges())
        opened = _extend_symbol(db, record, ranges)
        _fill_gaps(db, record.symbol, ranges, now_ms)
        for part in opened:
            gap = Gap(0, record.symbol, part, now_ms, IMPORT, "lost", now_ms, _MESSAGE)
            insert_gap(db, gap)


def delete_rolled(db: sqlite3.Connection, record: FileRecord) -> None:
    """Deletes hot rows whose partitions are recorded."""
    hot = [(hour.hour_ms, hour.hot) for hour in record.hours if hour.hot is not None]
    for hour_ms, part in hot:
        while delete_part(db, hour_ms, part, _ROWS):
            pass
    while hot and give_back_pages(db, _PAGES):
        pass


def _record_rolls(db: sqlite3.Connection, record: FileRecord, now_ms: int) -> None:
    """Each hour as new, so that the job takes in every one of them.

    Hours before the newest trade of the lake come newest first: the job carries the last price of
    an hour up to the next trade, and so never across all the hours that are still to come.
    """
    recorded = rolled_of(db, record.symbol)
    found = {
        hour.hour_ms: RolledHour(record.symbol, hour.hour_ms, hour.rows, hour.day_rows)
        for hour in record.hours
    }
    # What comes back is told again as well: the job may have been without it.
    back = {hour.hour_ms for hour in record.hours if hour.lost}
    hours = {at: hour for at, hour in found.items() if recorded.get(at) != hour or at in back}
    newest_ms = newest_trade_ms(db)
    ahead = not hours or newest_ms is None or min(hours) > newest_ms
    in_order = (hours[at] for at in sorted(hours, reverse=not ahead))
    record_rolls_as_new(db, record.symbol, in_order, now_ms)


def _extend_symbol(
    db: sqlite3.Connection, record: FileRecord, ranges: Sequence[IdRange]
) -> list[IdRange]:
    """Brings the row of `symbols` up to date; returns the ids that are now missing in between."""
    known = read_symbol(db, record.symbol)
    file = IdRange(ranges[0].first, ranges[-1].last)
    if known is None:
        if record.last_id < 0:  # no trade at all
            return []
        save_symbols(db, [_symbol_row(record, file)])
        return _missing(db, record.symbol, file, ranges, [file])
    whole = IdRange(min(file.first, known.first_id), max(file.last, known.last_id))
    row = _symbol_row(record, whole)
    row = row._replace(
        last_time_ms=max(known.last_time_ms, row.last_time_ms),
        last_price=row.last_price if record.last_id > known.last_id else known.last_price,
    )
    save_symbols(db, [row])
    before = IdRange(file.first, known.first_id - 1)
    after = IdRange(known.last_id + 1, file.last)
    return _missing(db, record.symbol, whole, ranges, [before, after])


def _missing(
    db: sqlite3.Connection,
    symbol: str,
    whole: IdRange,
    ranges: Sequence[IdRange],
    wanted: Sequence[IdRange],
) -> list[IdRange]:
    """The ids of `wanted`, parts of `whole`, that are not in `ranges` and are of some trade."""
    there = sorted([*ranges, *empty_ids(db, symbol, whole)])
    return [gap for span in wanted for gap in subtract_ranges(span, there)]


def _symbol_row(record: FileRecord, ids: IdRange) -> SymbolRow:
    """As the file alone tells it; `ticks` are those that it adds."""
    added = record.trades - record.not_restored
    return SymbolRow(record.symbol, *ids, record.last_time_ms, record.last_price, added)


def _fill_gaps(db: sqlite3.Connection, symbol: str, ranges: Sequence[IdRange], now_ms: int) -> None:
    """Takes what came in, in ascending ranges, out of the gaps on record."""
    for gap in gaps_of(db, symbol):
        if not ranges or gap.range.last < ranges[0].first or gap.range.first > ranges[-1].last:
            continue
        left = subtract_ranges(gap.range, ranges)
        if left != (gap.range,):
            filled = subtract_ranges(gap.range, left)
            fill_gap(db, gap, GapChange(gap.range, filled, left), now_ms)
