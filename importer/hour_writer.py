"""The hours of one symbol in a lake: what they hold, hot and cold, and how one is written."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from importer.merge import ConflictError, agreeing, row_in_words, trades_in
from spreadlake.errors import InputError
from spreadlake.lake import HOUR_MS, Lake
from spreadlake.lake.files import matching
from spreadlake.lake.ticks.hot import HotHour, HotPart, greatest_seq, hot_part, rows_by_id
from spreadlake.lake.ticks.id_ranges import Ids
from spreadlake.lake.ticks.partitions import (
    cold_hour,
    hot_trades,
    ids_in_partition,
    merged,
    partition_or_none,
    trades_of,
    write_hour_of,
)
from spreadlake.lake.ticks.rolls import rolled_of
from spreadlake.lake.ticks.symbols import held_ids, read_symbol
from spreadlake.schemas import TICKS_SCHEMA
from spreadlake.times import iso_utc
from spreadlake.trades import IdRange, begins_again


@dataclass(frozen=True)
class ImportedHour:
    """An hour whose partition is in place: its rows, and how many of them the lake had not counted.

    `hot` says which rows of it are still in SQLite as well; `lost` are the rows of a partition that
    was recorded and not there any more, `skipped` the file's records that contradict the lake.
    Of the rows `day_rows` are in the file of the whole day, which stays as it is.
    """

    hour_ms: int
    rows: int
    uncounted: int
    hot: HotPart | None
    lost: int = 0
    skipped: int = 0
    day_rows: int = 0


class HourWriter:
    """Merges trades of one symbol into the partitions of their hours.

    The rows of an hour that are hot go to its partition as well, and are deleted once the
    partition is recorded: until then a reader of both takes each trade once.
    """

    def __init__(self, lake: Lake, db: sqlite3.Connection, symbol: str, skip: bool = False) -> None:
        """With `skip` records that contradict the lake are left out, and not refused."""
        self._lake = lake
        self._db = db
        self._symbol = symbol
        self._skip = skip
        self._bound = greatest_seq(db)
        self._held = held_ids(db, symbol)
        self._last = read_symbol(db, symbol)
        self._index: dict[Path, IdRange] | None = None
        self._written: dict[int, int] = {}
        self._brought: dict[Path, IdRange] = {}

    def write(self, hour_ms: int, records: pl.DataFrame) -> tuple[ImportedHour, pl.DataFrame]:
        """Puts an hour in place; returns it, and the records that the lake has now, each once.

        ConflictError where the lake holds other trades by the same id.
        """
        place = cold_hour(self._lake, self._symbol, hour_ms)
        cold = place.trades
        recorded = self._written.get(hour_ms, self._recorded_rows(hour_ms))
        hot_hour = HotHour(hour_ms, self._bound)
        summary = hot_part(self._db, hot_hour, self._symbol)
        hot = hot_trades(self._db, hot_hour, summary) if summary else TICKS_SCHEMA.to_frame()
        here = merged(hot, cold) if summary else cold
        held = merged(here, self._hot_by_id(records)) if self._bound else cold
        new = self._in_this_hour(agreeing(records, held, self._skip), held, hour_ms)
        self._refuse_another_contract(new.join(held, on="trade_id", how="anti"))
        rows = merged(here, trades_in(new))
        if not rows.equals(cold):
            write_hour_of(place, rows, hot, summary)
        if new.height and rows.height:
            self._remember(place.path, new, rows)
        self._written[hour_ms] = rows.height
        # A crash after the renaming leaves a partition with more rows than were recorded; the hot
        # ones among them were counted when they were stored.
        counted = here.height if recorded == cold.height else recorded + hot.height
        hour = ImportedHour(
            hour_ms,
            rows.height,
            max(0, rows.height - counted),
            summary,
            lost=recorded if cold.is_empty() else 0,
            skipped=records.unique().height - new.height,
            day_rows=place.compacted.height,
        )
        return hour, new

    def _recorded_rows(self, hour_ms: int) -> int:
        hours = rolled_of(self._db, self._symbol, hour_ms, hour_ms + 1)
        return hours[hour_ms].rows if hour_ms in hours else 0

    def _hot_by_id(self, records: pl.DataFrame) -> pl.DataFrame:
        """Rows in SQLite that carry an id of the records, of whatever hour."""
        span = _span(records)
        rows = trades_of(rows_by_id(self._db, self._symbol, *span))
        return rows.filter(pl.col("trade_id").is_in(records["trade_id"].implode()))

    def _in_this_hour(self, new: pl.DataFrame, held: pl.DataFrame, hour_ms: int) -> pl.DataFrame:
        """A trade that the lake has, but not in this hour, has another time there."""
        path = self._lake.tick_partition(self._symbol, hour_ms)
        missing = new.join(held, on="trade_id", how="anti")["trade_id"].unique().sort().to_numpy()
        for frame in self._partitions_with(self._elsewhere(missing, path), path, hour_ms):
            if not self._skip:
                raise ConflictError(_in_two_hours(new, frame))
            new = new.join(frame.select("trade_id"), on="trade_id", how="anti")
        return new

    def _refuse_another_contract(self, fresh: pl.DataFrame) -> None:
        """Ids rise with time: where these do not, a ticker was used again by a contract."""
        if self._last is None or fresh.is_empty():
            return
        last_id, last_ms = self._last.last_id, self._last.last_time_ms
        ids, times = fresh["trade_id"].to_numpy(), fresh["time_ms"].to_numpy()
        again = begins_again(ids, times, last_id, last_ms)
        lasts = np.full_like(ids, last_id), np.full_like(times, last_ms)
        ended = begins_again(*lasts, ids, times)
        if again.all() or ended.all():
            at = iso_utc(int(times[0]) / 1000)
            raise InputError(
                f"ids of {self._symbol} that are {'lower' if again.all() else 'higher'} than the "
                f"lake's ({int(ids[0])} at {at}; the lake has {last_id} at "
                f"{iso_utc(last_ms / 1000)}) are of another contract, whose ticker was used again; "
                "import it into another folder with --data"
            )

    def _elsewhere(self, ids: Ids, path: Path) -> Ids:
        """Those of `ids` that the lake has, or that this file may have brought to other hours."""
        found = [ids[:0] if self._held is None else ids[self._held.among(ids)]]
        for other, brought in self._brought.items():
            if other != path and ids.size and brought.first <= ids[-1] and brought.last >= ids[0]:
                found.append(ids[(ids >= brought.first) & (ids <= brought.last)])
        return np.unique(np.concatenate(found))

    def _remember(self, path: Path, new: pl.DataFrame, rows: pl.DataFrame) -> None:
        brought, held = _span(new), _span(rows)
        before = self._brought.get(path, brought)
        self._brought[path] = IdRange(
            min(before.first, brought.first), max(before.last, brought.last)
        )
        if self._index is not None:
            self._index[path] = held

    def _partitions_with(self, ids: Ids, but: Path, hour_ms: int) -> Iterator[pl.DataFrame]:
        """Rows of other hours with one of `ids`; mostly there are no ids to look for."""
        if not ids.size:
            return
        if self._index is None:
            folder = self._lake.ticks_dir / f"symbol={self._symbol}"
            paths = matching(self._lake, folder, "date=*/*.parquet")
            self._index = {path: ids_in_partition(self._lake, path) for path in paths}
        elsewhere = pl.col("time_ms") // HOUR_MS * HOUR_MS != hour_ms
        for path, held in self._index.items():
            if path != but and held.first <= ids[-1] and held.last >= ids[0]:
                wanted = pl.col("trade_id").is_in(ids.tolist())
                found = partition_or_none(self._lake, path, where=elsewhere & wanted).sort(
                    "trade_id"
                )
                if found.height:
                    yield found


def _in_two_hours(new: pl.DataFrame, held: pl.DataFrame) -> str:
    row = new.join(held.select("trade_id"), on="trade_id", how="semi").sort("trade_id")
    mine = row.row(0, named=True)
    theirs = held.filter(pl.col("trade_id") == mine["trade_id"]).row(0, named=True)
    return (
        f"trade {mine['trade_id']} is {row_in_words(mine)} in the file, and "
        f"{row_in_words(theirs)} in the lake"
    )


def _span(trades: pl.DataFrame) -> IdRange:
    first, last = trades.select(a=pl.col("trade_id").min(), b=pl.col("trade_id").max()).row(0)
    return IdRange(first, last)
