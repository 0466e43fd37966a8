"""A grid over the pairs of 100 symbols × 30 days of minutes: one process, and local clusters.

By the clock, as processes wait for each other's cores: it says how busy the machine was meanwhile.
`CLUSTER_DAYS` and `CLUSTER_SYMBOLS` make it smaller. Skipped where Dask is not installed.
"""

import importlib.util
import os
import pickle
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from spreadlake.cluster import open_tasks
from spreadlake.lake import Lake, atomic, open_analytics_writer
from spreadlake.pairs import Pair
from spreadlake.quant.backtest import Costs, Lane, Rules
from spreadlake.research.backtests.grid import GridRequest
from spreadlake.research.backtests.pair import BacktestRequest
from spreadlake.research.backtests.pair_grids import take_grids
from spreadlake.tasks import InProcess, Item, Progress, Result, Tasks

SYMBOLS = int(os.environ.get("CLUSTER_SYMBOLS", "100"))
DAYS = int(os.environ.get("CLUSTER_DAYS", "30"))
WORKERS = (2, 4)
START = 1_700_006_400
GRID: dict[str, list[Any]] = {
    "window": [30, 60, 120],
    "entry": [1.5, 2.0, 2.5],
    "exit": [0.0, 0.5],
    "stop": [None, 4.0],
}


def main() -> None:
    """Prints one line a figure."""
    if importlib.util.find_spec("distributed") is None:
        print("cluster: skipped: Dask is not installed (pip install 'spreadlake[cluster]')")
        return
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        _store(lake)
        # Before and after, as others work on the machine too.
        before, wanted = _timed(lake, InProcess())
        for workers in WORKERS:
            begin = time.perf_counter()
            with open_tasks(f"local:{workers}", lake) as tasks:
                list(tasks.map(_imported, range(4 * workers)))  # what is imported once
                started = time.perf_counter() - begin
                counted = _Counted(tasks)
                seconds, found = _timed(lake, counted)
            if not found.equals(wanted, null_equal=True):
                raise SystemExit("cluster: the grid is not that of one process")
            after, _ = _timed(lake, InProcess())
            _tell(workers, started, seconds, (before, after), counted)
            before = after
        pairs, sets = len(_pairs()), wanted.height // len(_pairs())
        print(
            f"cluster: {SYMBOLS} symbols, {DAYS} days of minutes, {pairs} pairs of {sets} sets, "
            f"{wanted['trades'].sum():,} trades; equal to the last bit"
        )


def _tell(
    workers: int, started: float, seconds: float, alone: tuple[float, float], counted: "_Counted"
) -> None:
    sent, given = counted.sent / counted.tasks, counted.given / counted.tasks
    print(
        f"cluster: {workers} workers {seconds:.1f} s, one process {alone[0]:.1f} before and "
        f"{alone[1]:.1f} s after: ratio {sum(alone) / 2 / seconds:.2f} on {_most(workers)} cores; "
        f"started in {started:.1f} s; a task sends {sent:,.0f} bytes and gives {given:,.0f}, and "
        f"reads {2 * DAYS * 1440:,} bars; load {os.getloadavg()[0]:.1f}"
    )


def _most(workers: int) -> int:
    return min(workers, os.cpu_count() or 1)


def _timed(lake: Lake, tasks: Tasks) -> tuple[float, pl.DataFrame]:
    begin = time.perf_counter()
    found = take_grids(lake, _asked(), _pairs(), tasks)
    return time.perf_counter() - begin, found


def _asked() -> GridRequest:
    lane = Lane(Rules(), Costs(1.0))
    return GridRequest(BacktestRequest(_pairs()[0], lane=lane), {"lookback": 300}, GRID)


def _pairs() -> list[Pair]:
    """Each symbol in one."""
    return [Pair(_name(at), _name(at + 1)) for at in range(0, SYMBOLS - 1, 2)]


def _name(number: int) -> str:
    return f"S{number:03}USDT"


def _imported(_: int) -> None:
    time.sleep(0.1)  # so that each worker has some
    take_grids.__module__  # noqa: B018 its module is there now


class _Counted:
    """Counts the bytes that go and come."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self.workers = tasks.workers
        self.tasks = self.sent = self.given = 0

    def map(
        self,
        function: Callable[[Item], Result],
        items: Sequence[Item],
        advance: Progress | None = None,
    ) -> Iterator[Result]:
        """As it is."""
        each = len(pickle.dumps(function))
        for item, result in zip(items, self._tasks.map(function, items, advance), strict=True):
            self.tasks += 1
            self.sent += each + len(pickle.dumps(item))
            self.given += len(pickle.dumps(result))
            yield result


def _store(lake: Lake) -> None:
    """Two of each pair go together, with a spread that comes back."""
    rng, bars = np.random.default_rng(5), DAYS * 1440
    with closing(open_analytics_writer(lake)) as db, atomic(db):
        for at in range(0, SYMBOLS, 2):
            b = np.cumsum(rng.normal(0, 5e-4, bars))
            noise, spread = rng.normal(0, 3e-4, bars).tolist(), np.zeros(bars)
            for bar in range(1, bars):
                spread[bar] = 0.97 * spread[bar - 1] + noise[bar]
            _insert(db, _name(at), 100 * np.exp(0.8 * b + spread))
            _insert(db, _name(at + 1), 50 * np.exp(b))
        end = START + bars * 60
        db.execute("INSERT OR REPLACE INTO progress VALUES ('final_time', ?)", (end,))


def _insert(db: sqlite3.Connection, symbol: str, closes: Any) -> None:
    db.executemany(
        f"INSERT INTO bars VALUES ({', '.join('?' * 11)})",
        (
            (symbol, "1m", START + at * 60, p, p, p, p, 1.0, p, 0.5, 3)
            for at, p in enumerate(closes.tolist())
        ),
    )
    db.execute("INSERT INTO first_bars VALUES (?, '1m', ?)", (symbol, START))


if __name__ == "__main__":
    main()
