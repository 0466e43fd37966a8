"""One partition: an hour of one symbol as a Parquet file, checked against SQLite."""

import errno
import math
import sqlite3
from pathlib import Path

import polars as pl

from spreadlake.errors import LakeError
from spreadlake.lake.layout import HOUR_MS
from spreadlake.lake.parquet import Check, read_whole, write_durably
from spreadlake.lake.ticks.hot import HotHour, HotPart, read_rows
from spreadlake.schemas import TICKS_SCHEMA
from spreadlake.trades import COLUMNS, TICK_COLUMNS, IdRange

_CLOSE = 1e-9
_LATER = TICK_COLUMNS[len(COLUMNS) :]
# Of these no partition is the cause, and no other one would fare better.
_FULL = (errno.ENOSPC, errno.EDQUOT)


def read_partition(path: Path, schema: pl.Schema = TICKS_SCHEMA) -> pl.DataFrame:
    """All trades of one hour, as `schema` has them; what older files do not hold is NULL.

    DamagedFileError if the file cannot be read.
    """
    return read_whole(path, schema, {"symbol": _symbol_of(path)}, _LATER)


def partition_or_none(path: Path) -> pl.DataFrame:
    """The same; no trades where there is no file."""
    return read_partition(path) if path.exists() else TICKS_SCHEMA.to_frame()


def ids_in_partition(path: Path) -> IdRange:
    """The range of ids in a partition, from its footer."""
    import pyarrow.parquet as pq  # noqa: PLC0415 only who imports needs it, and it is not small

    metadata = pq.read_metadata(path)
    column = metadata.schema.names.index("trade_id")
    groups = [
        metadata.row_group(i).column(column).statistics for i in range(metadata.num_row_groups)
    ]
    return IdRange(min(g.min for g in groups), max(g.max for g in groups))


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


def write_partition(
    path: Path, rows: pl.DataFrame, hot: pl.DataFrame, summary: HotPart | None
) -> None:
    """Puts `rows` at `path`: those of `hot` are among them, and may be deleted once this is done.

    As durably as `save_partition` does. LakeError for trouble with this one partition: the folder
    cannot be written, or what was written is not what SQLite says of the hot rows in `summary`
    (None: there are none); then `path` stays as it was. OSError where the disk is full.
    """

    def check(written: pl.DataFrame) -> None:
        own = written.join(hot.select("trade_id"), on="trade_id", how="semi")
        if summary is not None and not _agrees(own, summary):
            raise LakeError(f"{path} would not hold what SQLite does; the hour stays in ticks.db")

    try:
        save_partition(rows, path, check)
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise LakeError(f"{path} cannot be written: {error}") from error


def save_partition(trades: pl.DataFrame, path: Path, check: Check | None = None) -> None:
    """Puts the trades of one hour at `path`, as `write_durably` does.

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
