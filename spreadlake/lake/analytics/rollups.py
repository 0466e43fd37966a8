"""Rolled-up rows of pair analytics in `analytics.db`: the table `pair_rollups`."""

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def save_rollups(db: sqlite3.Connection, rollups: "pl.DataFrame") -> None:
    """Writes what `roll_up` gave, in place of what was there of the same spans.

    In the caller's transaction.
    """
    db.executemany(
        f"INSERT OR REPLACE INTO pair_rollups({', '.join(rollups.columns)}) "
        f"VALUES ({', '.join('?' * rollups.width)})",
        rollups.rows(),
    )
