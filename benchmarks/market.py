"""The whole market: 500 symbols by two connections each, through all services, with a burst.

`python -m benchmarks market` takes two minutes; `python -m benchmarks.market --seconds 3600
--burst-seconds 30` an hour.
"""

import argparse
import asyncio
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.capture import capture_into
from benchmarks.firehose import SYMBOLS, trickle
from collector.storage.batch import Batch, Stored
from spreadlake.lake import Lake, open_reader, read_counters
from spreadlake.trades import TradeEvent

RATE, BURST = 1_000.0, 10_000.0
_WARM_UP = 10.0
_AFTER = 10.0
_SLOWEST_MS = 60_000
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Delays = NDArray[np.int64]


class Usage(NamedTuple):
    """Processor time (s) and resident memory (MiB) of one process by the end of a phase."""

    cpu: float
    mib: float


def main(seconds: float = 60.0, burst_seconds: float = 15.0) -> None:
    """Prints one line a figure."""
    lengths = {"warm-up": _WARM_UP, "steady": seconds, "burst": burst_seconds, "after": _AFTER}
    phases = [(length, BURST if name == "burst" else RATE) for name, length in lengths.items()]
    with tempfile.TemporaryDirectory() as folder, trickle(phases) as firehose:
        lake = Lake(Path(folder))
        config = _configuration(Path(folder), firehose.url)
        with _collecting(lake, firehose.url) as (collector, told):
            firehose.begun.recv()
            with _services(lake, config) as services:
                pids = {"collector": collector, **services}
                used, delays = [_used(pids)], {}
                for name, length in lengths.items():
                    used.append(_watched(pids, length))
                    told.send(name)
                    delays[name] = told.recv()
                _print(lake, lengths, used, delays)


def _print(
    lake: Lake,
    lengths: dict[str, float],
    used: list[dict[str, Usage]],
    delays: dict[str, Delays],
) -> None:
    for at, name in enumerate(lengths):
        if name not in ("steady", "burst"):
            continue
        p50, p99, most = _percentiles(delays[name], [50, 99, 100])
        before, after = used[at], used[at + 1]
        each = ", ".join(
            f"{who} {(use.cpu - before[who].cpu) / lengths[name]:.0%} {use.mib:.0f} MiB"
            for who, use in after.items()
        )
        print(
            f"market: {name}, {delays[name].sum() / lengths[name]:,.0f} trades/s of "
            f"{len(SYMBOLS)} symbols by two connections for {lengths[name]:g} s: frame to commit "
            f"p50 {p50} ms, p99 {p99} ms, most {most} ms (target p99 < 1000); of one core: {each}"
        )
    with _reader(lake) as db:
        counters = read_counters(db)
    total = {n: sum(v for (of, _), v in counters.items() if of == n) for n in ("ticks", "gaps")}
    missing = sum(counters.get(("single_gaps", number), 0.0) for number in ("1", "2"))
    print(
        f"market: {total['ticks']:,.0f} trades stored, {total['gaps']:.0f} gaps, {missing:.0f} of "
        f"one connection alone; ticks.db {lake.ticks_db.stat().st_size / 2**20:.0f} MiB"
    )


@contextmanager
def _reader(lake: Lake) -> Iterator[Any]:
    db = open_reader(lake.ticks_db)
    try:
        yield db
    finally:
        db.close()


def _configuration(folder: Path, url: str) -> Path:
    path = folder / "market.toml"
    symbols = ", ".join(f'"{symbol}"' for symbol in SYMBOLS)
    path.write_text(
        f'symbols = [{symbols}]\npairs = []\nalerts = []\n[exchange]\nws_url = "{url}"\n'
        'rest_url = "http://127.0.0.1:9"\n[exporter]\nport = 0\n',
        encoding="utf-8",
    )
    return path


@contextmanager
def _services(lake: Lake, config: Path) -> Iterator[dict[str, int]]:
    """The other services, as processes of their own; their ids by name."""
    command = [sys.executable, "-m", "spreadlake"]
    options = ["--data", str(lake.root), "--config", str(config)]
    started = {
        name: subprocess.Popen(
            [*command, name, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for name in ("analyse", "export-metrics")
    }
    try:
        yield {name: process.pid for name, process in started.items()}
    finally:
        for process in started.values():
            process.send_signal(signal.SIGTERM)
        for process in started.values():
            process.wait(60)


@contextmanager
def _collecting(lake: Lake, url: str) -> Iterator[tuple[int, Any]]:
    """The collector in a process of its own: its id, and a pipe that gives delays when asked."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_collect, args=(theirs, str(lake.root), url), daemon=True)
    process.start()
    theirs.close()
    try:
        yield int(process.pid or 0), ours
    finally:
        ours.close()
        process.join(60)


def _collect(pipe: Any, folder: str, url: str) -> None:
    logging.disable(logging.CRITICAL)
    asyncio.run(_collect_until_closed(pipe, Path(folder), url))


async def _collect_until_closed(pipe: Any, folder: Path, url: str) -> None:
    stop, delays = asyncio.Event(), np.zeros(_SLOWEST_MS + 1, np.int64)

    def on_stored(batch: Batch, _: Stored) -> None:
        now_ms = time.time_ns() / 1e6
        sent = [event.time_ms for event in batch.events if isinstance(event, TradeEvent)]
        late_ms = np.clip(now_ms - np.array(sent), 0, _SLOWEST_MS).astype(np.int64)
        np.add.at(delays, late_ms, 1)

    def answer() -> None:
        """Gives the delays since the last question; the end of the pipe is the end."""
        try:
            pipe.recv()
            pipe.send(delays.copy())
            delays[:] = 0
        except EOFError:
            asyncio.get_running_loop().remove_reader(pipe.fileno())
            stop.set()

    asyncio.get_running_loop().add_reader(pipe.fileno(), answer)
    await capture_into(folder, url, SYMBOLS, 2, on_stored, stop)


def _watched(pids: dict[str, int], seconds: float) -> dict[str, Usage]:
    """What each process has used after so many seconds."""
    time.sleep(seconds)
    return _used(pids)


def _used(pids: dict[str, int]) -> dict[str, Usage]:
    return {name: _usage(pid) for name, pid in pids.items()}


def _usage(pid: int) -> Usage:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return Usage((int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND, pages * _PAGE / 2**20)


def _percentiles(counts: Delays, wanted: list[float]) -> list[int]:
    below = np.cumsum(counts)
    return [int(np.searchsorted(below, below[-1] * share / 100)) for share in wanted]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of 1,000 trades a second")
    parser.add_argument("--burst-seconds", type=float, default=15.0, help="of 10,000 a second")
    arguments = parser.parse_args()
    main(arguments.seconds, arguments.burst_seconds)
