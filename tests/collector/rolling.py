"""A lake to roll, and what it holds."""

from contextlib import closing
from pathlib import Path

import polars as pl

from collector.roll import roll_all
from spreadlake.lake import HOUR_MS, Lake, read_trades
from tests.collector.lakes import PER_HOUR, START_MS, B, fill, quick_writer, trades

HOURS = 3
END_MS = START_MS + HOURS * HOUR_MS


def three_hours(root: Path) -> Lake:
    """Two symbols, `HOURS` hours of each."""
    lake = Lake(root)
    fill(lake, trades(range(HOURS * PER_HOUR)), trades(range(HOURS * PER_HOUR), B))
    return lake


def roll_until(lake: Lake, before_ms: int) -> int:
    """Rolls what ends by then; how many hours that was."""
    with closing(quick_writer(lake)) as db:
        return roll_all(lake, db, before_ms)


def everything(lake: Lake) -> pl.DataFrame:
    """All trades of the three hours, hot and cold."""
    return read_trades(lake, START_MS, END_MS)
