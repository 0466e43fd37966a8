"""The trades of one symbol in Parquet: an hour or a whole day a file, checked against SQLite.

Once a day is compacted its trades are in the day's file, and the file of an hour beside that holds
what came later. Whoever reads both reads the hour first: it goes once the day's file holds all.
"""

import errno
import math
import sqlite3
from pathlib import Path
from typing import NamedTuple

import polars as pl

from spreadlake.errors import DamagedFileError, LakeError
from spreadlake.lake.files import is_there
from spreadlake.lake.layout import HOUR_MS, Lake
from spreadlake.lake.parquet import Check, write_durably
from spreadlake.lake.reading import ask, read_whole
from spreadlake.lake.ticks.hot import HotHour, HotPart, read_rows
from spreadlake.schemas import TICKS_SCHEMA
from spreadlake.trades import COLUMNS, TICK_COLUMNS, IdRange

_CLOSE = 1e-9
_LATER = TICK_COLUMNS[len(COLUMNS) :]
# Of these no partition is the cause, and no other one would fare better.
_FULL = (errno.ENOSPC, errno.EDQUOT)


class ColdHour(NamedTuple):
    """An hour of one symbol in Parquet: what its own file holds, and what the day's does."""

    path: Path  # of its own file
    own: pl.DataFrame
    compacted: pl.DataFrame

    @property
    def trades(self) -> pl.DataFrame:
        """All of them, each once, by time and id."""
        return merged(self.own, self.compacted) if self.compacted.height else self.own


def read_partition(
    lake: Lake, path: Path, schema: pl.Schema = TICKS_SCHEMA, where: pl.Expr | None = None
) -> pl.DataFrame:
    """All trades of a file, or those that `where` holds for, as `schema` has them.

    What older files do not hold is NULL. DamagedFileError if the file cannot be read.
    """
    return read_whole(lake, path, schema, {"symbol": _symbol_of(path)}, _LATER, where)


def partition_or_none(
    lake: Lake, path: Path, schema: pl.Schema = TICKS_SCHEMA, where: pl.Expr | None = None
) -> pl.DataFrame:
    """The same; no trades where there is no file, or none any more."""
    if is_there(lake, path):
        try:
            return read_partition(lake, path, schema, where)
        except DamagedFileError:
            if is_there(lake, path):
                raise
    return schema.to_frame()


def cold_hour(lake: Lake, symbol: str, hour_ms: int) -> ColdHour:
    """The trades of an hour that are in Parquet."""
    path = lake.tick_partition(symbol, hour_ms)
    own = partition_or_none(lake, path)
    within = pl.col("time_ms").is_between(hour_ms, hour_ms + HOUR_MS, closed="left")
    day = partition_or_none(lake, lake.tick_day(symbol, hour_ms), where=within)
    return ColdHour(path, own, day)


def ids_in_partition(lake: Lake, path: Path) -> IdRange:
    """The range of ids in a partition: from its footer, or that column of its object."""
    try:
        return _ids_in_footer(path)
    except FileNotFoundError:
        column = pl.col("trade_id")
        ends = (column.min().alias("first"), column.max().alias("last"))
        return IdRange(*ask(lake, path, lambda file: file.select(ends).collect()).row(0))


def _ids_in_footer(path: Path) -> IdRange:
    import pyarrow.parquet as pq  # noqa: PLC0415 only who imports needs it, and it is not small

    metadata = pq.read_metadata(path)
    column = metadata.schema.names.index("trade_id")
    groups = [
        metadata.row_group(i).column(column).statistics for i in range(metadata.num_row_groups)
    ]
    return IdRange(min(g.min for g in groups), max(g.max for g in groups))


def hours_in_partition(lake: Lake, path: Path) -> set[int]:
    """The starts (ms) of the hours that a file has trades of."""
    hours = read_partition(lake, path)["time_ms"] // HOUR_MS * HOUR_MS
    return set(hours.unique())


def hot_trades(db: sqlite3.Connection, hour: HotHour, part: HotPart) -> pl.DataFrame:
    """The hot rows of one symbol in an hour: TICKS_SCHEMA."""
    pages = (trades_of(page) for page in read_rows(db, hour, part))
    return pl.concat([TICKS_SCHEMA.to_frame(), *pages])


def trades_of(rows: list[tuple[object, ...]], schema: pl.Schema = TICKS_SCHEMA) -> pl.DataFrame:
    """Rows of `ticks`, in the order of the columns of `schema`, as a frame."""
    return pl.DataFrame(rows, schema=schema, orient="row")


def merged(*frames: pl.DataFrame) -> pl.DataFrame:
    """The trades of one symbol, each once, by time and id.

    Where two frames have one, the first of them counts: what is hot, as for every reader. What
    that one does not know (NULL) is taken from the next.
    """
    every = pl.concat(frames)
    again = pl.col("trade_id").is_duplicated()
    found = every.filter(~again)
    if found.height < every.height:
        known = pl.exclude("trade_id").drop_nulls().first()
        both = every.filter(again).group_by("trade_id", maintain_order=True).agg(known)
        found = pl.concat([found, both.select(found.columns)])
    return found.sort("time_ms", "trade_id")


def write_hour_of(
    cold: ColdHour, rows: pl.DataFrame, hot: pl.DataFrame, summary: HotPart | None
) -> None:
    """Puts `rows`, an hour's trades, in place: what the day's file holds of them stays there.

    Those of `hot` are among them, and may be deleted once this is done. As durably as
    `save_partition` does. LakeError for trouble with this one hour: its folder cannot be written,
    or what is there then is not what SQLite says of the hot rows in `summary` (None: there are
    none); its file stays as it was. OSError where the disk is full.
    """
    own = rows
    if cold.compacted.height:
        # What says more of a trade than the day does stands beside it as well, for the next day.
        own = rows.join(
            cold.compacted, on=rows.columns, how="anti", nulls_equal=True, maintain_order="left"
        )

    def check(written: pl.DataFrame) -> None:
        there = pl.concat([written, cold.compacted.select(written.columns)])
        held = there.unique("trade_id", keep="first").join(hot, on="trade_id", how="semi")
        if summary is not None and not _agrees(held, summary):
            raise LakeError(
                f"{cold.path} would not hold what SQLite does; the hour stays in ticks.db"
            )

    if own.is_empty() and cold.compacted.height:
        check(own)
        return
    try:
        save_partition(own, cold.path, check)
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise LakeError(f"{cold.path} cannot be written: {error}") from error


def save_partition(trades: pl.DataFrame, path: Path, check: Check | None = None) -> None:
    """Puts the trades of an hour at `path`, as `write_durably` does.

    The file does not hold `symbol`, which its path says: readers would find it twice.
    """
    write_durably(trades.drop("symbol"), path, check)


def _symbol_of(path: Path) -> str:
    return path.parent.parent.name.removeprefix("symbol=")


def _agrees(rows: pl.DataFrame, summary: HotPart) -> bool:
    ids = rows["trade_id"]
    exact = (rows.height, ids.min(), ids.max(), (rows["time_ms"] % HOUR_MS).sum())
    sums = (rows["price"].sum(), rows["qty"].sum())
    return exact == (summary.rows, summary.first_id, summary.last_id, summary.time_sum) and all(
        math.isclose(ours, theirs, rel_tol=_CLOSE)
        for ours, theirs in zip(sums, (summary.price_sum, summary.qty_sum), strict=True)
    )
