"""The collector: socket to durable SQLite against a bare client, 500 symbols, and idle.

By one connection, and by the two that are the default.

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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from benchmarks.firehose import SYMBOLS, Firehose, flood, trickle
from collector.service import serve
from collector.storage.batch import Batch, Stored
from collector.storage.store import TickStore
from collector.timing import Timing
from spreadlake.config import load_settings
from spreadlake.lake import Lake
from spreadlake.service import ServiceContext
from spreadlake.trades import TradeEvent

FRAMES = 300_000
ROUNDS = 5
RATE = 5_000.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SLOWEST_MS = 60_000


def main(seconds: float = 20.0) -> None:
    """Prints one line a figure."""
    share()
    steady(seconds)
    idle()


def share() -> None:
    """Trades a second from the socket to a durable commit, as a share of a bare client's.

    All in turn, the best round of each: what else the machine does can only make them slower.
    """
    bare: list[dict[str, float]] = []
    one: list[dict[str, float]] = []
    two: list[dict[str, float]] = []
    with flood(FRAMES) as firehose:
        for _ in range(ROUNDS):
            bare.append(_in_process(_receive_bare, firehose))
            one.append(_in_process(_store_flood, firehose, 1))
            two.append(_in_process(_store_flood, firehose, 2))
    fastest, alone = (FRAMES / min(r["seconds"] for r in rounds) for rounds in (bare, one))
    print(
        f"capture: socket to durable SQLite {alone:,.0f}/s, bare websockets client "
        f"{fastest:,.0f}/s: ratio {alone / fastest:.2f} (target 0.45; best of {ROUNDS})"
    )
    cpu_bare, cpu_one, cpu_two = (
        min(r["cpu"] for r in rounds) * 1e6 / FRAMES for rounds in (bare, one, two)
    )
    copy = cpu_two - cpu_one
    print(
        f"capture: processor time a trade: bare client {cpu_bare:.1f} µs, stored by one connection "
        f"{cpu_one:.1f} µs (ratio {cpu_bare / cpu_one:.2f}), by two {cpu_two:.1f} µs: the second "
        f"copy costs {copy:.1f} µs, {copy - cpu_bare:.1f} µs more than to receive it; "
        f"{two[-1]['repeated'] / FRAMES:.0%} of them were known before they were decoded"
    )


def steady(seconds: float) -> None:
    """Delay from sending a frame to its commit, and memory, at a steady rate by two connections."""
    with trickle([(seconds + 60, RATE)]) as firehose:
        found = _in_process(_store_steadily, firehose, seconds)
    p50, p99, most = _percentiles(found["delays"], [50, 99, 100])
    print(
        f"capture: {found['trades'] / seconds:,.0f} trades/s over {len(SYMBOLS)} symbols, by two "
        f"connections each, for {seconds:g} s: frame to commit "
        f"p50 {p50} ms, p99 {p99} ms, most {most} ms "
        f"(target p99 < 1000); memory {found['early_mib']:.0f} MiB after a quarter, "
        f"{found['late_mib']:.0f} MiB at the end, peak {found['peak_mib']:.0f} MiB; "
        f"CPU {found['cpu']:.0%} of one core"
    )


def idle(seconds: float = 10.0) -> None:
    """Share of one core that a collector without trades takes."""
    with trickle([]) as firehose:
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
    begun = [firehose.begun.recv()]
    while firehose.begun.poll():
        begun.append(firehose.begun.recv())
    if isinstance(result, dict) and "ended" in result:
        result["seconds"] = result["ended"] - begun[0]
    return result


def _call(pipe: Any, function: Callable[..., Any], url: str, arguments: tuple[float, ...]) -> None:
    logging.disable(logging.CRITICAL)
    pipe.send(asyncio.run(function(url, *arguments)))


async def _receive_bare(url: str) -> dict[str, float]:
    async with connect(f"{url}/stream", compression=None) as socket:
        left, used = FRAMES, time.process_time()
        async for _ in socket:
            left -= 1
            if not left:
                break
        return {"ended": time.monotonic(), "cpu": time.process_time() - used}


async def capture_into(
    folder: Path,
    url: str,
    symbols: Sequence[str],
    connections: int,
    on_stored: Callable[[Batch, Stored], None],
    stop: asyncio.Event,
) -> None:
    """The collector itself, until `stop`; `on_stored` hears of each batch when it is durable."""
    settings = load_settings(
        None,
        symbols=list(symbols),
        pairs=[],
        alerts=[],
        exchange={"ws_url": url, "rest_url": "http://127.0.0.1:9"},
        collector={
            "warm_start_minutes": 0,
            "silence_seconds": 3600.0,
            "connections_per_symbol": connections,
        },
    )
    write = TickStore.write

    def measured(store: TickStore, batch: Batch) -> Stored:
        stored = write(store, batch)
        on_stored(batch, stored)
        return stored

    monkey: Any = TickStore
    monkey.write = measured
    # All at once: the flood begins with each of them.
    options = {"timing": Timing(stagger=0.0)}
    await serve(ServiceContext(settings, Lake(folder), options=options), stop)


async def _capture(
    url: str,
    symbols: Sequence[str],
    connections: int,
    on_stored: Callable[[Batch, Stored], None],
    stop: asyncio.Event,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await capture_into(Path(folder), url, symbols, connections, on_stored, stop)


async def _store_flood(url: str, connections: int) -> dict[str, float]:
    loop, stop, ended = asyncio.get_running_loop(), asyncio.Event(), 0.0
    left, frames, repeated = FRAMES, connections * FRAMES, 0

    def on_stored(batch: Batch, stored: Stored) -> None:
        nonlocal left, frames, repeated, ended
        left -= sum(stored.ticks.values())
        frames -= int(batch.counts["frames"])
        repeated += sum(map(len, batch.repeats.values()))
        if not left and not ended:
            ended = time.monotonic()
        if frames <= 0:  # all copies have come
            loop.call_soon_threadsafe(stop.set)

    used = time.process_time()
    await _capture(url, ["BTCUSDT", "ETHUSDT"], connections, on_stored, stop)
    return {"ended": ended, "cpu": time.process_time() - used, "repeated": repeated}


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
    used = time.process_time()
    await _capture(url, SYMBOLS, 2, on_stored, stop)
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
    await _capture(url, SYMBOLS[:3], 2, lambda _batch, _stored: None, stop)
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
