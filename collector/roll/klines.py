"""Moves klines that imports of before left in SQLite to their files."""

import logging
import sqlite3

from spreadlake.lake import Lake
from spreadlake.lake.ticks.klines import kline_extent
from spreadlake.lake.ticks.symbols import newest_trade_ms

log = logging.getLogger(__name__)

# Those of the last days stay: a start asks SQLite what was traded of late.
_KEPT_SECONDS = 2 * 86_400


def roll_klines(lake: Lake, db: sqlite3.Connection, wanted_ms: int | None) -> int:
    """Moves klines older than two days, by the newest trade or kline; returns how many.

    `wanted_ms`: none from then on.
    """
    # Polars is needed for it alone, and not small.
    from spreadlake.lake.ticks.kline_files import move_klines  # noqa: PLC0415

    extent = kline_extent(db)
    if extent is None:
        return 0
    before = max(extent.end, (newest_trade_ms(db) or 0) // 1000) - _KEPT_SECONDS
    if wanted_ms is not None:
        before = min(before, wanted_ms // 1000)
    if number := move_klines(lake, db, before):
        log.info("klines moved to %s: %d", lake.klines_dir, number)
    return number
