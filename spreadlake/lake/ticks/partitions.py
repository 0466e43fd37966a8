"""One partition: an hour of one symbol as a Parquet file, checked against SQLite."""

import errno
import math
from pathlib import Path

import polars as pl

from spreadlake.errors import LakeError
from spreadlake.lake import HOUR_MS
from spreadlake.lake.ticks.hot import HotPart
from spreadlake.lake.ticks.trades import read_partition, save_partition

_CLOSE = 1e-9
# Of these no partition is the cause, and no other one would fare better.
_FULL = (errno.ENOSPC, errno.EDQUOT)


def write_partition(path: Path, hot: pl.DataFrame, summary: HotPart) -> int:
    """Puts the rows of `hot`, and what is at `path` already, at `path`; returns how many there are.

    As durably as `save_partition` does. LakeError for trouble with this one partition: what is at
    `path` cannot be read, the folder cannot be written, or what was written is not what SQLite
    says of the hot rows in `summary`; then `path` stays as it was. OSError where the disk is full.
    """
    rows = _merge(hot, path)

    def check(written: pl.DataFrame) -> None:
        own = written.join(hot.select("trade_id"), on="trade_id", how="semi")
        if not _agrees(own, summary):
            raise LakeError(f"{path} would not hold what SQLite does; the hour stays in ticks.db")

    try:
        save_partition(rows, path, check)
    except OSError as error:
        if error.errno in _FULL:
            raise
        raise LakeError(f"{path} cannot be written: {error}") from error
    return rows.height


def _merge(hot: pl.DataFrame, path: Path) -> pl.DataFrame:
    frames = [hot]
    if path.exists():
        frames.append(read_partition(path))
    return pl.concat(frames).unique("trade_id", keep="first").sort("time_ms", "trade_id")


def _agrees(rows: pl.DataFrame, summary: HotPart) -> bool:
    ids = rows["trade_id"]
    exact = (rows.height, ids.min(), ids.max(), (rows["time_ms"] % HOUR_MS).sum())
    sums = (rows["price"].sum(), rows["qty"].sum())
    return exact == (summary.rows, summary.first_id, summary.last_id, summary.time_sum) and all(
        math.isclose(ours, theirs, rel_tol=_CLOSE)
        for ours, theirs in zip(sums, (summary.price_sum, summary.qty_sum), strict=True)
    )
