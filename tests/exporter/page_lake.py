"""Bars that come while the page is looked at."""

from contextlib import closing

from spreadlake.lake import atomic, open_analytics_writer
from tests.grafana.lake_fixture import LOOKBACK, FixtureLake

PAIR, WINDOW = "BTCUSDT/ETHUSDT", 60


def add_bar(fixture: FixtureLake, zscore: float) -> int:
    """One more second with its row of the kept series of PAIR; its time."""
    fixture.end += 1
    time = fixture.end
    with closing(open_analytics_writer(fixture.lake)) as db, atomic(db):
        closes = [float(fixture.closes[symbol, "1s"][-1]) for symbol in PAIR.split("/")]
        for symbol, close in zip(PAIR.split("/"), closes, strict=True):
            bar = (symbol, "1s", time, close, close, close, close, 1.0, close, 0.5, 3)
            db.execute("INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", bar)
        db.execute(
            "INSERT INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, time, "
            "symbol_a, symbol_b, price_a, price_b, beta, spread, spread_mean, spread_std, zscore, "
            "correlation, hedge_bars) VALUES (?, '1s', ?, ?, ?, ?, ?, ?, ?, 20.5, 7.5, 7.0, 0.2, "
            "?, 0.9, 300)",
            (PAIR, WINDOW, LOOKBACK, time, *PAIR.split("/"), *closes, zscore),
        )
        db.execute("UPDATE progress SET value = ? WHERE key = 'final_time'", [time + 1])
    return time
