"""The log between captures and a store: trades a second in and out, against a store without it.

Processor time of this process, and Redis' own beside it; the wait for the disk is in neither.
"""

import asyncio
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from collector.broker.consumer import LogConsumer
from collector.broker.entry import decoded, encoded, merged
from collector.broker.publisher import Publisher
from collector.broker.server import Server
from collector.storage.batch import Batch
from collector.storage.store import TickStore
from collector.timing import Timing
from spreadlake.binance.decode import AggTrade
from spreadlake.config import load_settings
from spreadlake.lake import Lake, open_ticks_writer

TRADES = 200_000
PER_ENTRY = 500  # what a capture of 5,000 trades a second takes in a tenth of one
SYMBOLS = [f"S{number}USDT" for number in range(500)]
_START_MS = 1_795_000_000_000


def main() -> None:
    """Prints one line a figure."""
    if shutil.which("redis-server") is None:
        print("log: skipped: redis-server is not installed")
        return
    batches = _batches()
    entries = [entry for batch in batches for entry in encoded(batch)]
    packed = _rate(lambda: [list(encoded(batch)) for batch in batches])
    unpacked = _rate(lambda: [decoded(data) for data, *_ in entries])
    size = sum(len(data) for data, *_ in entries) / TRADES
    print(
        f"log: entries of {PER_ENTRY} trades: packed {packed:,.0f}/s, unpacked {unpacked:,.0f}/s, "
        f"{size:.0f} bytes a trade"
    )
    alone = _rate(lambda: _store(batches))
    with _redis() as port:
        asyncio.run(_through(port, batches, alone))


async def _through(port: int, batches: Sequence[Batch], alone: float) -> None:
    server = Server(f"redis://127.0.0.1:{port}/0", load_settings(None).redis)
    publisher = Publisher(server, "trades", 2 * TRADES, 2**30, Timing())
    begun, wall = time.process_time(), time.perf_counter()
    for batch in batches:
        publisher.put(batch)
    publishing = asyncio.create_task(publisher.run())
    await publisher.flush()
    published = TRADES / (time.process_time() - begun)
    seconds = time.perf_counter() - wall
    publishing.cancel()
    used: Any = await server.redis.memory_usage(server.names.stream, samples=0)
    print(
        f"log: published {published:,.0f}/s of processor time ({TRADES / seconds:,.0f}/s by the "
        f"clock), {used / TRADES:.0f} bytes a trade in Redis"
    )
    begun, wall = time.process_time(), time.perf_counter()
    await _drain(server)
    stored = TRADES / (time.process_time() - begun)
    seconds = time.perf_counter() - wall
    print(
        f"log: read, stored and acknowledged {stored:,.0f}/s of processor time "
        f"({TRADES / seconds:,.0f}/s by the clock), stored without a log {alone:,.0f}/s: ratio "
        f"{stored / alone:.2f} (target 0.8)"
    )
    cpu: Any = await server.redis.info("cpu")
    own = (cpu["used_cpu_user"] + cpu["used_cpu_sys"]) / TRADES
    print(f"log: Redis itself {own * 1e6:.1f} µs a trade, in and out, with its append-only file")
    await server.close()


async def _drain(server: Server) -> None:
    with _lake() as store:
        consumer, stored = LogConsumer(server, 1), 0
        while stored < TRADES:
            read = await consumer.read()
            for batch in merged(read.batches):
                store.write(batch)
                stored += len(batch.events)
            await consumer.acknowledge(read.ids)


def _store(batches: Sequence[Batch]) -> None:
    """The same transactions as out of the log, whose entries are read 64 at a time."""
    with _lake() as store:
        for start in range(0, len(batches), 64):
            for batch in merged(batches[start : start + 64]):
                store.write(batch)


@contextmanager
def _lake() -> Iterator[TickStore]:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_ticks_writer(Lake(Path(folder)))) as db,
    ):
        yield TickStore(db, SYMBOLS)


def _rate(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return TRADES / (time.process_time() - begun)


def _batches() -> list[Batch]:
    ids = dict.fromkeys(SYMBOLS, 0)
    return [
        Batch([_trade(ids, number) for number in range(start, start + PER_ENTRY)])
        for start in range(0, TRADES, PER_ENTRY)
    ]


def _trade(ids: dict[str, int], number: int) -> AggTrade:
    symbol, time_ms = SYMBOLS[number * 7 % len(SYMBOLS)], _START_MS + number // 5
    ids[symbol] += 1
    trade_id, price = ids[symbol], 100.5 + number % 9
    trade = AggTrade(symbol, trade_id, time_ms, price, 0.25, True, trade_id, trade_id, 0.2)
    trade.received_ms = trade.event_ms = time_ms
    return trade


@contextmanager
def _redis() -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", folder]
        command += ["--save", "", "--appendonly", "yes"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                _wait_for(port)
                yield port
            finally:
                process.kill()


def _wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
