"""A lake that holds bars and nothing else: what a screen reads."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.quant.arrays import Floats

BEGIN = 1_700_000_040 // 60 * 60  # a whole minute


def walks(symbols: Sequence[str], bars: int, seed: int = 1) -> dict[str, Floats]:
    """Closes of each symbol; the second goes with the first, the others walk alone."""
    rng = np.random.default_rng(seed)
    logs = np.cumsum(rng.normal(0, 1e-3, (len(symbols), bars)), axis=1)
    logs[1] = 0.7 * logs[0] + rng.normal(0, 5e-4, bars)
    return {symbol: 100 * np.exp(log) for symbol, log in zip(symbols, logs, strict=True)}


def make_bar_lake(
    root: Path,
    closes: Mapping[str, Floats],
    *,
    start: int = BEGIN,
    length: int = 60,
    timeframe: str = "1m",
    idle: Mapping[str, Sequence[int]] | None = None,
    breaks: Sequence[tuple[int, int]] = (),
    opens: Mapping[str, Floats] | None = None,
) -> Lake:
    """`closes` (bars,) of each symbol from `start` on; NaN is no bar.

    `idle` says at which bars a symbol did not trade; a bar has a quote volume of 1,000 otherwise.
    A bar opens at its close unless `opens` (bars,) of its symbol says otherwise.
    """
    lake = Lake(root)
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        fill_bars(
            db, closes, start=start, length=length, timeframe=timeframe, idle=idle, opens=opens
        )
        db.executemany("INSERT INTO breaks VALUES (?, ?)", breaks)
    return lake


def fill_bars(
    db: sqlite3.Connection,
    closes: Mapping[str, Floats],
    *,
    start: int = BEGIN,
    length: int = 60,
    timeframe: str = "1m",
    idle: Mapping[str, Sequence[int]] | None = None,
    opens: Mapping[str, Floats] | None = None,
) -> None:
    """The same bars into an `analytics.db` of any version, after those that are there."""
    end = start
    for symbol, close in closes.items():
        still = set((idle or {}).get(symbol, ()))
        rows = []
        begun = (opens or {}).get(symbol, close)
        for at, price in enumerate(close.tolist()):
            if price == price:
                volume = (0.0, 0.0, 0.0, 0) if at in still else (9.0, 1_000.0, 4.0, 7)
                time = start + at * length
                first = float(begun[at])
                ohlc = (first, max(first, price), min(first, price), price)
                rows.append((symbol, timeframe, time, *ohlc, *volume))
        db.executemany(f"INSERT INTO bars VALUES ({', '.join('?' * 11)})", rows)
        db.execute(
            "INSERT OR IGNORE INTO first_bars VALUES (?, ?, ?)", (symbol, timeframe, rows[0][2])
        )
        end = max(end, rows[-1][2] + length)
    db.execute("INSERT OR REPLACE INTO progress VALUES ('final_time', ?)", (end,))
