"""A small lake with known content, written through the schema alone: no service is needed."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from spreadlake.lake import (
    Lake,
    add_counters,
    atomic,
    open_analytics_writer,
    open_ticks_writer,
    set_status,
)
from spreadlake.lake.analytics.definition import save_prices
from tests.trades import TICKS

BTC_ETH = "BTCUSDT/ETHUSDT"
ETH_SOL = "ETHUSDT/SOLUSDT"
START = 1_723_161_600  # 2024-08-09T00:00:00Z
WATERMARK_MS = (START + 100) * 1000 + 250
LAST_TIME = START + 99

READY = (BTC_ETH, "1s", 60, 300)
READY_30 = (BTC_ETH, "1s", 30, 300)
FLAT = (BTC_ETH, "1m", 60, 300)
STALE = (ETH_SOL, "1s", 30, 300)
WARMING = (ETH_SOL, "1s", 60, 300)


def zscore(series: tuple[str, str, int, int], index: int) -> float:
    """The z-score that the fixture holds for bar `index` of a ready series."""
    return (index % 7 - 3) / 3 + series[2] / 1000


def make_ticks(root: Path, now: float | None = None, origin: str = "exchange") -> None:
    """ticks.db as a collector leaves it that was alive at `now` (Unix seconds, default: now)."""
    with writing(open_ticks_writer(Lake(root))) as db:
        db.executemany(
            "INSERT INTO meta VALUES (?, ?)", [("trade_kind", "aggTrade"), ("origin", origin)]
        )
        db.executemany(
            "INSERT INTO symbols VALUES (?, ?, ?, ?, ?, ?)",
            [
                ("BTCUSDT", 1, 500, WATERMARK_MS, 60_000.5, 500),
                ("ETHUSDT", 1, 400, WATERMARK_MS - 1000, 2_600.25, 390),
            ],
        )
        db.execute(
            f"INSERT INTO {TICKS} VALUES (890, 'BTCUSDT', 500, ?, 60000.5, 0.1, 1)", [WATERMARK_MS]
        )
        db.executemany(
            "INSERT INTO gaps(symbol, first_id, last_id, found_ms, cause, state, message) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                ("ETHUSDT", 11, 20, START * 1000, "reconnect", "open", ""),
                ("ETHUSDT", 31, 31, START * 1000, "stream", "lost", "too old"),
                ("BTCUSDT", 7, 9, START * 1000, "stream", "repaired", ""),
            ],
        )
        add_counters(
            db,
            {
                ("ticks", "BTCUSDT"): 500,
                ("ticks", "ETHUSDT"): 390,
                ("gaps", "ETHUSDT"): 2,
                ("gaps", "BTCUSDT"): 1,
                ("repaired_ticks", "BTCUSDT"): 3,
                ("duplicates", "BTCUSDT"): 4,
                ("frames", ""): 900,
                ("malformed", ""): 2,
                ("dropped", ""): 5,
                ("reconnects", ""): 1,
                ("commit_seconds", ""): 1.5,
            },
        )
        heartbeat(db, "collector", now, connections=2, buffer=17)


def make_analytics(root: Path, now: float | None = None, bars: int = 100) -> None:
    """analytics.db with a series in each state and one open alert, up to LAST_TIME."""
    with writing(open_analytics_writer(Lake(root))) as db:
        for series, state, message in (
            (READY, "ready", "ready"),
            (READY_30, "ready", "ready"),
            (FLAT, "flat", "the spread does not move"),
            (STALE, "stale", "SOLUSDT has not traded for 45 bars"),
            (WARMING, "warming", "warming up: 37 of 60 bars"),
        ):
            db.execute(
                "INSERT INTO pair_status VALUES (?, ?, ?, ?, ?, 37, 60, ?, 300)",
                (*series, state, message),
            )
        for series in (READY, READY_30):
            add_rows(db, series, bars)
        add_rows(db, FLAT, 2, zscore=None, correlation=None, spread_std=0.0)
        add_rows(db, STALE, 2, zscore=9.9, spread=None, beta=None, correlation=None)
        save_prices(db, "raw")
        add_alerts(db)
        db.executemany(
            "INSERT INTO pair_tests(pair, timeframe, lookback_bars, time, robust_beta, half_life, "
            "adf_statistic, adf_pvalue, cointegration_pvalue, observations) "
            "VALUES (?, '1s', 300, ?, 22.5, ?, -3.1, 0.02, 0.04, 300)",
            [(BTC_ETH, START, 60.0), (BTC_ETH, START + 60, 55.0)],
        )
        db.executemany(
            "INSERT INTO progress VALUES (?, ?)",
            [
                ("seq", 800),
                ("read_seq", 880),
                ("watermark_ms", WATERMARK_MS),
                ("final_time", START + 100),
            ],
        )
        add_counters(db, {("steps", ""): 40, ("step_seconds", ""): 0.8, ("late_trades", ""): 6})
        moment = time.time() if now is None else now
        heartbeat(db, "job", now, last_step_ms=int(moment * 1000), last_step_seconds=0.02)


def make_lake(root: Path, now: float | None = None) -> Lake:
    """Both databases."""
    make_ticks(root, now)
    make_analytics(root, now)
    return Lake(root)


def add_due_tests(root: Path, *times: int) -> None:
    """Slow statistics of BTC_ETH at the bars `times` are yet to be computed."""
    with writing(open_analytics_writer(Lake(root))) as db:
        db.executemany(
            "INSERT INTO tests_due VALUES ('1s', ?, ?, 300)", [(time, BTC_ETH) for time in times]
        )


def add_rows(
    db: sqlite3.Connection, series: tuple[str, str, int, int], bars: int, **fixed: Any
) -> None:
    """`bars` rows of `series` that end at LAST_TIME; `fixed` columns are the same in all."""
    a, b = series[0].split("/")
    for index in range(bars):
        row: dict[str, Any] = {"alpha": 1 / 3, "beta": 23.07, "spread": 7.25 + index}
        row |= {"zscore": zscore(series, index), "correlation": 0.91, "spread_std": 2.5}
        row |= {"spread_mean": 7.0} | fixed
        values = [60_000.0 + index, 2_600.0 + index / 10, *row.values()]
        placeholders = ", ".join("?" * (7 + len(values)))
        db.execute(
            "INSERT INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, time, "
            f"symbol_a, symbol_b, price_a, price_b, {', '.join(row)}) VALUES ({placeholders})",
            (*series, LAST_TIME - bars + 1 + index, a, b, *values),
        )


def add_alerts(db: sqlite3.Connection) -> None:
    """Two rules: `zscore` has opened three times on READY and is open; `wide` never opened."""
    for rule, series, threshold in (
        ("zscore", READY, 2.0),
        ("zscore", WARMING, 2.0),
        ("wide", READY, 3.5),
    ):
        db.execute(
            "INSERT INTO alert_rules VALUES (?, ?, ?, ?, ?, ?, '{}')", (rule, *series, threshold)
        )
    db.execute("INSERT INTO alert_counts VALUES ('zscore', ?, ?, ?, ?, 3)", READY)
    events = [
        (START + 10, 2.1, 2.2, START + 20, 1.9),
        (START + 30, -2.1, -2.7, START + 40, -1.9),
        (START + 50, 2.4, 3.1, None, None),
    ]
    for opened_at, opened, peak, closed_at, closed in events:
        db.execute(
            "INSERT INTO alert_events(rule, pair, timeframe, window_bars, lookback_bars, "
            "threshold, opened_at, opened_zscore, peak_zscore, closed_at, closed_zscore) "
            "VALUES ('zscore', ?, ?, ?, ?, 2.0, ?, ?, ?, ?, ?)",
            (*READY, opened_at, opened, peak, closed_at, closed),
        )


def add_screen_alert(
    db: sqlite3.Connection, number: int, pair: str, opened_at: int, zscore: float, **said: Any
) -> None:
    """An open event of the rule `screened`, on screens of bars of 1m; `said` as the screen did."""
    db.execute("INSERT OR IGNORE INTO screen_rules VALUES ('screened', '1m', 240, 60, '{}', 7, 12)")
    db.execute(
        "INSERT INTO alert_events(id, rule, pair, timeframe, window_bars, lookback_bars, "
        "threshold, opened_at, opened_zscore, peak_zscore) "
        "VALUES (?, 'screened', ?, '1m', 60, 240, 2.25, ?, ?, ?)",
        (number, pair, opened_at, zscore, zscore),
    )
    row = {"qvalue": 0.01, "edge_bps": 12.34, "half_life": 14.04, "persistence": 0.5} | said
    db.execute(
        f"INSERT INTO screen_alerts(event_id, seen_at, {', '.join(row)}) VALUES (?, ?, ?, ?, ?, ?)",
        (number, opened_at, *row.values()),
    )


def heartbeat(
    db: sqlite3.Connection, key: str, now: float | None, state: str = "running", **more: Any
) -> None:
    """The status that a service leaves."""
    moment_ms = int((time.time() if now is None else now) * 1000)
    value = {"pid": 4711, "started_ms": moment_ms - 60_000, "state": state, **more}
    set_status(db, moment_ms, {key: value})


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One transaction on a writer that is closed afterwards."""
    with closing(db), atomic(db):
        yield db
