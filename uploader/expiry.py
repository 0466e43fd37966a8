"""Objects that the lake has removed for good, by `storage.cold_keep_days`: they go as well.

The collector and the analytics job record what is removed; here it only leaves the bucket.
"""

from collections.abc import Iterator, Mapping

from spreadlake.lake import Lake
from spreadlake.lake.analytics.removal import removed_before
from spreadlake.lake.keeping import day_name, midnight
from spreadlake.lake.layout import DAY_MS
from spreadlake.lake.sizes import ColdKind
from spreadlake.lake.ticks.removal import removed_days, removed_spans
from spreadlake.series import TABLES
from spreadlake.status import snapshot
from uploader.finished import end_of
from uploader.ledger import Ledger


def expired(lake: Lake, ledger: Ledger, kept: Mapping[ColdKind, float]) -> list[str]:
    """The paths of objects whose days are on record as removed, of kinds that are not `kept`."""
    if not kept:
        return []
    paths = _of_trades(lake, ledger) if "ticks" in kept else iter(())
    return [*paths, *_of_analytics(lake, ledger, kept)]


def _of_trades(lake: Lake, ledger: Ledger) -> Iterator[str]:
    with snapshot(lake.ticks_db) as db:
        spans = [] if db is None else removed_spans(db, None, 0, 2**52)
        for symbol, start_ms, end_ms, _ in spans:
            folder = f"ticks/symbol={symbol}/date="
            first, last = (day_name(time_ms // 1000) for time_ms in (start_ms, end_ms))
            for path in ledger.under(f"{folder}{first}", f"{folder}{last}"):
                day_ms = midnight(path.split("date=")[1].partition("/")[0]) * 1000
                # One that was imported again is kept.
                if db is not None and removed_days(db, [symbol], day_ms, day_ms + DAY_MS):
                    yield path


def _of_analytics(lake: Lake, ledger: Ledger, kept: Mapping[ColdKind, float]) -> Iterator[str]:
    with snapshot(lake.analytics_db) as db:
        for table in TABLES.values():
            if db is None or table.name not in kept:
                continue
            before = dict[str, int]()
            for path in ledger.under(f"{table.name}/", f"{table.name}0"):
                _, timeframe, _, day, _ = path.split("/")
                timeframe = timeframe.removeprefix("timeframe=")
                if timeframe not in before:
                    before[timeframe] = removed_before(db, table, timeframe)
                if (end_of(day) or 2**40) <= before[timeframe]:
                    yield path
