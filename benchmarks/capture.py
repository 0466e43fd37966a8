"""The collector: socket to durable SQLite against a bare client, 500 symbols, and idle.

`python -m benchmarks.capture --seconds 600` runs the second part for ten minutes.
"""

import argparse
import asyncio
import logging
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from benchmarks.firehose import Firehose, flood, trickle
from collector.service import serve
from collector.storage.batch import Batch, Stored
from collector.storage.store import TickStore
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from spreadlake.trades import TradeEvent

FRAMES = 300_000
ROUNDS = 5
SYMBOLS = 500
RATE = 10.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SLOWEST_MS = 60_000


def main(seconds: float = 20.0) -> None:
    """Prints one line a figure."""
    share()
    steady(seconds)
    idle()


def share() -> None:
    """Trades a second from the socket to a durable commit, as a share of a bare client's.

    Both in turn, the best round of each: what else the machine does can only make them slower.
    """
    bare, stored = [], []
    with flood(FRAMES) as firehose:
        for _ in range(ROUNDS):
            bare.append(FRAMES / _in_process(_receive_bare, firehose))
            stored.append(FRAMES / _in_process(_store_flood, firehose))
    print(
        f"capture: socket to durable SQLite {max(stored):,.0f}/s, bare websockets client "
        f"{max(bare):,.0f}/s: ratio {max(stored) / max(bare):.2f} (target 0.45; best of {ROUNDS})"
    )


def steady(seconds: float) -> None:
    """Delay from sending a frame to its commit, and memory, at a steady rate."""
    with trickle(RATE) as firehose:
        found = _in_process(_store_steadily, firehose, seconds)
    p50, p99, most = _percentiles(found["delays"], [50, 99, 100])
    print(
        f"capture: {found['trades'] / seconds:,.0f} trades/s over {SYMBOLS} symbols for "
        f"{seconds:g} s: frame to commit p50 {p50} ms, p99 {p99} ms, most {most} ms "
        f"(target p99 < 1000); memory {found['early_mib']:.0f} MiB after a quarter, "
        f"{found['late_mib']:.0f} MiB at the end, peak {found['peak_mib']:.0f} MiB; "
        f"CPU {found['cpu']:.0%} of one core"
    )


def idle(seconds: float = 10.0) -> None:
    """Share of one core that a collector without trades takes."""
    with trickle(0.0) as firehose:
        cpu = _in_process(_idle, firehose, seconds)
    print(f"capture: idle for {seconds:g} s: {cpu:.1%} of one core")


def _in_process(function: Callable[..., Any], firehose: Firehose, *arguments: float) -> Any:
    """Runs in a fresh process, so that nothing is left over from the run before."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    target = (theirs, function, firehose.url, arguments)
    process = context.Process(target=_call, args=target)
    process.start()
    theirs.close()  # so that a process that fails ends the wait
    result = ours.recv()
    process.join()
    if isinstance(result, dict) and "ended" in result:
        begun = firehose.begun.recv()
        return result["ended"] - begun
    while firehose.begun.poll():
        firehose.begun.recv()
    return result


def _call(pipe: Any, function: Callable[..., Any], url: str, arguments: tuple[float, ...]) -> None:
    logging.disable(logging.CRITICAL)
    pipe.send(asyncio.run(function(url, *arguments)))


async def _receive_bare(url: str) -> dict[str, float]:
    async with connect(f"{url}/stream", compression=None) as socket:
        left = FRAMES
        async for _ in socket:
            left -= 1
            if not left:
                break
        return {"ended": time.monotonic()}


async def _capture(
    url: str, symbols: list[str], on_stored: Callable[[Batch, Stored], None], stop: asyncio.Event
) -> None:
    settings = load_settings(
        None,
        symbols=symbols,
        pairs=[],
        alerts=[],
        exchange={"ws_url": url, "rest_url": "http://127.0.0.1:9"},
        collector={"warm_start_minutes": 0, "silence_seconds": 3600.0},
    )
    write = TickStore.write

    def measured(store: TickStore, batch: Batch) -> Stored:
        stored = write(store, batch)
        on_stored(batch, stored)
        return stored

    monkey: Any = TickStore
    monkey.write = measured
    with tempfile.TemporaryDirectory() as folder:
        await serve(ServiceContext(settings, Lake(Path(folder))), stop)


async def _store_flood(url: str) -> dict[str, float]:
    loop, stop, left, ended = asyncio.get_running_loop(), asyncio.Event(), FRAMES, 0.0

    def on_stored(_: Batch, stored: Stored) -> None:
        nonlocal left, ended
        left -= sum(stored.ticks.values())
        if not left and not ended:
            ended = time.monotonic()
            loop.call_soon_threadsafe(stop.set)

    await _capture(url, ["BTCUSDT", "ETHUSDT"], on_stored, stop)
    return {"ended": ended}


async def _store_steadily(url: str, seconds: float) -> dict[str, Any]:
    stop = asyncio.Event()
    # How many took so many ms: of one size, so that the memory is the collector's own.
    delays = np.zeros(_SLOWEST_MS + 1, np.int64)
    memory: list[float] = []

    def on_stored(batch: Batch, _: Stored) -> None:
        now_ms = time.time_ns() / 1e6
        sent = [event.time_ms for event in batch.events if isinstance(event, TradeEvent)]
        late_ms = np.clip(now_ms - np.array(sent), 0, _SLOWEST_MS).astype(np.int64)
        np.add.at(delays, late_ms, 1)

    async def stop_later() -> None:
        for _ in range(4):
            await asyncio.sleep(seconds / 4)
            memory.append(_resident_mib())
        stop.set()

    stopping = asyncio.create_task(stop_later())
    symbols = [f"S{number:03d}USDT" for number in range(SYMBOLS)]
    used = time.process_time()
    await _capture(url, symbols, on_stored, stop)
    await stopping
    return {
        "trades": int(delays.sum()),
        "delays": delays,
        "early_mib": memory[0],
        "late_mib": memory[-1],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu": (time.process_time() - used) / seconds,
    }


async def _idle(url: str, seconds: float) -> float:
    stop, used = asyncio.Event(), 0.0

    async def measure() -> None:
        nonlocal used
        await asyncio.sleep(2.0)
        before = time.process_time()
        await asyncio.sleep(seconds)
        used = time.process_time() - before
        stop.set()

    measuring = asyncio.create_task(measure())
    await _capture(url, ["BTCUSDT", "ETHUSDT", "SOLUSDT"], lambda _batch, _stored: None, stop)
    await measuring
    return used / seconds


def _percentiles(counts: NDArray[np.int64], wanted: list[float]) -> list[int]:
    """Percentiles in ms of delays that were counted by the ms."""
    below = np.cumsum(counts)
    return [int(np.searchsorted(below, below[-1] * share / 100)) for share in wanted]


def _resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1]) if sys.platform == "linux" else 0
    return pages * _PAGE / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    main(parser.parse_args().seconds)
