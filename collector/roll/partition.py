"""One partition: an hour of one symbol as a Parquet file, written so that it is there or not."""

import math
import os
from pathlib import Path

import polars as pl

from collector.roll.hot import HotPart
from spreadlake.errors import LakeError
from spreadlake.lake.trades import TRADES_SCHEMA

__all__ = ["write_partition"]

_CLOSE = 1e-9


def write_partition(path: Path, hot: pl.DataFrame, summary: HotPart) -> int:
    """Puts the rows of `hot`, and what is at `path` already, at `path`; returns how many there are.

    Written beside its place, synced, read back, checked, renamed, synced. LakeError if what is
    read back is not what was written, or not what SQLite says of the hot rows in `summary`. The
    name beside it is always the same, so that what a crash leaves there is written over.
    """
    beside = path.with_name(f"{path.name}.writing")
    try:
        rows = _merge(hot, path)
        _make_folders(path.parent)
        _write(beside, rows)
        _check(beside, rows, hot, summary)
        beside.replace(path)
    except pl.exceptions.PolarsError as error:
        raise LakeError(f"{path}: {error}") from error
    finally:
        # Gone already, unless something went wrong; on a full disk its room is needed.
        beside.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return rows.height


def _write(path: Path, rows: pl.DataFrame) -> None:
    with path.open("wb") as file:
        rows.write_parquet(file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def _check(path: Path, rows: pl.DataFrame, hot: pl.DataFrame, summary: HotPart) -> None:
    written = pl.read_parquet(path, hive_partitioning=False)
    own = written.join(hot.select("trade_id"), on="trade_id", how="semi")
    if not written.equals(rows) or not _agrees(own, summary):
        raise LakeError(f"{path} does not hold what was written; the hour stays in ticks.db")


def _merge(hot: pl.DataFrame, path: Path) -> pl.DataFrame:
    frames = [hot]
    if path.exists():
        frames.append(pl.read_parquet(path, hive_partitioning=False).cast(TRADES_SCHEMA))
    return pl.concat(frames).unique("trade_id", keep="first").sort("time_ms", "trade_id")


def _agrees(rows: pl.DataFrame, summary: HotPart) -> bool:
    ids = rows["trade_id"]
    exact = (rows.height, ids.min(), ids.max(), rows["time_ms"].sum())
    sums = (rows["price"].sum(), rows["qty"].sum())
    return exact == (summary.rows, summary.first_id, summary.last_id, summary.time_sum) and all(
        math.isclose(ours, theirs, rel_tol=_CLOSE)
        for ours, theirs in zip(sums, (summary.price_sum, summary.qty_sum), strict=True)
    )


def _make_folders(folder: Path) -> None:
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        _sync_folder(one.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
