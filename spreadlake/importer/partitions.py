"""The hours of one symbol in a lake: what they hold, hot and cold, and how one is written."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from spreadlake.importer.ids import IdRange, Ids, KnownIds
from spreadlake.importer.merge import ConflictError, merge, row_in_words
from spreadlake.lake import HOUR_MS, Lake
from spreadlake.lake.parquet import read_whole, write_durably
from spreadlake.lake.trades import TRADES_SCHEMA
from spreadlake.trades import COLUMNS

__all__ = ["HourWriter", "WrittenHour", "known_ids"]


@dataclass(frozen=True)
class WrittenHour:
    """An hour whose partition is in place: its rows, and how many of them the lake had not counted.

    `hot` says that rows of it are still in SQLite as well.
    """

    hour_ms: int
    rows: int
    uncounted: int
    hot: bool


def known_ids(db: sqlite3.Connection, symbol: str) -> KnownIds:
    """What `symbols` and `gaps` say that the lake holds of a symbol."""
    row = db.execute("SELECT first_id, last_id FROM symbols WHERE symbol = ?", (symbol,)).fetchone()
    gaps = db.execute(
        "SELECT first_id, last_id FROM gaps WHERE symbol = ? AND state <> 'repaired' "
        "ORDER BY first_id",
        (symbol,),
    )
    return KnownIds(IdRange(*row) if row else None, [IdRange(*gap) for gap in gaps])


class HourWriter:
    """Merges trades of one symbol into the partitions of their hours.

    The rows of an hour that are hot go to its partition as well, and are deleted once the
    partition is recorded: until then a reader of both takes each trade once.
    """

    def __init__(self, lake: Lake, db: sqlite3.Connection, symbol: str) -> None:
        self._lake = lake
        self._db = db
        self._symbol = symbol
        self._known = known_ids(db, symbol)
        self._index: dict[Path, IdRange] | None = None
        self._written: dict[int, int] = {}
        self._brought: dict[Path, IdRange] = {}

    def write(self, hour_ms: int, new: pl.DataFrame) -> WrittenHour:
        """Puts an hour in place; ConflictError where the lake holds other trades by the same id."""
        path = self._lake.tick_partition(self._symbol, hour_ms)
        cold = _read_partition(path)
        hot = self._hot_rows(hour_ms, new)
        held = pl.concat([cold, hot]).unique("trade_id", keep="first")
        rows = merge(new, held)
        self._refuse_ids_of_other_hours(new, held, path)
        if rows.height != cold.height:
            write_durably(rows, path)
        self._remember(path, new, rows)
        counted = self._counted(hour_ms, cold.height, hot.height, held.height)
        self._written[hour_ms] = rows.height
        return WrittenHour(hour_ms, rows.height, rows.height - counted, hot.height > 0)

    def _counted(self, hour_ms: int, cold: int, hot: int, held: int) -> int:
        """How many of the trades that the lake holds of the hour it has counted.

        A crash after the renaming leaves a partition with more rows than were recorded; the hot
        ones among them were counted when they were stored.
        """
        recorded = self._written.get(hour_ms, self._recorded_rows(hour_ms))
        return held if recorded == cold else recorded + hot

    def _hot_rows(self, hour_ms: int, new: pl.DataFrame) -> pl.DataFrame:
        """Rows in SQLite that belong to the hour, or carry an id of `new`."""
        in_hour = "time_ms >= ? AND time_ms < ?"
        limits = (hour_ms, hour_ms + HOUR_MS)
        ids = (new["trade_id"].min(), new["trade_id"].max())
        frames = [self._select("trade_id BETWEEN ? AND ?", ids)]
        if self._db.execute(f"SELECT 1 FROM ticks WHERE {in_hour} LIMIT 1", limits).fetchone():
            frames.append(self._select(in_hour, limits))
        mine = pl.col("time_ms").is_between(*limits, closed="left")
        named = pl.col("trade_id").is_in(new["trade_id"].implode())
        return pl.concat(frames).unique("trade_id").filter(mine | named)

    def _select(self, where: str, values: tuple[Any, ...]) -> pl.DataFrame:
        rows = self._db.execute(
            f"SELECT {', '.join(COLUMNS)} FROM ticks WHERE symbol = ? AND {where}",
            (self._symbol, *values),
        ).fetchall()
        return pl.DataFrame(rows, schema=TRADES_SCHEMA, orient="row")

    def _recorded_rows(self, hour_ms: int) -> int:
        row = self._db.execute(
            "SELECT rows FROM rolls WHERE symbol = ? AND hour_ms = ?", (self._symbol, hour_ms)
        ).fetchone()
        return int(row[0]) if row else 0

    def _refuse_ids_of_other_hours(self, new: pl.DataFrame, held: pl.DataFrame, path: Path) -> None:
        """A trade that the lake has, but not in this hour, has another time there."""
        missing = new.join(held, on="trade_id", how="anti")["trade_id"].unique().sort().to_numpy()
        for frame in self._partitions_with(self._elsewhere(missing, path), path):
            row, theirs = (
                new.join(frame, on="trade_id").row(0, named=True),
                frame.row(0, named=True),
            )
            raise ConflictError(
                f"trade {row['trade_id']} is {row_in_words(row)} in the file, and "
                f"{row_in_words(theirs)} in the lake"
            )

    def _elsewhere(self, ids: Ids, path: Path) -> Ids:
        """Those of `ids` that the lake has, or that this file may have brought to other hours."""
        found = [self._known.among(ids)]
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

    def _partitions_with(self, ids: Ids, but: Path) -> Iterator[pl.DataFrame]:
        """Rows with one of `ids` in the other partitions; mostly there are no ids to look for."""
        if not ids.size:
            return
        if self._index is None:
            folder = self._lake.ticks_dir / f"symbol={self._symbol}"
            self._index = {p: _id_range(p) for p in sorted(folder.glob("date=*/*.parquet"))}
        for path, held in self._index.items():
            if path != but and held.first <= ids[-1] and held.last >= ids[0]:
                frame = _read_partition(path)
                found = frame.filter(pl.col("trade_id").is_in(ids)).sort("trade_id")
                if found.height:
                    yield found


def _read_partition(path: Path) -> pl.DataFrame:
    if not path.exists():
        return TRADES_SCHEMA.to_frame()
    return read_whole(path, TRADES_SCHEMA)


def _span(trades: pl.DataFrame) -> IdRange:
    first, last = trades.select(a=pl.col("trade_id").min(), b=pl.col("trade_id").max()).row(0)
    return IdRange(first, last)


def _id_range(path: Path) -> IdRange:
    """The range of ids in a partition, from its footer."""
    metadata = pq.read_metadata(path)
    column = metadata.schema.names.index("trade_id")
    groups = [
        metadata.row_group(i).column(column).statistics for i in range(metadata.num_row_groups)
    ]
    return IdRange(min(g.min for g in groups), max(g.max for g in groups))
