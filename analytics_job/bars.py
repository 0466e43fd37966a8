"""Keeps the `bars` table: appends what is final, rebuilds what a late trade touches."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from spreadlake.bars import BARS_SCHEMA
from spreadlake.lake import Lake, read_trades
from spreadlake.lake.archive import archived_until, read_archive
from spreadlake.quant.resample import bars_before, carry, longer_bars, second_bars
from spreadlake.times import timeframe_seconds

__all__ = ["BarStore", "Changed"]

_NAMES = ", ".join(BARS_SCHEMA.names())
_LAST_SCHEMA = pl.Schema({"symbol": pl.String, "close": pl.Float64})
# Late seconds closer than this are read back as one range.
_NEAR_SECONDS = 60
_BUILD_SECONDS = 21_600  # 1s bars made into longer ones at a time
_LOOK_SECONDS = 3_600  # archived bars looked through at a time


@dataclass(frozen=True)
class Changed:
    """Bars of one symbol whose seconds lie in [start, end) were written again."""

    symbol: str
    start: int
    end: int


class BarStore:
    """The bars of all timeframes in `analytics.db`; runs inside the caller's transaction."""

    def __init__(self, db: sqlite3.Connection, lake: Lake, timeframes: Sequence[str]) -> None:
        self._db = db
        self._lake = lake
        self.lengths = {
            name: timeframe_seconds(name) for name in dict.fromkeys(["1s", *timeframes])
        }
        rows = db.execute("SELECT DISTINCT symbol FROM first_bars WHERE timeframe = '1s'")
        self._closes: dict[str, float | None] = dict.fromkeys(row[0] for row in rows)

    def append(self, trades: pl.DataFrame, start: int, end: int) -> None:
        """Writes the bars that become final when [start, end) seconds are, in every timeframe.

        `trades` are all trades of those seconds.
        """
        last = pl.DataFrame(
            [(s, self._last_close(s, start, c)) for s, c in self._closes.items()],
            schema=_LAST_SCHEMA,
            orient="row",
        ).drop_nulls()
        bars = carry(second_bars(trades), last, start, end)
        self.write("1s", bars)
        closes = bars.group_by("symbol", maintain_order=True).agg(pl.col("close").last())
        self._closes.update(closes.iter_rows())
        self._append_longer(start, end)

    def repair(self, late: pl.DataFrame, final: int) -> list[Changed]:
        """Rebuilds the bars before `final` that the trades `late` belong to, and what carries them.

        `late` has symbol and time_ms; the trades themselves are read from the lake, so that each
        bar is built from all of its trades.
        """
        changed = []
        for symbol, seconds in _late_seconds(late):
            for start, end in _ranges(seconds):
                changed.append(self._repair_range(symbol, start, end, final))
            self._closes[symbol] = None
        for change in changed:
            for timeframe, length in self.lengths.items():
                if length > 1:
                    self._rebuild_longer(timeframe, change, final)
        return changed

    def write(self, timeframe: str, bars: pl.DataFrame) -> None:
        """Inserts or replaces bars of BARS_SCHEMA."""
        self._db.executemany(
            f"INSERT OR REPLACE INTO bars(timeframe, {_NAMES}) "
            f"VALUES ('{timeframe}', {', '.join('?' * len(BARS_SCHEMA))})",
            bars.iter_rows(),
        )
        firsts = bars.group_by("symbol").agg(pl.col("time").min())
        self._db.executemany(
            f"INSERT INTO first_bars(timeframe, symbol, time) VALUES ('{timeframe}', ?, ?) "
            "ON CONFLICT DO UPDATE SET time = min(time, excluded.time)",
            firsts.iter_rows(),
        )

    def write_klines(self, timeframe: str, klines: pl.DataFrame) -> list[Changed]:
        """Bars of a timeframe from 1m klines, for the time before each symbol's first own bar."""
        length = self.lengths[timeframe]
        if length % 60:
            return []
        changed = []
        for symbol, first in self.first_bars("1s").items():
            own = klines.filter((pl.col("symbol") == symbol) & (pl.col("timeframe") == "1m"))
            end = first // length * length
            bars = bars_before(own, symbol, length, end)
            if bars.height and not bars.equals(
                self.read(timeframe, bars["time"][0], end, [symbol])
            ):
                self.write(timeframe, bars)
                changed.append(Changed(symbol, bars["time"][0], end))
        return changed

    def build(self, timeframe: str, final: int) -> None:
        """Every bar of a timeframe that ends at or before `final`, from the stored 1s bars."""
        length = self.lengths[timeframe]
        if length == 1:
            return
        step = max(length, _BUILD_SECONDS // length * length)
        for symbol, first in self.first_bars("1s").items():
            for low in range(first // length * length, final // length * length, step):
                high = min(low + step, final // length * length)
                self.write(timeframe, longer_bars(self.read("1s", low, high, [symbol]), length))

    def read(
        self, timeframe: str, start: int, end: int, symbols: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Stored bars with start <= time < end, by symbol and time."""
        names = sorted(self._closes) if symbols is None else sorted(symbols)
        rows: list[tuple[object, ...]] = []
        for symbol in names:
            rows += self._db.execute(
                f"SELECT {_NAMES} FROM bars "
                "WHERE symbol = ? AND timeframe = ? AND time >= ? AND time < ? ORDER BY time",
                (symbol, timeframe, start, end),
            ).fetchall()
        hot = pl.DataFrame(rows, schema=BARS_SCHEMA, orient="row")
        if start >= archived_until(self._db, timeframe):
            return hot
        return self._with_archived(hot, timeframe, start, end, names)

    def first_bars(self, timeframe: str) -> dict[str, int]:
        """Time (s) of the first bar of each symbol that has one."""
        rows = self._db.execute(
            "SELECT symbol, time FROM first_bars WHERE timeframe = ?", (timeframe,)
        )
        return dict(rows.fetchall())

    def _with_archived(
        self, hot: pl.DataFrame, timeframe: str, start: int, end: int, symbols: Sequence[str]
    ) -> pl.DataFrame:
        cold = [
            piece.select(BARS_SCHEMA.names())
            for symbol in symbols
            for piece in read_archive(self._db, self._lake, "bars", timeframe, symbol, start, end)
        ]
        merged = pl.concat([hot, *cold]).unique(["symbol", "time"], keep="first")
        return merged.sort("symbol", "time")

    def _last_close(self, symbol: str, before: int, known: float | None) -> float | None:
        if known is not None:
            return known
        bars = self.read("1s", before - 1, before, [symbol])
        return None if bars.is_empty() else float(bars["close"][0])

    def _append_longer(self, start: int, end: int) -> None:
        for timeframe, length in self.lengths.items():
            low, high = start // length * length, end // length * length
            if length > 1 and low < high:
                self.write(timeframe, longer_bars(self.read("1s", low, high), length))

    def _repair_range(self, symbol: str, start: int, end: int, final: int) -> Changed:
        """Rebuilds the seconds [start, end) and every carried one up to the next trade."""
        rebuilt = second_bars(read_trades(self._lake, start * 1000, end * 1000, [symbol]))
        stop = self._next_traded(symbol, end, final)
        close = self._last_close(symbol, start, None)
        last = pl.DataFrame([(symbol, close)], schema=_LAST_SCHEMA, orient="row").drop_nulls()
        self.write("1s", carry(rebuilt, last, start, stop))
        self._closes.setdefault(symbol, None)
        return Changed(symbol, start, stop)

    def _next_traded(self, symbol: str, start: int, final: int) -> int:
        """The next second from `start` on that has a trade; `final` if there is none."""
        while start < min(final, archived_until(self._db, "1s")):
            bars = self.read("1s", start, start + _LOOK_SECONDS, [symbol])
            traded = bars.filter(pl.col("trades") > 0)
            if traded.height:
                return int(traded["time"][0])
            start += _LOOK_SECONDS
        row = self._db.execute(
            "SELECT MIN(time) FROM bars "
            "WHERE symbol = ? AND timeframe = '1s' AND time >= ? AND trades > 0",
            (symbol, start),
        ).fetchone()
        return final if row[0] is None else int(row[0])

    def _rebuild_longer(self, timeframe: str, change: Changed, final: int) -> None:
        length = self.lengths[timeframe]
        low = change.start // length * length
        high = min(-(-change.end // length) * length, final // length * length)
        if low < high:
            seconds = self.read("1s", low, high, [change.symbol])
            self.write(timeframe, longer_bars(seconds, length))


def _late_seconds(late: pl.DataFrame) -> list[tuple[str, list[int]]]:
    seconds = (
        late.select("symbol", second=pl.col("time_ms") // 1000).unique().sort("symbol", "second")
    )
    grouped = seconds.group_by("symbol", maintain_order=True).agg("second")
    return [(symbol, list(values)) for symbol, values in grouped.iter_rows()]


def _ranges(seconds: list[int]) -> list[tuple[int, int]]:
    """Sorted seconds → ranges [start, end) that join those near one another."""
    ranges = [(seconds[0], seconds[0] + 1)]
    for second in seconds[1:]:
        if second - ranges[-1][1] <= _NEAR_SECONDS:
            ranges[-1] = (ranges[-1][0], second + 1)
        else:
            ranges.append((second, second + 1))
    return ranges
