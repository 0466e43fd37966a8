"""Imports dumps into a lake, file by file."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from importer.funding import store_funding
from importer.hour_writer import HourWriter
from importer.hours import HourBuffer
from importer.klines import store_klines
from importer.merge import ConflictError
from importer.plan import Coverage, check_days, in_order
from importer.reader import OnBytes, read_dump, verify_dump
from importer.record import FileRecord, delete_rolled, record_file
from spreadlake.binance.dumps import TRADE_KIND, VENUE, DumpFile, parse_name
from spreadlake.errors import InputError
from spreadlake.lake import (
    Lake,
    atomic,
    check_claim,
    claim,
    open_ticks_writer,
    writer_lock,
)
from spreadlake.lake.files import values_in
from spreadlake.lake.ticks.hot import hot_ends
from spreadlake.lake.ticks.klines import kline_changes
from spreadlake.lake.ticks.source_end import SourceEnd, read_end, record_end
from spreadlake.lake.ticks.symbols import read_symbols


class StoppedError(Exception):
    """The import was told to stop before its end; what was done until then is recorded."""


@dataclass(frozen=True)
class Imported:
    """What came of one file: records read, and how many of them the lake did not have.

    `empty` are records without a quantity, which are no trades; `skipped` those that contradict
    the lake; `restored` hours whose partition was gone, less `not_restored` trades of theirs.
    """

    dump: DumpFile
    records: int
    fresh: int
    empty: int = 0
    skipped: int = 0
    restored: int = 0
    not_restored: int = 0


# Called at the start of a file; returns what is to be called with the bytes read so far. The
# second argument says what is being done: "checking" or "importing".
OnFile = Callable[[DumpFile, str], OnBytes]


def import_dumps(
    lake: Lake,
    paths: Sequence[Path],
    on_file: OnFile,
    stopped: Callable[[], bool] = lambda: False,
    skip: bool = False,
) -> Iterator[Imported]:
    """Imports all files; what of them is there already stays as it is.

    With `skip`, records whose id stands for another trade in the lake are left out and counted.

    Yields after each file. When it ends early, by an error or because `stopped` says so, what was
    imported until then is recorded, and the same call goes on from there. Raises InputError for
    what cannot be imported, before anything is written where names and dates can tell, LakeError
    while a collector runs, or where the lake holds other trades, and StoppedError.
    """
    dumps = [dump_at(path) for path in paths]
    with writer_lock(lake, "collector"), closing(open_ticks_writer(lake)) as db:
        check_claim(lake, TRADE_KIND, "exchange", VENUE)
        coverage = _coverage(lake, db)
        check_days(dumps, coverage)
        claim(db, lake, TRADE_KIND, "exchange", VENUE)
        one, before = _Import(lake, db, stopped, skip), read_end(db)
        for dump in in_order(dumps, coverage):
            verify_dump(dump, one.stoppable(on_file(dump, "checking")))
            yield one.run(dump, one.stoppable(on_file(dump, "importing")))
        _record_end(db, dumps, before)


def _record_end(db: sqlite3.Connection, dumps: Sequence[DumpFile], before: SourceEnd) -> None:
    """All files are in: no trade of their days is to come, and the job may close its last bars.

    A day that is not over yet has no such end: its later trades are still to come.
    """
    now = now_ms()
    ends = [d.end_ms for d in dumps if d.kind == "trades" and d.end_ms <= now]
    if ends:
        with atomic(db):
            record_end(db, max(ends), before)


def now_ms() -> int:
    """The local clock, Unix ms."""
    return time.time_ns() // 1_000_000


def dump_at(path: Path) -> DumpFile:
    """The dump at `path`; InputError where there is none, or its name says nothing."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the files in it, such as {path}/*.zip")
    if "*" in path.name:
        raise InputError(
            f"{path} matches no file, or the * is in quotes, where it is only a letter"
        )
    dump = parse_name(path)
    if not path.is_file():
        raise InputError(f"{path} is not there, or is no file")
    return dump


class _Import:
    """Takes files in, one after another; StoppedError between two hours of one."""

    def __init__(
        self, lake: Lake, db: sqlite3.Connection, stopped: Callable[[], bool], skip: bool
    ) -> None:
        self._lake = lake
        self._db = db
        self._stopped = stopped
        self._skip = skip

    def stoppable(self, on_bytes: OnBytes) -> OnBytes:
        """The same, but it ends the reading when the import is to stop."""

        def read(position: int) -> None:
            self._check()
            on_bytes(position)

        return read

    def run(self, dump: DumpFile, on_bytes: OnBytes) -> Imported:
        """Imports one file; InputError where it contradicts the lake."""
        takes = {"trades": self._trades, "klines": self._klines, "funding": self._funding}
        try:
            return takes[dump.kind](dump, on_bytes)
        except ConflictError as error:
            raise InputError(
                f"{dump.path} contradicts the lake {self._lake.root}: {error}. Nothing of that "
                "hour or the hours after it was taken. Download the file again; or take the rest "
                "of it with --skip-contradictions, which leaves such records out; or import it "
                "into another folder with --data"
            ) from None

    def _trades(self, dump: DumpFile, on_bytes: OnBytes) -> Imported:
        writer, records = HourWriter(self._lake, self._db, dump.symbol, self._skip), 0
        buffer = HourBuffer()
        with _recording(self._db, dump.symbol) as record:
            for trades in read_dump(dump, on_bytes):
                records += trades.height
                self._take(record, writer, buffer.add(trades))
            self._take(record, writer, buffer.rest())
        return Imported(
            dump,
            records,
            record.trades,
            record.empty,
            record.skipped,
            record.restored,
            record.not_restored,
        )

    def _take(
        self, record: FileRecord, writer: HourWriter, hours: Iterable[tuple[int, pl.DataFrame]]
    ) -> None:
        for hour_ms, records in hours:
            self._check()
            record.add(*writer.write(hour_ms, records))

    def _klines(self, dump: DumpFile, on_bytes: OnBytes) -> Imported:
        # A month at most: a file of some 45,000 minutes.
        klines = list(read_dump(dump, on_bytes))
        if not klines:
            return Imported(dump, 0, 0)
        records = pl.concat(klines)
        return Imported(dump, records.height, store_klines(self._db, self._lake, records))

    def _funding(self, dump: DumpFile, on_bytes: OnBytes) -> Imported:
        rates = list(read_dump(dump, on_bytes))  # of a month: some hundreds
        if not rates:
            return Imported(dump, 0, 0)
        records = pl.concat(rates)
        fresh, skipped = store_funding(self._db, records, self._skip)
        return Imported(dump, records.height, fresh, skipped=skipped)

    def _check(self) -> None:
        if self._stopped():
            raise StoppedError


@contextmanager
def _recording(db: sqlite3.Connection, symbol: str) -> Iterator[FileRecord]:
    """Whatever ends the import of a file, the hours that are in place are recorded."""
    record = FileRecord(symbol)
    try:
        yield record
    finally:
        record_file(db, record, now_ms())
        delete_rolled(db, record)


def _coverage(lake: Lake, db: sqlite3.Connection) -> Coverage:
    days: dict[str, set[date]] = {}
    for symbol in values_in(lake, lake.ticks_dir, "symbol"):
        dates = values_in(lake, lake.ticks_dir / f"symbol={symbol}", "date")
        days[symbol] = set(map(date.fromisoformat, dates))
    for row in read_symbols(db):
        days.setdefault(row.symbol, set()).update(_hot_days(db, row.symbol))
    klines: dict[str, set[date]] = {}
    for change in kline_changes(db, 0):
        numbers = range(change.first // 86_400, change.last // 86_400 + 1)
        known = klines.setdefault(change.symbol, set())
        known.update(date(1970, 1, 1) + timedelta(days=number) for number in numbers)
    return Coverage(days, klines)


def _hot_days(db: sqlite3.Connection, symbol: str) -> set[date]:
    """Every day from the first to the last of the symbol's hot rows."""
    ends = [end for end in hot_ends(db, symbol) if end is not None]
    if not ends:
        return set()
    first, last = (datetime.fromtimestamp(ms // 1000, UTC).date() for _, ms in ends)
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}
