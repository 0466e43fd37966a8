"""Which hours are finished, and what is said of one that `roll --before` names and is not."""

import logging
import sqlite3
import time

from spreadlake.lake import HOUR_MS, hour_of
from spreadlake.lake.ticks.hot import next_hour
from spreadlake.lake.ticks.symbols import newest_trade_ms
from spreadlake.times import iso_utc

log = logging.getLogger(__name__)


def finished_before(watermark_ms: int, after_hours: int) -> int:
    """Hours that end at or before this time (ms) are finished.

    The clock is the watermark, the greatest trade time stored, not the local one.
    """
    return hour_of(watermark_ms - after_hours * HOUR_MS)


def next_roll_ms(watermark_ms: int, after_hours: int) -> int:
    """The trade time (ms) at which the hour that is next in line rolls."""
    return finished_before(watermark_ms, after_hours) + (1 + after_hours) * HOUR_MS


def over_before(db: sqlite3.Connection, wanted_ms: int | None) -> int:
    """Hours that end at or before this time (ms) can be rolled, of those that `wanted_ms` means.

    Without `wanted_ms` trades alone tell that an hour is over. With it the local clock does as
    well: a lake of long ago has no trade that would end its last hour. An hour that is not over
    is never rolled, whatever was wanted.
    """
    ended_ms = finished_before(newest_trade_ms(db) or 0, 0)
    if wanted_ms is None:
        return ended_ms
    return min(wanted_ms, max(ended_ms, finished_before(time.time_ns() // 1_000_000, 0)))


def tell_unfinished(db: sqlite3.Connection, wanted_ms: int | None) -> None:
    """Says which trades before `wanted_ms` have stayed, because their hour cannot be rolled yet."""
    hour = None if wanted_ms is None else next_hour(db, 0)
    if hour is None or wanted_ms is None or hour.hour_ms >= wanted_ms:
        return
    log.warning(
        "trades from %s on stay in ticks.db: their hour is not over, or ends after --before",
        iso_utc(hour.hour_ms // 1000),
    )
