"""The analytics: a step by the history behind it, and the pair maths against other libraries."""

import math
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from statsmodels.regression.rolling import RollingOLS
from statsmodels.tools import add_constant

from analytics_job.pairs.analyser import insert_rows
from analytics_job.pipeline import Pipeline
from analytics_job.ticks.tail import TAIL_SCHEMA
from spreadlake.config import load_settings
from spreadlake.lake import Lake, atomic, open_analytics_writer, open_ticks_writer
from spreadlake.pairs import Pair
from spreadlake.quant.arrays import Floats
from spreadlake.quant.close_matrix import CloseMatrix
from spreadlake.quant.legs import Legs
from spreadlake.quant.pair_rows import Noise, PairRows, pair_rows
from spreadlake.quant.pair_stats import correlation, hedge_ratio, spread_zscore

SYMBOLS = [f"S{n}USDT" for n in range(10)]
START_MS = 1_700_000_000_000 // 3_600_000 * 3_600_000
STEPS = 60
BARS = 86_400
WINDOW, LOOKBACK = 60, 300
WINDOWS = (30, 60, 120)
MARKET, SAMPLE = 500, 1_000  # symbols of the market; pairs that share nothing
ROUNDS = 25
PIECE = 16_384  # bars at a time, as the job computes a history


def main() -> None:
    """Prints one line a figure."""
    history()
    pairs_together()
    whole_market()
    against_libraries()


def history() -> None:
    """Steps of 10 symbols, 45 pairs, two timeframes and three windows: 24 h stored against 1 h."""
    with tempfile.TemporaryDirectory() as folder:
        short = _steps(Path(folder, "1h"), SYMBOLS, 1)
        long = _steps(Path(folder, "24h"), SYMBOLS, 24)
    print(
        f"analytics: a step with 45 pairs, 24 h stored {long * 1e3:.1f} ms, 1 h stored "
        f"{short * 1e3:.1f} ms: ratio {long / short:.2f} (target 1.2; under 50 ms)"
    )


def pairs_together() -> None:
    """45 pairs in one step against 45 steps of one pair each."""
    with tempfile.TemporaryDirectory() as folder:
        together = _steps(Path(folder, "45"), SYMBOLS, 1)
        single = _steps(Path(folder, "1"), SYMBOLS[:2], 1)
    print(
        f"analytics: 45 pairs in one step {together * 1e3:.1f} ms, 45 steps of one pair "
        f"{45 * single * 1e3:.1f} ms: ratio {45 * single / together:.1f}"
    )


def whole_market() -> None:
    """A bar of every pair of 500 symbols: computed at once, as pairs that share nothing, written.

    Pairs that share nothing are a sample, each with symbols of its own.
    """
    closes = _walks(MARKET)
    pairs = [Pair(a, b) for a, b in combinations(closes.symbols, 2)]
    legs = _walks(2 * SAMPLE)
    sample = [Pair(a, b) for a, b in zip(legs.symbols[::2], legs.symbols[1::2], strict=True)]
    together = min(_cpu(lambda: list(_rows_of(closes, pairs))) for _ in range(3))
    apart = min(_cpu(lambda: list(_rows_of(legs, sample))) for _ in range(3))
    apart *= len(pairs) / len(sample)
    with tempfile.TemporaryDirectory() as folder:
        db = open_analytics_writer(Lake(Path(folder)))
        results = list(_rows_of(closes, pairs))
        written = _cpu(lambda: _write(db, results))
        db.close()
    print(
        f"analytics: a bar of {len(pairs):,} pairs, {len(WINDOWS)} windows, {together:.2f} s of "
        f"processor time; pairs that share nothing {apart:.2f} s: ratio {apart / together:.1f} "
        f"(target 8); to write its {len(pairs) * len(WINDOWS):,} rows {written:.2f} s"
    )


def _walks(symbols: int) -> CloseMatrix:
    moves = np.random.default_rng(5).normal(0, 1e-3, (symbols, LOOKBACK + 1))
    close = 100 * np.exp(np.cumsum(moves, axis=1))
    names = tuple(f"S{number:04}USDT" for number in range(symbols))
    start, some = START_MS // 1000, np.ones(close.shape)
    first = np.full(symbols, start)
    return CloseMatrix(1, start, names, close, some > 0, some, first)


def _rows_of(closes: CloseMatrix, pairs: list[Pair]) -> Iterator[PairRows]:
    return pair_rows(closes, pairs, WINDOWS, [LOOKBACK], 30, Noise(1e-4, 1e-3), 1)


def _write(db: sqlite3.Connection, results: list[PairRows]) -> None:
    with atomic(db):
        for result in results:
            insert_rows(db, "1s", result)


def _cpu(call: Callable[[], Any]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def against_libraries() -> None:
    """Rolling hedge ratio, z-score and correlation of a day of 1s bars."""
    rng = np.random.default_rng(7)
    b = 3_500 + np.cumsum(rng.normal(0, 0.1, BARS))
    a = 25 * b + np.cumsum(rng.normal(0, 1, BARS)) * 0.2 + rng.normal(0, 2, BARS)
    frames = pd.Series(a), pd.Series(b)
    own, pandas = _best_in_turn([lambda: _own(a, b), lambda: _pandas(*frames)], ROUNDS)
    (rolling_ols,) = _best_in_turn([RollingOLS(a, add_constant(b), window=LOOKBACK).fit], 1)
    print(
        f"analytics: {BARS:,} bars in {own * 1e3:.0f} ms; pandas {pandas * 1e3:.0f} ms, ratio "
        f"{pandas / own:.2f} (target 1; best of {ROUNDS}); RollingOLS, the hedge ratio alone, "
        f"{rolling_ols:.1f} s, ratio {rolling_ols / own:.0f} (target 60)"
    )


def _own(a: Floats, b: Floats) -> Any:
    """Beside them alpha, beta's standard error, R², and the spread with its mean and deviation."""
    first = np.zeros(1, dtype=np.int64)
    out = np.empty((3, 1, BARS))
    for at in range(0, BARS, PIECE):
        end = min(at + PIECE, BARS)
        start = max(0, at - LOOKBACK + 1)
        legs = Legs.of(a[None, start:end], b[None, start:end], start, first)
        hedge = hedge_ratio(legs, legs.moments(legs.windows(LOOKBACK, end - at)))
        m = legs.moments(legs.windows(WINDOW, end - at))
        zscore = spread_zscore(legs, hedge.beta, m).zscore
        out[..., at:end] = hedge.beta, zscore, correlation(m)
    return out[:, 0]


def _pandas(a: "pd.Series[float]", b: "pd.Series[float]") -> Any:
    """The same numbers: a spread with each row's own beta has its moments from the legs'."""
    beta = a.rolling(LOOKBACK).cov(b) / b.rolling(LOOKBACK).var()
    wa, wb = a.rolling(WINDOW), b.rolling(WINDOW)
    variance = wa.var() - 2 * beta * wa.cov(b) + beta**2 * wb.var()
    zscore = (a - beta * b - (wa.mean() - beta * wb.mean())) / np.sqrt(variance)
    return beta, zscore, wa.corr(b)


def _steps(root: Path, symbols: list[str], hours: int) -> float:
    """Median seconds of a live step, with `hours` of 1s bars and rows stored before it."""
    lake, settings = Lake(root), load_settings(None, symbols=symbols, alerts=_rules())
    open_ticks_writer(lake).close()
    db = open_analytics_writer(lake)
    pipeline = Pipeline(db, lake, settings)
    rng = np.random.default_rng(3)
    for hour in range(hours):
        pipeline.ingest(_trades(rng, symbols, hour * 3_600, 3_600), 0)
    seconds = []
    for step in range(STEPS):
        trades = _trades(rng, symbols, hours * 3_600 + step, 1)
        begin = time.perf_counter()
        pipeline.ingest(trades, 0)
        seconds.append(time.perf_counter() - begin)
    db.close()
    return statistics.median(seconds)


def _rules() -> list[dict[str, Any]]:
    return [{"name": "zscore", "window": 60, "threshold": 2.0}]


def _trades(rng: np.random.Generator, symbols: list[str], start: int, seconds: int) -> pl.DataFrame:
    """Three trades a second of every symbol, with one walk behind them all."""
    n = seconds * 3
    times = START_MS + start * 1_000 + np.arange(n) * 333
    walk = np.sin(times / 9e5) + np.cumsum(rng.normal(0, 0.002, n))
    frames = [
        {
            "seq": np.zeros(n, dtype=np.int64),
            "symbol": [symbol] * n,
            "trade_id": start * 3 + np.arange(n),
            "time_ms": times + place,
            "price": 100.0 * (place + 1) + walk + rng.normal(0, 0.01, n),
            "qty": np.ones(n),
            "buyer_is_maker": np.arange(n) % 2,
        }
        for place, symbol in enumerate(symbols)
    ]
    return pl.concat([pl.DataFrame(frame, schema=TAIL_SCHEMA) for frame in frames])


def _best_in_turn(calls: Sequence[Callable[[], Any]], rounds: int) -> list[float]:
    """Seconds of the best round of each: what else the machine does can only make them slower."""
    best = [math.inf] * len(calls)
    for _ in range(rounds):
        for at, call in enumerate(calls):
            begin = time.perf_counter()
            call()
            best[at] = min(best[at], time.perf_counter() - begin)
    return best
