"""Compares a lake with dumps, after the fact: read-only, beside a running collector."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from importer.compare import Comparison, Difference, HourComparison, Known, Reason
from importer.hours import HourBuffer
from importer.reader import OnBytes, read_dump
from importer.run import OnFile, StoppedError, dump_at
from spreadlake.binance.dumps import LAYOUTS, TRADE_KIND, VENUE, DumpFile
from spreadlake.errors import DamagedFileError, InputError
from spreadlake.lake import (
    HOUR_MS,
    TICKS_SCHEMA,
    Lake,
    check_claim,
    open_reader,
    read_trades,
)
from spreadlake.lake.databases.errors import explaining
from spreadlake.lake.ticks.gaps import IMPORT, Gap, gaps_of
from spreadlake.lake.ticks.symbols import read_symbol
from spreadlake.status import snapshot
from spreadlake.trades import IdRange


@dataclass(frozen=True)
class Verified:
    """What came of one file: its hours in order, and the first few trades that differ.

    `captured` tells whether the lake has trades of the symbol at all; `unreadable` is what was said
    of files of the lake that are gone or damaged.
    """

    dump: DumpFile
    hours: Sequence[HourComparison]
    examples: Sequence[Difference]
    captured: bool
    unreadable: Sequence[str] = ()

    def differs(self, captured_only: bool = False) -> bool:
        """Whether any trade is missing, too many or different.

        With `captured_only` what came before the lake began and after it ended is no difference.
        """
        apart: set[Reason] = {"not captured"} if captured_only and self.captured else set()
        return any(
            hour.extra or hour.different or (set(+hour.missing) - apart) for hour in self.hours
        )


def verify_dumps(
    lake: Lake,
    paths: Sequence[Path],
    on_file: OnFile,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Verified]:
    """Compares each file in turn; nothing is written, and nobody is held up.

    Memory holds the trades of an hour. InputError for what is no dump of trades or damaged,
    LakeError where there is no lake or it holds other trades, and StoppedError.
    """
    dumps = [_trades_at(path) for path in paths]
    check_claim(lake, TRADE_KIND, "exchange", VENUE)
    with closing(open_reader(lake.ticks_db)) as db:
        for dump in dumps:
            yield _Verifying(lake, db, dump).run(_stoppable(on_file(dump, "comparing"), stopped))


def _trades_at(path: Path) -> DumpFile:
    dump = dump_at(path)
    if dump.kind != "trades":
        name = LAYOUTS["trades"].name
        raise InputError(
            f"{path} holds no trades: a lake is compared with dumps of {name}, such as "
            f"{dump.symbol}-{name}-{dump.first}.zip"
        )
    return dump


def _stoppable(on_bytes: OnBytes, stopped: Callable[[], bool]) -> OnBytes:
    def read(position: int) -> None:
        if stopped():
            raise StoppedError
        on_bytes(position)

    return read


class _Verifying:
    """One file."""

    def __init__(self, lake: Lake, db: sqlite3.Connection, dump: DumpFile) -> None:
        self._lake = lake
        self._db = db
        self._dump = dump
        self._unreadable: list[str] = []

    def run(self, on_bytes: OnBytes) -> Verified:
        # Before the trades: a gap that is filled meanwhile then explains nothing that is there.
        known = _known(self._lake, self._dump.symbol)
        comparison, buffer = Comparison(known), HourBuffer()
        left = set(range(self._dump.start_ms, self._dump.end_ms, HOUR_MS))
        for records in read_dump(self._dump, on_bytes):
            for hour_ms, trades in buffer.add(records):
                comparison.take(hour_ms, trades, self._trades(hour_ms, trades))
                left.discard(hour_ms)
        for hour_ms, trades in buffer.rest():
            comparison.take(hour_ms, trades, self._trades(hour_ms, trades))
            left.discard(hour_ms)
        nothing = TICKS_SCHEMA.to_frame()
        for hour_ms in sorted(left):
            comparison.take(hour_ms, nothing, self._trades(hour_ms, nothing))
        hours = comparison.results()
        return Verified(
            self._dump, hours, comparison.examples, known.span is not None, self._unreadable
        )

    def _trades(self, hour_ms: int, records: pl.DataFrame) -> pl.DataFrame | None:
        """The lake's trades of an hour; of one that is not the dump's only those it has too."""
        symbols = [self._dump.symbol]
        try:
            with explaining(self._lake.ticks_db):
                held = read_trades(
                    self._lake, hour_ms, hour_ms + HOUR_MS, symbols, self._db, TICKS_SCHEMA
                )
        except DamagedFileError as error:
            if str(error) not in self._unreadable:  # a file may hold a whole day
                self._unreadable.append(str(error))
            return None
        if self._dump.start_ms <= hour_ms < self._dump.end_ms:
            return held
        return held.join(records, on="trade_id", how="semi")


def _known(lake: Lake, symbol: str) -> Known:
    with snapshot(lake.ticks_db) as db:
        row = None if db is None else read_symbol(db, symbol)
        gaps = [] if db is None else gaps_of(db, symbol)
    if row is None:
        return Known(None)
    found: dict[Reason, list[IdRange]] = {}
    for gap in gaps:
        found.setdefault(_reason(gap), []).append(gap.range)
    return Known(IdRange(row.first_id, row.last_id), found)


def _reason(gap: Gap) -> Reason:
    if gap.cause == IMPORT:
        return "not imported"
    return "lost" if gap.state == "lost" else "open"
