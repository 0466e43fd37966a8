"""When trades were, by their ids: what is around a gap is found without reading every file."""

import json
import sqlite3
from collections.abc import Collection

import polars as pl

from spreadlake.errors import DamagedFileError
from spreadlake.lake.files import matching
from spreadlake.lake.layout import Lake
from spreadlake.lake.ticks.partitions import ids_in_partition, partition_or_none
from spreadlake.schemas import TICKS_SCHEMA

_SCHEMA = pl.Schema({name: TICKS_SCHEMA[name] for name in ("symbol", "trade_id", "time_ms")})


def times_of_ids(
    db: sqlite3.Connection, lake: Lake, symbol: str, ids: Collection[int]
) -> dict[int, int]:
    """The times (ms) of those trades of a symbol that the lake has, in SQLite or in Parquet.

    A file whose range of ids has none of them is not read, and one that cannot be is left out.
    """
    rows = db.execute(
        "SELECT trade_id, time_ms FROM ticks WHERE symbol = ? "
        "AND trade_id IN (SELECT value FROM json_each(?))",
        (symbol, json.dumps(sorted(ids))),
    ).fetchall()
    found = dict(rows)
    # Files of hours before that of their day, which takes their place.
    folder = lake.tick_partition(symbol, 0).parent.parent
    for path in matching(lake, folder, "date=*/*.parquet"):
        left = [one for one in ids if one not in found]
        if not left:
            break
        try:
            first, last = ids_in_partition(lake, path)
            inside = [one for one in left if first <= one <= last]
            if inside:
                where = pl.col("trade_id").is_in(inside)
                found.update(
                    partition_or_none(lake, path, _SCHEMA, where)
                    .select("trade_id", "time_ms")
                    .rows()
                )
        except (OSError, ValueError, DamagedFileError):
            continue
    return found
