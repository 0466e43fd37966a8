"""Sorts a stream of trades into hours. Pure.

An hour is handed out when the stream has passed it. Trades of it that come later still are handed
out again, as another piece of the same hour; so the order of a file costs time at most.
"""

from collections.abc import Iterator

import polars as pl

from spreadlake.lake.layout import HOUR_MS

_MOST_ROWS = 4_000_000


class HourBuffer:
    """Holds the trades of hours that are not passed yet, at most some `most_rows` of them."""

    def __init__(self, most_rows: int = _MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._parts: dict[int, list[pl.DataFrame]] = {}
        self.rows = 0

    def add(self, trades: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
        """Takes trades in; hands out (start of the hour in ms, its trades)."""
        hour = (pl.col("time_ms") // HOUR_MS * HOUR_MS).alias("hour")
        parts = trades.with_columns(hour).partition_by("hour", as_dict=True, include_key=False)
        for key, part in parts.items():
            self._parts.setdefault(int(key[0]), []).append(part)
        self.rows += trades.height
        newest = max(self._parts, default=0)
        yield from self._hand_out([hour for hour in sorted(self._parts) if hour < newest])
        if self.rows > self._most_rows:
            yield from self.rest()

    def rest(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """Hands out everything that is left."""
        yield from self._hand_out(sorted(self._parts))

    def _hand_out(self, hours: list[int]) -> Iterator[tuple[int, pl.DataFrame]]:
        for hour in hours:
            trades = pl.concat(self._parts.pop(hour))
            self.rows -= trades.height
            yield hour, trades
