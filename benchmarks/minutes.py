"""A year of minutes without any trade: import of klines, and the bars that the job makes of them.

`MINUTES_SYMBOLS` and `MINUTES_MONTHS` make it larger or smaller; a market is 500 symbols.
"""

import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from analytics_job.job import AnalyticsJob
from importer import import_dumps
from spreadlake.config import load_settings
from spreadlake.lake import Lake

SYMBOLS = [f"S{n:03}USDT" for n in range(int(os.environ.get("MINUTES_SYMBOLS", "4")))]
MONTHS = int(os.environ.get("MINUTES_MONTHS", "12"))
_MARKET = 500


def main() -> None:
    """Prints one line a figure; what a whole market takes is extrapolated."""
    with tempfile.TemporaryDirectory() as folder:
        files = [_dump(Path(folder), s, m) for s in SYMBOLS for m in range(1, MONTHS + 1)]
        lake = Lake(Path(folder, "lake"))
        imported = _cpu(lambda: _import(lake, files))
        job = AnalyticsJob(lake, load_settings(None, symbols=SYMBOLS, pairs=[]))
        first = _cpu(job.step)
        idle = min(_cpu(job.step) for _ in range(5))
        job.close()
        rows = len(SYMBOLS) * sum(_days(month) for month in range(1, MONTHS + 1)) * 1440
        share = _MARKET / len(SYMBOLS) * 12 / MONTHS
        sizes = {name: _size(lake.root / name) for name in ("klines", "bars")}
        databases = {path.name: path.stat().st_size for path in lake.root.glob("*.db")}
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"minutes: {rows:,} klines, {len(SYMBOLS)} symbols: import {imported:.1f} s, bars "
            f"{first:.1f} s of processor time, {(imported + first) / rows * 1e6:.1f} µs a "
            f"kline; a step with nothing new {idle * 1e3:.2f} ms; memory {memory:.0f} MiB"
        )
        print(
            f"minutes: klines {_mib(sizes['klines'])}, bars {_mib(sizes['bars'])}, "
            + ", ".join(f"{name} {_mib(size)}" for name, size in sorted(databases.items()))
            + f"; a year of {_MARKET} symbols is {share * sum(sizes.values()) / 2**30:.1f} GiB of "
            f"Parquet and {share * (imported + first) / 3600:.1f} h of processor time"
        )


def _import(lake: Lake, files: list[Path]) -> None:
    for _ in import_dumps(lake, files, lambda _dump, _doing: lambda _bytes: None):
        pass


def _days(month: int) -> int:
    start = datetime(2024, month, 1, tzinfo=UTC)
    after = datetime(2024 + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return (after - start).days


def _dump(folder: Path, symbol: str, month: int) -> Path:
    """A month of a walk, as the exchange packs it."""
    start = int(datetime(2024, month, 1, tzinfo=UTC).timestamp())
    count = _days(month) * 1440
    rng = np.random.default_rng(int(symbol[1:4]) * 100 + month)
    closes = np.round(100 * np.exp(np.cumsum(rng.normal(0, 5e-4, count))), 4)
    lines = []
    before = 100.0
    for n, close in enumerate(closes.tolist()):
        time_ms, high, low = (start + n * 60) * 1000, max(before, close), min(before, close)
        volume = round(10 + n % 97 * 0.37, 3)
        prices = f"{before},{high},{low},{close}"
        lines.append(
            f"{time_ms},{prices},{volume},{time_ms + 59_999},{volume * close:.4f},"
            f"{50 + n % 13},{volume / 2},{volume * close / 2:.4f},0"
        )
        before = close
    name = f"{symbol}-1m-2024-{month:02}"
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", "\n".join(lines) + "\n")
    return folder / f"{name}.zip"


def _cpu(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
