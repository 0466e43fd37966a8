"""One partition: an hour of one symbol as a Parquet file, checked against SQLite."""

import math
from pathlib import Path

import polars as pl

from collector.roll.hot import HotPart
from spreadlake.errors import LakeError
from spreadlake.lake import HOUR_MS
from spreadlake.lake.parquet import write_durably
from spreadlake.lake.trades import TRADES_SCHEMA

__all__ = ["write_partition"]

_CLOSE = 1e-9


def write_partition(path: Path, hot: pl.DataFrame, summary: HotPart) -> int:
    """Puts the rows of `hot`, and what is at `path` already, at `path`; returns how many there are.

    As durably as `write_durably` does. LakeError also if what is at `path` cannot be read, or if
    what was written is not what SQLite says of the hot rows in `summary`: then `path` stays as
    it was.
    """
    rows = _merge(hot, path)

    def check(written: pl.DataFrame) -> None:
        own = written.join(hot.select("trade_id"), on="trade_id", how="semi")
        if not _agrees(own, summary):
            raise LakeError(f"{path} would not hold what SQLite does; the hour stays in ticks.db")

    write_durably(rows, path, check)
    return rows.height


def _merge(hot: pl.DataFrame, path: Path) -> pl.DataFrame:
    frames = [hot]
    if path.exists():
        try:
            frames.append(pl.read_parquet(path, hive_partitioning=False).cast(TRADES_SCHEMA))
        except pl.exceptions.PolarsError as error:
            raise LakeError(f"{path} cannot be read: {error}") from error
    return pl.concat(frames).unique("trade_id", keep="first").sort("time_ms", "trade_id")


def _agrees(rows: pl.DataFrame, summary: HotPart) -> bool:
    ids = rows["trade_id"]
    exact = (rows.height, ids.min(), ids.max(), (rows["time_ms"] % HOUR_MS).sum())
    sums = (rows["price"].sum(), rows["qty"].sum())
    return exact == (summary.rows, summary.first_id, summary.last_id, summary.time_sum) and all(
        math.isclose(ours, theirs, rel_tol=_CLOSE)
        for ours, theirs in zip(sums, (summary.price_sum, summary.qty_sum), strict=True)
    )
