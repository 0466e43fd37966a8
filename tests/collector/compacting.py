"""A lake with finished days to compact, and what it holds."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import polars as pl

from collector.roll import compact_all, roll_all
from spreadlake.lake import HOUR_MS, Lake, read_trades
from spreadlake.trades import TradeEvent
from tests.collector.lakes import PER_HOUR, START_MS, A, B, fill, quick_writer, trade, trades

HOURS = 4
FIRST_MS = START_MS - 2 * HOUR_MS  # 21:00: three hours of a day, and one of the next
MIDNIGHT_MS = START_MS + HOUR_MS
END_MS = FIRST_MS + HOURS * HOUR_MS
IDS = range(HOURS * PER_HOUR)


def earlier(ids: Iterable[int], symbol: str = A) -> list[TradeEvent]:
    """A trade every 20 s from `FIRST_MS` on."""
    events = trades(ids, symbol)
    for event in events:
        event.time_ms -= START_MS - FIRST_MS
    return events


def late_trade() -> TradeEvent:
    """A trade of the first hour that comes last."""
    late = trade(10**6)
    late.time_ms = FIRST_MS + 5
    return late


def rolled_day(root: Path) -> Lake:
    """Two symbols, all of their hours rolled, the three of the first day among them."""
    lake = Lake(root)
    fill(lake, earlier(IDS), earlier(IDS, B))
    with closing(quick_writer(lake)) as db:
        roll_all(lake, db, END_MS)
    return lake


def compact(lake: Lake, before_ms: int = END_MS) -> int:
    """Compacts the days that are over by then; how many that were."""
    with closing(quick_writer(lake)) as db:
        return compact_all(lake, db, before_ms)


def all_trades(lake: Lake) -> pl.DataFrame:
    return read_trades(lake, FIRST_MS, END_MS)


def files(lake: Lake) -> list[str]:
    """Every file below ticks/, without the symbol's own folder name."""
    return sorted(str(p.relative_to(lake.ticks_dir)) for p in lake.ticks_dir.rglob("*.*"))


def by_others(lake: Lake) -> list[tuple[str, int]]:
    """(symbol, id) of all rows that a reader of the folder as one table finds."""
    found = pl.read_parquet(f"{lake.ticks_dir}/**/*.parquet", hive_partitioning=True)
    return sorted(found.select("symbol", "trade_id").rows())
