"""Rolls finished hours of ticks from SQLite to Parquet.

The order of the steps is what keeps every trade in reach, whatever step is the last one before a
crash: the partition is written beside its place, synced, checked against SQLite and renamed; only
then is the roll recorded, and only after that are the rows deleted. Until the last row is gone a
trade may be in both places, and readers take it once. By the same rule the hours of a finished
day become one file.
"""

from collector.roll.compactor import compact_all
from collector.roll.finished import finished_before, next_roll_ms, over_before, tell_unfinished
from collector.roll.klines import roll_klines
from collector.roll.roller import Roller, roll_all

__all__ = [
    "Roller",
    "compact_all",
    "finished_before",
    "next_roll_ms",
    "over_before",
    "roll_all",
    "roll_klines",
    "tell_unfinished",
]
