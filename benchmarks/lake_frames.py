"""A lake in Python: one symbol, one day and two columns, against reading all there is.

`python -m benchmarks.lake_frames --symbols 100 --days 30` for a market's month of 1m bars.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

import spreadlake
from spreadlake.lake import Lake, atomic, claim, open_analytics_writer, open_ticks_writer
from spreadlake.lake.analytics.archive import Piece
from spreadlake.lake.layout import DAY_MS, HOUR_MS
from spreadlake.series import BARS
from spreadlake.trades import TICK_COLUMNS

SYMBOLS, DAYS, TRADES = 20, 10, 5_000  # trades of a symbol and day
START = 1_789_948_800  # a midnight
DAY = 86_400


def main(symbols: int = SYMBOLS, days: int = DAYS) -> None:
    """Prints one line a figure."""
    with tempfile.TemporaryDirectory() as folder:
        names = [f"S{number:03}USDT" for number in range(symbols)]
        make_lake(Lake(Path(folder)), names, days)
        lake = spreadlake.open(folder)
        begin, end = (
            datetime.fromtimestamp(START + n * DAY, UTC) for n in (days // 2, days // 2 + 1)
        )
        one = names[symbols // 2]
        _compare(
            f"1m bars of {symbols} symbols and {days} days",
            lambda: lake.bars(one, start=begin, end=end).select("time", "close").collect(),
            lambda: lake.bars().collect(),
        )
        _compare(
            f"{symbols * days * TRADES:,} trades of {symbols} symbols and {days} days",
            lambda: lake.trades(one, begin, end).select("time", "price").collect(),
            lambda: lake.trades().collect(),
        )


def _compare(
    what: str, some: Callable[[], pl.DataFrame], every: Callable[[], pl.DataFrame]
) -> None:
    asked, whole = min(_cost(some) for _ in range(5)), _cost(every)
    print(
        f"lake_frames: {what}: one symbol, one day, two columns {asked[0] * 1e3:.0f} ms and "
        f"{asked[1] / 1e6:.2f} MB read, all {whole[0]:.1f} s and {whole[1] / 1e6:.0f} MB: "
        f"ratio {whole[0] / asked[0]:.0f}, of bytes {whole[1] / max(asked[1], 1):.0f}"
    )


def _cost(read: Callable[[], pl.DataFrame]) -> tuple[float, int]:
    """Seconds, and bytes that were read from files."""
    before, begin = _bytes_read(), time.perf_counter()
    read()
    return time.perf_counter() - begin, _bytes_read() - before


def _bytes_read() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("rchar"))


def make_lake(lake: Lake, names: list[str], days: int) -> None:
    """All days but the last are in Parquet, one file a symbol and day."""
    rng = np.random.default_rng(1)
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        for name in names:
            for day in range(days):
                _store_bars(lake, db, name, START + day * DAY, _bars(rng), cold=day < days - 1)
            db.execute("INSERT INTO first_bars VALUES (?, '1m', ?)", (name, START))
        progress = [("final_time", START + days * DAY), ("archived:1m", START + (days - 1) * DAY)]
        db.executemany("INSERT INTO progress VALUES (?, ?)", progress)
    with closing(open_ticks_writer(lake)) as db:
        claim(db, lake, "aggTrade", "exchange")
        with atomic(db):
            for name in names:
                for day in range(days):
                    trades = _trades(rng, day)
                    _store_trades(lake, db, name, trades, cold=day < days - 1)
                last_ms = (START + days * DAY) * 1000 - 1
                row = (name, 1, days * TRADES, last_ms, 1.0, days * TRADES)
                db.execute("INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?)", row)


def _store_bars(
    lake: Lake, db: sqlite3.Connection, name: str, start: int, bars: pl.DataFrame, *, cold: bool
) -> None:
    bars = bars.with_columns(pl.col("time") + start)
    if cold:
        path = Piece.at(BARS, "1m", name, start).path(lake)
        path.parent.mkdir(parents=True)
        bars.write_parquet(path)
        return
    into = f"INSERT INTO bars VALUES (?, '1m', {', '.join('?' * bars.width)})"
    db.executemany(into, [(name, *row) for row in bars.rows()])


def _store_trades(
    lake: Lake, db: sqlite3.Connection, name: str, trades: pl.DataFrame, *, cold: bool
) -> None:
    if cold:
        path = lake.tick_day(name, trades["time_ms"][0])
        path.parent.mkdir(parents=True)
        trades.write_parquet(path)
        hours = (trades["time_ms"] // HOUR_MS * HOUR_MS).value_counts().rows()
        db.executemany(
            "INSERT INTO rolls(symbol, hour_ms, rows, max_seq, rolled_ms, day_rows) "
            "VALUES (?, ?, ?, 0, 0, ?)",
            [(name, hour, rows, rows) for hour, rows in hours],
        )
        return
    columns = ("symbol", *trades.columns)
    into = f"INSERT INTO ticks({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    db.executemany(into, [(name, *row) for row in trades.rows()])


def _bars(rng: np.random.Generator) -> pl.DataFrame:
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, 1440)))
    volume = rng.exponential(1, 1440)
    prices = dict.fromkeys(("open", "high", "low", "close"), close)
    sums = {"volume": volume, "quote_volume": volume * close, "taker_buy_volume": volume / 2}
    trades = rng.integers(1, 50, 1440)
    return pl.DataFrame({"time": 60 * np.arange(1440), **prices, **sums, "trades": trades})


def _trades(rng: np.random.Generator, day: int) -> pl.DataFrame:
    ids = day * TRADES + np.arange(1, TRADES + 1)
    times = (START + day * DAY) * 1000 + np.sort(rng.integers(0, DAY_MS, TRADES))
    values = {
        "trade_id": ids,
        "time_ms": times,
        "price": np.round(100 * np.exp(np.cumsum(rng.normal(0, 1e-4, TRADES))), 2),
        "qty": np.round(rng.exponential(1, TRADES), 3),
        "buyer_is_maker": rng.integers(0, 2, TRADES),
        "first_trade_id": 3 * ids,
        "last_trade_id": 3 * ids + 2,
        "qty_ex_rpi": np.ones(TRADES),
        "received_ms": times + 5,
    }
    return pl.DataFrame({name: values[name] for name in TICK_COLUMNS if name in values})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--symbols", type=int, default=SYMBOLS)
    parser.add_argument("--days", type=int, default=DAYS)
    arguments = parser.parse_args()
    main(arguments.symbols, arguments.days)
