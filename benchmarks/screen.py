"""The screen of a market against statsmodels' coint, twice a pair; and the whole command.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.screen --bars 1440` for another lookback.
"""

import argparse
import math
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
from statsmodels.tsa.stattools import coint

from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.quant.arrays import Floats
from spreadlake.quant.screen import ScreenOptions, screen_all_pairs

SYMBOLS, BARS = 500, 240
OF_COMMAND = 200
SAMPLE = 30  # pairs that statsmodels tests, before and after
ROUNDS = 2
START = 1_700_000_040


def main() -> None:
    """Prints one line a figure."""
    against_statsmodels(BARS)
    whole_command()


def against_statsmodels(bars: int) -> None:
    """Every pair of 500 symbols in both directions with lags by AIC, and all other columns."""
    close = _market(SYMBOLS, bars)
    theirs, own = math.inf, math.inf
    screen_all_pairs(["A", "B"], close[:2], np.ones(2), ScreenOptions(bars))  # imports
    names = [f"S{number:03}USDT" for number in range(SYMBOLS)]
    for _ in range(ROUNDS):
        theirs = min(theirs, _statsmodels(close))
        begin = time.perf_counter()
        screen_all_pairs(names, close, np.ones(SYMBOLS), ScreenOptions(bars))  # by one thread
        own = min(own, time.perf_counter() - begin)
    pairs = SYMBOLS * (SYMBOLS - 1) // 2
    theirs = min(theirs, _statsmodels(close))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"screen: {pairs:,} pairs of {bars} bars in {own:.1f} s, "
        f"{own / pairs * 1e6:.0f} µs a pair; statsmodels {theirs * 1e3:.1f} ms: "
        f"ratio {theirs * pairs / own:.0f} (target 400); peak {peak:,.0f} MiB"
    )


def whole_command() -> None:
    """`spreadlake screen` at 200 symbols, its start and the reading of the bars included."""
    close = _market(OF_COMMAND, BARS)
    with tempfile.TemporaryDirectory() as folder:
        _store(Lake(Path(folder)), close)
        command = [sys.executable, "-m", "spreadlake", "screen", "--data", folder, "-o", "-"]
        own, theirs = math.inf, _statsmodels(close)
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            own = min(own, time.perf_counter() - begin)
            theirs = min(theirs, _statsmodels(close))
    pairs = OF_COMMAND * (OF_COMMAND - 1) // 2
    print(
        f"screen: the command with {OF_COMMAND} symbols, {pairs:,} pairs, {own:.1f} s; "
        f"statsmodels {theirs * pairs:.0f} s: ratio {theirs * pairs / own:.0f} (target 100)"
    )


def _market(symbols: int, bars: int) -> Floats:
    """(symbols, bars) closes with a part in common, a tenth of which go together by two."""
    rng = np.random.default_rng(5)
    common = np.cumsum(rng.normal(0, 5e-4, bars))
    logs = common + np.cumsum(rng.normal(0, 1e-3, (symbols, bars)), axis=1)
    for one in range(0, symbols // 10, 2):
        logs[one] = logs[one + 1] + rng.normal(0, 1e-3, bars)
    return np.asarray(np.exp(logs + rng.uniform(-3, 10, (symbols, 1))))


def _statsmodels(close: Floats) -> float:
    """Seconds a pair, both directions."""
    x = np.log(close)
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for pair in range(SAMPLE):
            a, b = x[pair], x[-1 - pair]
            coint(a, b, trend="c", autolag="aic")
            coint(b, a, trend="c", autolag="aic")
    return (time.perf_counter() - begin) / SAMPLE


def _store(lake: Lake, close: Floats) -> None:
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        for number, prices in enumerate(close.tolist()):
            symbol = f"S{number:03}USDT"
            db.executemany(
                f"INSERT INTO bars VALUES ({', '.join('?' * 11)})",
                (
                    (symbol, "1m", START + at * 60, p, p, p, p, 1.0, p, 0.5, 3)
                    for at, p in enumerate(prices)
                ),
            )
            db.execute("INSERT INTO first_bars VALUES (?, '1m', ?)", (symbol, START))
        end = START + close.shape[1] * 60
        db.execute("INSERT OR REPLACE INTO progress VALUES ('final_time', ?)", (end,))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=BARS)
    against_statsmodels(parser.parse_args().bars)
