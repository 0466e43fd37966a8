"""A lake of seeded synthetic bars, with analytics computed by the definitions alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spreadlake
from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.lake.analytics.definition import SeriesDefinition, save_prices
from spreadlake.research.backtests.kept import keep_backtest
from spreadlake.series import Prices, stored_prices
from tests.rollups import store_rollups

Floats = NDArray[np.float64]

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "1000PEPEUSDT")
PAIRS = (("BTCUSDT", "ETHUSDT"), ("ETHUSDT", "SOLUSDT"))
WINDOWS = (30, 60, 120)
LOOKBACK = 300
LENGTHS = {"1s": 1, "1m": 60}
LATE_SYMBOL = "1000PEPEUSDT"
LATE_BARS = 37


@dataclass
class FixtureLake:
    """The lake, its closes by (symbol, timeframe), and the time of its first and last 1s bar."""

    lake: Lake
    start: int
    end: int
    prices: Prices = "raw"
    closes: dict[tuple[str, str], Floats] = field(default_factory=dict)


def build_lake(root: Path, end: int, seconds: int = 2400, prices: Prices = "raw") -> FixtureLake:
    """A lake whose last second is `end`; the last symbol has only LATE_BARS 1s bars."""
    start = end - seconds + 1
    fixture = FixtureLake(Lake(root), start, end, prices)
    with closing(open_analytics_writer(fixture.lake)) as db, atomic(db):
        for symbol, closes in _prices(seconds).items():
            first = start if symbol != LATE_SYMBOL else end - LATE_BARS + 1
            for timeframe, length in LENGTHS.items():
                bars = list(_bars(closes[first - start :], first, length, end))
                db.executemany(
                    "INSERT INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(symbol, timeframe, *bar) for bar in bars],
                )
                if bars:
                    db.execute(
                        "INSERT INTO first_bars VALUES (?, ?, ?)", (symbol, timeframe, bars[0][0])
                    )
                fixture.closes[symbol, timeframe] = np.array([bar[4] for bar in bars])
        for a, b in PAIRS:
            for timeframe in LENGTHS:
                for window in WINDOWS:
                    _store_series(db, fixture, a, b, timeframe, window)
        store_rollups(db, end + 1)
        save_prices(db, prices)
        _store_alerts(db, end, prices)
        _store_screens(db, end)
        db.executemany(
            "INSERT INTO progress VALUES (?, ?)",
            [("seq", 1), ("watermark_ms", (end + 1) * 1000 + 300), ("final_time", end + 1)],
        )
    if seconds > 1_000:
        result = spreadlake.open(root).backtest(
            *("BTCUSDT", "ETHUSDT", "1s"), fee_bps=0.1, entry=1.5, stop=2.5, max_bars=60
        )
        keep_backtest(fixture.lake, "kept", result, end)
    return fixture


def _store_screens(db: sqlite3.Connection, end: int) -> None:
    """A screen a minute of bars of 1m, the last of them the newest that is over at `end`."""
    rng = np.random.default_rng(8)
    last = (end + 1) // 60 * 60 - 60
    legs = list(combinations(SYMBOLS, 2))
    for minute in range(30):
        key = (last - 60 * minute, "1m", 240, 60)
        db.execute("INSERT INTO screens VALUES (?, ?, ?, ?, 4, 6, ?, 0.4)", (*key, minute % 4))
        for rank, (a, b) in enumerate(legs, start=1):
            p, z, half, edge = rank / 50, rng.normal(0, 2), rng.uniform(2, 40), rng.normal(0, 9)
            row = (
                -3.0,
                1,
                p,
                min(1.0, 2 * p),
                1.2,
                0.1,
                0.8,
                0.7,
                half,
                20,
                0.1,
                z,
                8.0,
                22.0,
                edge,
            )
            volumes = (1e6 * rank, 2e5 * rank, None if minute == 29 else rng.uniform())
            marks = ", ".join("?" * 25)
            db.execute(
                f"INSERT INTO screen_pairs VALUES ({marks})", (*key, rank, a, b, *row, *volumes)
            )
    for place, a in enumerate(SYMBOLS):
        for at, b in enumerate(SYMBOLS):
            value = 1.0 if a == b else 0.9 - 0.3 * abs(place - at)
            db.execute(
                "INSERT INTO screen_correlations VALUES (?, '1m', 240, 60, ?, ?, ?, ?)",
                (last, place, a, b, value),
            )


def _prices(seconds: int) -> dict[str, Floats]:
    rng = np.random.default_rng(20)
    common = np.cumsum(rng.normal(0, 1.2e-4, seconds))
    prices = {}
    for symbol, price, beta, digits in zip(
        SYMBOLS,
        (64_000, 3_100, 150, 0.0123),
        (1.0, 1.15, 1.4, 1.8),
        (1, 2, 2, 7),
        strict=True,
    ):
        noise = np.zeros(seconds)
        for i in range(1, seconds):
            noise[i] = 0.985 * noise[i - 1] + rng.normal(0, 8e-5)
        prices[symbol] = np.round(price * np.exp(beta * common + noise), digits)
    return prices


def _bars(closes: Floats, first: int, length: int, end: int) -> Iterator[tuple[float, ...]]:
    """time, open, high, low, close, volume, quote_volume, taker_buy_volume, trades."""
    rng = np.random.default_rng(21)
    times = np.arange(first, first + len(closes))
    for time in range(first // length * length, end + 2 - length, length):
        inside = closes[(times >= time) & (times < time + length)]
        before = closes[max(0, time - first - 1)]
        volume = float(rng.lognormal(0, 1)) * length
        close = float(inside[-1])
        prices = (float(before), float(max(before, inside.max())), float(min(before, inside.min())))
        yield time, *prices, close, volume, volume * close, volume / 2, 5 * length


def oracle(
    a: Floats, b: Floats, window: int, lookback: int, at: int, prices: Prices = "raw"
) -> dict[str, float]:
    """The row of analytics of closes at index `at`, straight from the definitions."""
    ra, rb = (np.diff(np.log(leg[at - window + 1 : at + 1])) for leg in (a, b))
    if prices == "log":
        a, b = np.log(a), np.log(b)
    la, lb = a[max(0, at - lookback + 1) : at + 1], b[max(0, at - lookback + 1) : at + 1]
    beta = float(np.cov(la, lb, ddof=1)[0, 1] / np.var(lb, ddof=1))
    alpha = float(la.mean() - beta * lb.mean())
    wa, wb = a[at - window + 1 : at + 1], b[at - window + 1 : at + 1]
    spreads = wa - beta * wb
    mean, std = float(spreads.mean()), float(spreads.std(ddof=1))
    residuals = la - alpha - beta * lb
    return {
        "alpha": alpha,
        "beta": beta,
        "spread": float(spreads[-1]),
        "spread_mean": mean,
        "spread_std": std,
        "zscore": (float(spreads[-1]) - mean) / std,
        "correlation": float(np.corrcoef(wa, wb)[0, 1]),
        "return_correlation": float(np.corrcoef(ra, rb)[0, 1]),
        "beta_stderr": float(
            np.sqrt((residuals**2).sum() / (len(la) - 2) / ((lb - lb.mean()) ** 2).sum())
        ),
        "hedge_bars": len(la),
    }


def _store_series(
    db: object, fixture: FixtureLake, a: str, b: str, timeframe: str, window: int
) -> None:
    length = LENGTHS[timeframe]
    pa, pb = fixture.closes[a, timeframe], fixture.closes[b, timeframe]
    first = fixture.start // length * length
    key = (f"{a}/{b}", timeframe, window, LOOKBACK)
    rows = []
    for at in range(window - 1, len(pa)):
        numbers = oracle(pa, pb, window, LOOKBACK, at, fixture.prices)
        own = (pa[at], pb[at], *numbers.values(), stored_prices(fixture.prices))
        rows.append((*key, first + at * length, a, b, *own))
    names = (
        "alpha, beta, spread, spread_mean, spread_std, zscore, correlation, return_correlation, "
        "beta_stderr, hedge_bars, prices"
    )
    db.executemany(  # type: ignore[attr-defined]
        "INSERT INTO pair_analytics(pair, timeframe, window_bars, lookback_bars, time, symbol_a, "
        f"symbol_b, price_a, price_b, {names}) VALUES ({', '.join('?' * 20)})",
        rows,
    )
    _store_state(db, key, len(pa), window, fixture.prices)


def _store_state(
    db: object, key: tuple[str, str, int, int], have: int, window: int, prices: Prices
) -> None:
    ready = have >= window
    message = f"ready: hedge ratio over {LOOKBACK} bars"
    if not ready:
        message = f"warming up: {have} of {window} bars"
    execute = db.execute  # type: ignore[attr-defined]
    execute(
        "INSERT INTO pair_status VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key, "ready" if ready else "warming", have, window, message, min(have, LOOKBACK)),
    )
    definition = SeriesDefinition(30, 1e-4, 1e-3, prices).to_json()
    execute("INSERT INTO series VALUES (?, ?, ?, ?, ?)", (*key, definition))
    if key[1] == "1s" and window == 60:
        execute("INSERT INTO alert_rules VALUES ('zscore', ?, ?, ?, ?, 2.0, '{}')", key)
        execute("INSERT INTO alert_counts VALUES ('zscore', ?, ?, ?, ?, 2)", key)


def _store_alerts(db: object, end: int, prices: Prices) -> None:
    events = [
        (1, "BTCUSDT/ETHUSDT", end - 900, 2.11, 3.4, end - 860, 1.92),
        (2, "BTCUSDT/ETHUSDT", end - 300, -2.3, -2.9, end - 281, -1.7),
        (3, "ETHUSDT/SOLUSDT", end - 20, 2.05, 2.4, None, None),
    ]
    db.executemany(  # type: ignore[attr-defined]
        "INSERT INTO alert_events VALUES (?, 'zscore', ?, '1s', 60, 300, 2.0, ?, ?, ?, ?, ?)",
        [(number, pair, *rest) for number, pair, *rest in events],
    )
    db.executemany(  # type: ignore[attr-defined]
        "INSERT INTO pair_tests VALUES (?, '1s', 300, ?, 20.5, 41.0, -3.4, 0.012, 0.03, 300, ?)",
        [(f"{a}/{b}", end - end % 60, stored_prices(prices)) for a, b in PAIRS],
    )
