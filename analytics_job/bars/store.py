"""Keeps the `bars` table: appends what is final, rebuilds what a late trade touches."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from analytics_job.bars.kline_runs import KlineRuns, first_in_a_row
from analytics_job.bars.spans import SpanStore, merge_ranges
from analytics_job.bars.stops import Stops
from spreadlake.lake import Lake, read_trades
from spreadlake.lake.analytics.rows import archived_until, read_bars
from spreadlake.quant.breaks import Piece
from spreadlake.quant.resample import carried, carry, longer_bars, second_bars
from spreadlake.schemas import BARS_SCHEMA
from spreadlake.times import timeframe_seconds

_NAMES = ", ".join(BARS_SCHEMA.names())
_LAST_SCHEMA = pl.Schema({"symbol": pl.String, "close": pl.Float64})
# Late seconds closer than this are read back as one range.
_NEAR_SECONDS = 60
_LOOK_SECONDS = 3_600  # archived bars looked through at a time


@dataclass(frozen=True)
class ChangedBars:
    """Bars of one symbol whose seconds lie in [start, end) were written again."""

    symbol: str
    start: int
    end: int


class BarStore:
    """The bars of all timeframes in `analytics.db`; runs inside the caller's transaction."""

    def __init__(
        self, db: sqlite3.Connection, lake: Lake, timeframes: Sequence[str], spans: SpanStore
    ) -> None:
        self._db = db
        self._lake = lake
        self._store = spans
        self._spans = spans.spans
        self.stops = Stops(
            lake, spans, lambda start, end, symbol: self.read("1s", start, end, [symbol])
        )
        self.kline_runs = KlineRuns(db, spans.spans.limit)
        self.lengths = {
            name: timeframe_seconds(name) for name in dict.fromkeys(["1s", *timeframes])
        }
        rows = db.execute("SELECT DISTINCT symbol FROM first_bars WHERE timeframe = '1s'")
        self._symbols = {row[0] for row in rows}
        # Closes of the last second that is final, of the symbols that have a bar there.
        self._last: pl.DataFrame | None = None

    def append(self, trades: pl.DataFrame, start: int, end: int) -> None:
        """Writes the bars that become final when [start, end) seconds are, in every timeframe.

        `trades` are all trades of those seconds.
        """
        pieces = [self._before(start, end)]
        for piece in self._spans.within(start, end):
            second = pl.col("time_ms") // 1000
            own = trades.filter((second >= piece.start) & (second < piece.end))
            last = _LAST_SCHEMA.to_frame() if piece.begins else self._closes_before(piece.start)
            bars = self._write_seconds(self._carried(own, last, piece), last)
            self._last = bars.filter(pl.col("time") == piece.end - 1).select("symbol", "close")
            pieces.append(bars)
        seconds = pl.concat(pieces).sort("symbol", "time").rechunk()
        for timeframe, length in self.lengths.items():
            low, high = start // length * length, end // length * length
            if length > 1 and low < high:
                inside = (pl.col("time") >= low) & (pl.col("time") < high)
                self.write(timeframe, longer_bars(seconds.filter(inside), length))

    def repair(
        self, late: pl.DataFrame, covered: Sequence[tuple[int, int]], final: int
    ) -> list[ChangedBars]:
        """Rebuilds the bars before `final` that the trades `late` belong to, and what carries them.

        `late` has symbol and time_ms; the trades themselves are read from the lake, so that each
        bar is built from all of its trades. `covered` are ranges [start, end) of seconds that
        were in a break before these trades came: every symbol may have bars there now.
        """
        changed: list[ChangedBars] = []
        self.stops.forget()
        for start, end, symbols in self._dirty(late, covered):
            changed += self._rebuild(start, min(end, final), symbols, final)
        self._store.grown(covered)
        self._last = None
        self.stops.forget()
        for timeframe, length in self.lengths.items():
            if length > 1:
                self._rebuild_longer(timeframe, changed, final)
        return changed

    def write(self, timeframe: str, bars: pl.DataFrame) -> None:
        """Inserts or replaces bars of BARS_SCHEMA."""
        self._db.executemany(
            f"INSERT OR REPLACE INTO bars(timeframe, {_NAMES}) "
            f"VALUES ('{timeframe}', {', '.join('?' * len(BARS_SCHEMA))})",
            bars.rows(),
        )
        self.note_firsts(timeframe, bars)

    def note_firsts(self, timeframe: str, bars: pl.DataFrame) -> None:
        """Remembers when each symbol begins; bars of BARS_SCHEMA that are written anywhere."""
        firsts = bars.group_by("symbol").agg(pl.col("time").min())
        self._db.executemany(
            f"INSERT INTO first_bars(timeframe, symbol, time) VALUES ('{timeframe}', ?, ?) "
            "ON CONFLICT DO UPDATE SET time = min(time, excluded.time)",
            firsts.iter_rows(),
        )

    def build(self, timeframe: str, start: int, end: int) -> list[ChangedBars]:
        """Bars of a timeframe from the stored 1s bars of the seconds [start, end), whole bars."""
        length, changed = self.lengths[timeframe], []
        for symbol in sorted(self._symbols):
            bars = longer_bars(self.read("1s", start, end, [symbol]), length)
            if bars.height:
                self.write(timeframe, bars)
                low, high = int(bars["time"][0]), int(bars["time"][-1]) + length
                changed.append(ChangedBars(symbol, low, high))
        return changed

    def read(
        self, timeframe: str, start: int, end: int, symbols: Sequence[str] | None = None
    ) -> pl.DataFrame:
        """Stored bars with start <= time < end, by symbol and time."""
        names = sorted(self._symbols if symbols is None else symbols)
        return read_bars(self._db, self._lake, names, timeframe, start, end)

    def first_bars(self, timeframe: str) -> dict[str, int]:
        """Time (s) of the first bar of each symbol that has one."""
        rows = self._db.execute(
            "SELECT symbol, time FROM first_bars WHERE timeframe = ?", (timeframe,)
        )
        return dict(rows.fetchall())

    def has(self, symbol: str) -> bool:
        """Whether there are bars of a symbol's own trades."""
        return symbol in self._symbols

    @property
    def symbols(self) -> int:
        """How many symbols have bars of their own trades."""
        return len(self._symbols)

    def last_bar(self, length: int, final: int) -> int:
        """Number of the last bar of `length` that is final; bars may be missing before it."""
        covered = self._spans.last_before(final)
        last = -1 if covered is None else covered
        if length % 60 == 0:
            last = max(last, min(self.kline_runs.end, final) - 1)
        return min(final // length - 1, last // length)

    def bar_ranges(self, length: int, start: int, end: int) -> list[tuple[int, int]]:
        """Bars [low, high) of those that end in (start, end] and were traded in, in order."""
        low, high = start // length, end // length
        pieces = self._spans.within(low * length, high * length)
        return merge_ranges((p.start // length, -(-p.end // length)) for p in pieces)

    def run_start(self, timeframe: str, symbol: str, number: int) -> int:
        """The first of a symbol's bars in a row up to the bar `number`; it is its own if alone."""
        length = self.lengths[timeframe]
        own = self._store.own(symbol, 0, (number + 1) * length)
        ranges = [(start // length, -(-end // length)) for start, end in own]
        if length % 60 == 0:
            ranges += self._kline_ranges(symbol, length)
        first = first_in_a_row(ranges, number)
        return max(self.cuts(length, first + 1, number + 1), default=first)

    def _kline_ranges(self, symbol: str, length: int) -> list[tuple[int, int]]:
        """Bars [low, high) that klines make, with those that carry them up to the next join."""
        ranges = []
        for start, end in self.kline_runs.of(symbol):
            join = self._store.next_join(symbol, end)
            near = join is not None and join - end <= self._spans.limit
            stop = (join or 0) // length if near else -(-end // length)
            ranges.append((-(-start // length), stop))
        return ranges

    def cuts(self, length: int, low: int, high: int) -> list[int]:
        """Bars in [low, high) before which no window reaches, though there may be bars."""
        return self._spans.cuts(length, low, high)

    def _before(self, start: int, end: int) -> pl.DataFrame:
        """1s bars before `start` of the longer bars that become final up to `end`."""
        ending = [n for n in self.lengths.values() if start // n < end // n]
        low = min((start // length * length for length in ending), default=start)
        return self.read("1s", low, start) if low < start else BARS_SCHEMA.to_frame()

    def _closes_before(self, second: int, symbols: Sequence[str] | None = None) -> pl.DataFrame:
        if symbols is None and self._last is not None:
            return self._last
        return self.read("1s", second - 1, second, symbols).select("symbol", "close")

    def _write_seconds(self, bars: pl.DataFrame, last: pl.DataFrame) -> pl.DataFrame:
        """Writes 1s bars; `last` has the symbols that do not join with them."""
        self.write("1s", bars)
        new = bars.join(last, on="symbol", how="anti")
        self._store.join(self._store.first_of(new))
        self._symbols.update(new["symbol"].unique())
        return bars

    def _carried(self, trades: pl.DataFrame, last: pl.DataFrame, piece: Piece) -> pl.DataFrame:
        bars = carry(second_bars(trades), last, piece.start, piece.end)
        return self.stops.cut(bars, piece.start, piece.end)

    def _dirty(
        self, late: pl.DataFrame, covered: Sequence[tuple[int, int]]
    ) -> Iterable[tuple[int, int, list[str]]]:
        """Ranges of seconds to build again in order, and the symbols whose bars change in each."""
        seconds = late.select("symbol", second=pl.col("time_ms") // 1000).unique()
        points = seconds["second"].unique().sort().to_list()
        seconds_late = ((at, at + 1) for at in points)
        ranges = merge_ranges([*seconds_late, *covered], _NEAR_SECONDS)
        for start, end in ranges:
            own = seconds.filter((pl.col("second") >= start) & (pl.col("second") < end))
            symbols = set(own["symbol"].unique())
            if any(low < end and high > start for low, high in covered):
                symbols |= self._symbols
            yield start, end, sorted(symbols)

    def _rebuild(self, start: int, end: int, symbols: list[str], final: int) -> list[ChangedBars]:
        """Rebuilds the seconds [start, end) and every carried one up to the next trade."""
        trades = read_trades(self._lake, start * 1000, end * 1000, symbols)
        stops = dict.fromkeys(symbols, end)
        for piece in self._spans.within(start, end):
            second = pl.col("time_ms") // 1000
            own = trades.filter((second >= piece.start) & (second < piece.end))
            known = _LAST_SCHEMA.to_frame()
            if not piece.begins:
                known = self._closes_before(piece.start, symbols)
            bars = self._carried(own, known, piece)
            self._write_seconds(bars, known)
            if piece.end == end:
                closes = bars.filter(pl.col("time") == end - 1).select("symbol", "close")
                stops |= self._carry_on(closes, end, final)
        self._store.settle(symbols, start, end)
        return [ChangedBars(symbol, start, stop) for symbol, stop in stops.items()]

    def _carry_on(self, closes: pl.DataFrame, start: int, final: int) -> dict[str, int]:
        """Carries closes from `start` to each symbol's next trade, or the end of the span."""
        span = self._spans.span_of(start)
        end = start if span is None else min(final, span[1] + 1)
        if end <= start or span is None or span[0] == start:
            return {}
        stops = {
            symbol: self.stops.carried_until(symbol, start, self._next_traded(symbol, start, end))
            for symbol in closes["symbol"]
        }
        rows = [(symbol, close, start, stops[symbol]) for symbol, close in closes.rows()]
        schema = pl.Schema([*_LAST_SCHEMA.items(), ("start", pl.Int64()), ("end", pl.Int64())])
        self.write("1s", carried(pl.DataFrame(rows, schema=schema, orient="row")))
        return stops

    def _next_traded(self, symbol: str, start: int, end: int) -> int:
        """The next second from `start` on that has a trade; `end` if there is none before it."""
        while start < min(end, archived_until(self._db, "1s")):
            bars = self.read("1s", start, min(start + _LOOK_SECONDS, end), [symbol])
            traded = bars.filter(pl.col("trades") > 0)
            if traded.height:
                return int(traded["time"][0])
            start += _LOOK_SECONDS
        row = self._db.execute(
            "SELECT MIN(time) FROM bars "
            "WHERE symbol = ? AND timeframe = '1s' AND time >= ? AND time < ? AND trades > 0",
            (symbol, start, end),
        ).fetchone()
        return end if row[0] is None else int(row[0])

    def _rebuild_longer(self, timeframe: str, changes: Sequence[ChangedBars], final: int) -> None:
        length = self.lengths[timeframe]
        touched: dict[tuple[int, int], list[str]] = {}
        for change in changes:
            low = change.start // length * length
            high = min(-(-change.end // length) * length, final // length * length)
            if low < high:
                touched.setdefault((low, high), []).append(change.symbol)
        for (low, high), symbols in touched.items():
            self.write(timeframe, longer_bars(self.read("1s", low, high, symbols), length))
