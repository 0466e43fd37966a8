"""A lake of a whole day of 1s bars, made in seconds: what long ranges are drawn and measured on."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl

from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.analytics.definition import SeriesDefinition, save_prices
from spreadlake.pairs import Pair
from spreadlake.research.pair_series import computed_rows
from spreadlake.series import SeriesKey
from tests.grafana.lake_fixture import FixtureLake
from tests.rollups import store_rollups

DAY = 86_400
SYMBOLS = (
    "BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "LINKUSDT",
    "LTCUSDT", "AVAXUSDT",
)  # fmt: skip
_PRICES = (64_000, 3_100, 150, 600, 0.52, 0.1234, 0.41, 14.2, 82, 27)
_DIGITS = (1, 2, 2, 2, 4, 5, 4, 3, 2, 3)
KEPT, OTHER = Pair("BTCUSDT", "ETHUSDT"), Pair("BTCUSDT", "BNBUSDT")
WINDOW, LOOKBACK = 60, 300
# Seconds from the start in which there are no bars at all, and in which one leg has no trade.
BREAK, SILENT = (30_000, 32_000), (50_000, 50_400)
DEFINITION = SeriesDefinition(30, 1e-4, 1e-3, "raw")


def build_day(
    root: Path,
    end: int,
    *,
    kept: Sequence[Pair] = (KEPT,),
    symbols: Sequence[str] = SYMBOLS[:4],
    hot_hours: int | None = None,
) -> FixtureLake:
    """A lake whose last 1s bar is that of the second `end`, with the rows of `kept` at 1s and 1m.

    With `hot_hours` it is as the default settings leave it: older 1s bars and rows are not in
    SQLite, and the roll-ups alone are.
    """
    fixture = FixtureLake(Lake(root), end - DAY + 1, end)
    with closing(open_analytics_writer(fixture.lake)) as db:
        db.execute("PRAGMA synchronous = OFF")
        with atomic(db):
            for symbol in symbols:
                _store_bars(db, fixture, symbol)
            save_prices(db, "raw")
            final = [("watermark_ms", (end + 1) * 1000 + 300), ("final_time", end + 1), ("seq", 1)]
            db.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", final)
            broken = (fixture.start + BREAK[0], fixture.start + BREAK[1])
            db.execute("INSERT INTO breaks VALUES (?, ?)", broken)
        with atomic(db):
            _store_kept(db, fixture, kept)
            store_rollups(db, end + 1)
            if hot_hours is not None:
                hot = end + 1 - 3600 * hot_hours
                for table in ("bars", "pair_analytics"):
                    db.execute(f"DELETE FROM {table} WHERE timeframe = '1s' AND time < ?", (hot,))
                db.execute("INSERT INTO progress VALUES ('archived:1s', ?)", (hot,))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return fixture


def every_pair() -> list[Pair]:
    """The 45 of ten symbols."""
    return [Pair(a, b) for a, b in combinations(SYMBOLS, 2)]


def _store_bars(db: sqlite3.Connection, fixture: FixtureLake, symbol: str) -> None:
    place = SYMBOLS.index(symbol)
    rng, common = np.random.default_rng(place), np.random.default_rng(99)
    # Mean reversion without a loop: sums of noise, less what a slow mean of them is.
    own = np.cumsum(rng.normal(0, 8e-5, DAY))
    own -= np.convolve(own, np.ones(120) / 120)[:DAY]
    walk = np.cumsum(common.normal(0, 1.2e-4, DAY))
    quiet = np.zeros(DAY, bool)
    if symbol != "BTCUSDT":
        quiet[SILENT[0] : SILENT[1]] = True
        own[quiet], walk[quiet] = own[SILENT[0]], walk[SILENT[0]]
    close = np.round(_PRICES[place] * np.exp(walk + own), _DIGITS[place])
    fixture.closes[symbol, "1s"] = close
    opens = np.concatenate((close[:1], close[:-1]))
    bars = pl.DataFrame(
        {
            "time": np.arange(fixture.start, fixture.end + 1),
            "open": opens,
            "high": np.maximum(opens, close) * 1.00001,
            "low": np.minimum(opens, close) * 0.99999,
            "close": close,
            "volume": np.where(quiet, 0.0, 1.5),
            "trades": np.where(quiet, 0, 5),
        }
    ).filter(~(pl.col("time") - fixture.start).is_between(*BREAK, closed="left"))
    minutes = bars.group_by(pl.col("time") // 60 * 60, maintain_order=True).agg(
        pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
        pl.col("volume", "trades").sum(),
    )  # fmt: skip
    minutes = minutes.filter(pl.col("time") + 60 <= fixture.end + 1)
    for timeframe, rows in (("1s", bars), ("1m", minutes)):
        db.executemany(
            "INSERT INTO bars VALUES (?8, ?9, ?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6, ?7)",
            ((*row, symbol, timeframe) for row in rows.iter_rows()),
        )
        first = rows["time"][0]
        db.execute("INSERT INTO first_bars VALUES (?, ?, ?)", (symbol, timeframe, first))


def rows_of(
    lake: Lake, pair: Pair, timeframe: str, window: int = WINDOW, lookback: int = LOOKBACK
) -> pl.DataFrame:
    """Every row of pair analytics that there is, whether the lake keeps it or not."""
    key = SeriesKey(pair.name, timeframe, window, lookback)
    return pl.concat(list(computed_rows(lake, key, DEFINITION)))


def _store_kept(db: sqlite3.Connection, fixture: FixtureLake, kept: Sequence[Pair]) -> None:
    for pair in kept:
        for timeframe in ("1s", "1m"):
            key = (pair.name, timeframe, WINDOW, LOOKBACK)
            db.execute("INSERT INTO series VALUES (?, ?, ?, ?, ?)", (*key, DEFINITION.to_json()))
            status = ("ready", DAY, WINDOW, f"ready: hedge ratio over {LOOKBACK} bars", LOOKBACK)
            db.execute(
                "INSERT INTO pair_status VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*key, *status)
            )
            rows = rows_of(fixture.lake, pair, timeframe)
            names = ", ".join(rows.columns)
            db.executemany(
                "INSERT INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, symbol_a, "
                f"symbol_b, {names}) VALUES ({', '.join('?' * (6 + rows.width))})",
                ((*key, *pair, *row) for row in rows.iter_rows()),
            )
