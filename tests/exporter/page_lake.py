"""Bars that come while the page is looked at."""

import sqlite3
from contextlib import closing

from spreadlake.lake import atomic, open_analytics_writer
from tests.grafana.lake_fixture import LOOKBACK, FixtureLake

PAIR, WINDOW = "BTCUSDT/ETHUSDT", 60


def add_second(fixture: FixtureLake, *symbols: str) -> int:
    """One more second, with bars of these symbols and a row of no pair; its time."""
    fixture.end += 1
    with closing(open_analytics_writer(fixture.lake)) as db, atomic(db):
        for symbol in symbols:
            _add(db, fixture, symbol)
        _finish(db, fixture.end)
    return fixture.end


def add_bar(fixture: FixtureLake, zscore: float) -> int:
    """One more second with its row of the kept series of PAIR; its time."""
    fixture.end += 1
    time = fixture.end
    with closing(open_analytics_writer(fixture.lake)) as db, atomic(db):
        closes = [_add(db, fixture, symbol) for symbol in PAIR.split("/")]
        db.execute(
            "INSERT INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, time, "
            "symbol_a, symbol_b, price_a, price_b, beta, spread, spread_mean, spread_std, zscore, "
            "correlation, hedge_bars) VALUES (?, '1s', ?, ?, ?, ?, ?, ?, ?, 20.5, 7.5, 7.0, 0.2, "
            "?, 0.9, 300)",
            (PAIR, WINDOW, LOOKBACK, time, *PAIR.split("/"), *closes, zscore),
        )
        _finish(db, time)
    return time


def _finish(db: sqlite3.Connection, time: int) -> None:
    db.execute("UPDATE progress SET value = ? WHERE key = 'final_time'", [time + 1])


def _add(db: sqlite3.Connection, fixture: FixtureLake, symbol: str) -> float:
    close = float(fixture.closes[symbol, "1s"][-1])
    bar = (symbol, "1s", fixture.end, close, close, close, close, 1.0, close, 0.5, 3)
    db.execute("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", bar)
    return close
