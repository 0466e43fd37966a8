"""The analytics job at a whole market: 500 symbols, 1s and 1m bars, an hour of exchange time.

What a second costs it in processor time and in bytes written, how large `analytics.db` becomes,
what it holds in memory, and how long a restart takes. `MARKET_SECONDS` makes it shorter.
"""

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings, load_settings
from spreadlake.lake import Lake, atomic, open_ticks_writer

SYMBOLS = [f"S{n:03}USDT" for n in range(500)]
PER_SECOND = 750
SECONDS = int(os.environ.get("MARKET_SECONDS", "3600"))
START = 1_785_000_000 // 86_400 * 86_400
PAIRS = [[SYMBOLS[n], SYMBOLS[n + 50]] for n in range(50)]
# Few symbols trade most: from some 20 a second down to one in 10 s.
_WEIGHTS = 1.0 / np.arange(4, len(SYMBOLS) + 4) ** 0.9
_SHARES = _WEIGHTS / _WEIGHTS.sum()
_PART = 600  # seconds whose steps are compared: the first of them and the last


def main() -> None:
    """Prints one line a figure."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        market = _in_process("run", root)
        print(
            f"market_job: {len(SYMBOLS)} symbols, {PER_SECOND} trades/s, {len(PAIRS)} pairs, "
            f"{SECONDS:,} s: {market['cpu'] * 1e3:.1f} ms of processor time a second; the last "
            f"{_PART} s against the first {market['last'] / market['first']:.2f} (target 1.2); "
            f"memory {market['rss'] / 2**20:.0f} MiB"
        )
        print(
            f"market_job: analytics.db {market['size'] * 3600 / SECONDS / 2**20:.0f} MiB an hour, "
            f"{market['written'] / SECONDS / 2**20:.2f} MiB written a second"
        )
        again = _in_process("restart", root)
        print(
            f"market_job: a restart takes {again['job']:.2f} s to its first step's end "
            f"({again['job_cpu']:.2f} s of processor time), and a scrape {again['scrape']:.2f} s"
        )


def _in_process(what: str, root: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.market_job", what, str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def settings() -> Settings:
    """A market's bars, 50 listed pairs with the windows that are the defaults."""
    return load_settings(None, symbols=SYMBOLS, pairs=PAIRS, alerts=[_RULE])


_RULE = {"name": "zscore", "window": 60, "threshold": 2.0}


def run(root: Path) -> dict[str, float]:
    """A step for each second, as live; the ticks are written beside it."""
    lake = Lake(root)
    rng = np.random.default_rng(11)
    prices = 10 ** rng.uniform(-1, 4, len(SYMBOLS))
    ids = np.zeros(len(SYMBOLS), dtype=np.int64)
    seconds: list[float] = []
    written = 0
    with closing(open_ticks_writer(lake)) as db:
        db.execute("PRAGMA synchronous=OFF")
        job = AnalyticsJob(lake, settings())
        job.history_seconds = 0.2
        for second in range(SECONDS):
            _store(db, _trades(rng, prices, ids, second), second)
            before, begin = _bytes_written(), time.process_time()
            job.step()
            seconds.append(time.process_time() - begin)
            written += _bytes_written() - before
            if second % 2 == 0:
                job.roll_piece()
        job.close()
    part = min(_PART, SECONDS // 3)
    return {
        "cpu": float(np.mean(seconds)),
        "first": float(np.mean(seconds[part // 2 : part + part // 2])),
        "last": float(np.mean(seconds[-part:])),
        "written": float(written),
        "size": float(lake.analytics_db.stat().st_size),
        "rss": float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024),
    }


def _trades(
    rng: np.random.Generator, prices: "np.ndarray[Any, Any]", ids: "np.ndarray[Any, Any]", at: int
) -> list[tuple[Any, ...]]:
    count = int(rng.poisson(PER_SECOND))
    who = rng.choice(len(SYMBOLS), count, p=_SHARES)
    times = np.sort(rng.integers(0, 1000, count)) + (START + at) * 1000
    moves = np.exp(rng.normal(0, 2e-4, count))
    rows = []
    for symbol, time_ms, move in zip(who.tolist(), times.tolist(), moves.tolist(), strict=True):
        ids[symbol] += 1
        prices[symbol] *= move
        rows.append((SYMBOLS[symbol], int(ids[symbol]), time_ms, prices[symbol], 1.5, symbol % 2))
    return rows


def _store(db: sqlite3.Connection, rows: list[tuple[Any, ...]], second: int) -> None:
    with atomic(db):
        db.executemany(
            "INSERT INTO ticks(symbol, trade_id, time_ms, price, qty, buyer_is_maker) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        if second % 60 == 0:  # an hour of ticks more or less is none of what is measured
            db.execute("DELETE FROM ticks WHERE time_ms < ?", ((START + second - 300) * 1000,))


def _bytes_written() -> int:
    lines = Path("/proc/self/io").read_text(encoding="utf-8").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def restart(root: Path) -> dict[str, float]:
    """From the start of a job on what is stored to the end of its first step; a scrape."""
    from exporter.scrape import LakeMetrics, parts_of  # noqa: PLC0415 none of the job's memory

    lake = Lake(root)
    begin, cpu = time.perf_counter(), time.process_time()
    job = AnalyticsJob(lake, settings())
    job.history_seconds = 0.2
    job.step()
    found = {"job": time.perf_counter() - begin, "job_cpu": time.process_time() - cpu}
    job.close()
    begin = time.perf_counter()
    list(LakeMetrics(lake, parts_of(SYMBOLS)).collect())
    return found | {"scrape": time.perf_counter() - begin}


if __name__ == "__main__":
    what, where = sys.argv[1:]
    print(json.dumps({"run": run, "restart": restart}[what](Path(where))))
