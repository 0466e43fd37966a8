"""Trades that are stored and dated too far ahead to be followed: they wait in the lake.

Nothing is held of them but the minutes that they are of. When the clock comes near, they are read
from the lake and are trades like any other, so that the tables do not depend on when they came.
"""

from contextlib import closing

import polars as pl

from analytics_job.ticks.tail import TAIL_SCHEMA
from spreadlake.lake import Lake, open_reader, read_trades
from spreadlake.lake.ticks.hot import minutes_from
from spreadlake.trade_clock import NEAR_MS

_MINUTE_MS = 60_000
# They were read before: no restart has to read from them on again.
_SEQ = 2**62


class FutureTrades:
    """Holds back what is ahead of the watermark by more than one symbol may move it."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._minutes: set[int] = set()
        self._read_to_ms = 0

    def restore(self, final_ms: int, seq: int) -> None:
        """After a restart: what is not final, and was read before all that will be read again."""
        if not self._lake.ticks_db.exists():
            return
        with closing(open_reader(self._lake.ticks_db)) as db:
            self._minutes.update(minutes_from(db, final_ms, seq))
        self._read_to_ms = final_ms

    def hold_back(self, trades: pl.DataFrame, watermark_ms: int) -> pl.DataFrame:
        """The trades (TAIL_SCHEMA) that are near enough, and those that have become so."""
        near_ms = watermark_ms + NEAR_MS
        ahead = trades.filter(pl.col("time_ms") > near_ms)["time_ms"] // _MINUTE_MS
        if ahead.len():
            self._minutes.update(ahead.unique().to_list())
            trades = trades.filter(pl.col("time_ms") <= near_ms)
        due = sorted(minute for minute in self._minutes if minute * _MINUTE_MS <= near_ms)
        if not due:
            return trades
        stored = [self._stored(minute * _MINUTE_MS, near_ms) for minute in due]
        # The last of them may be near in part.
        self._minutes -= {minute for minute in due if (minute + 1) * _MINUTE_MS <= near_ms}
        self._read_to_ms = near_ms + 1
        return pl.concat([trades, *stored])

    def _stored(self, minute_ms: int, near_ms: int) -> pl.DataFrame:
        begin_ms = max(minute_ms, self._read_to_ms)
        end_ms = min(minute_ms + _MINUTE_MS, near_ms + 1)
        if begin_ms >= end_ms:
            return TAIL_SCHEMA.to_frame()
        trades = read_trades(self._lake, begin_ms, end_ms)
        return trades.with_columns(seq=pl.lit(_SEQ, pl.Int64)).select(TAIL_SCHEMA.names())
