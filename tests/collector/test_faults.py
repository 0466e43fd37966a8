"""The fault suite: whatever goes wrong, every trade is in the lake once and as it was made.

The short version runs with the other tests; the long ones are for `make soak`.
"""

import asyncio
import json
import random
import resource
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator import (
    TAMPERINGS,
    Faults,
    SimulatedExchange,
    Tamper,
    When,
    exchange_in_thread,
    random_faults,
)
from spreadlake.binance.decode import AggTrade, FrameDecoder, MarketTrade
from spreadlake.lake import Lake
from spreadlake.trades import FrameError, Ignored
from tests.collector.fake import frame
from tests.collector.lakes import rows_of, wait_until
from tests.collector.live import (
    SYMBOLS,
    all_caught_up,
    caught_up,
    collecting,
    counter,
    differences,
    drawn_faults,
    market,
    settings_for,
    ticks,
    until,
)
from tests.collector.processes import started
from tests.patience import PATIENCE

CLEAN = {"missing": 0, "twice": 0, "wrong": 0}


async def capture_through(
    lake: Lake, faults: Faults, rate: float, **collector: Any
) -> Counter[str]:
    """Captures until all faults have happened and all gaps are closed; what the lake then lacks."""
    async with SimulatedExchange(market(rate), faults=faults) as exchange:
        async with collecting(lake, settings_for(exchange, **collector)):
            await until(lambda: not faults.pending, 3600)
            await all_caught_up(lake, exchange, 120)
        return Counter(differences(lake, exchange))


def run_through(lake: Lake, faults: Faults, rate: float = 150.0, **collector: Any) -> Counter[str]:
    found = asyncio.run(capture_through(lake, faults, rate, **collector))
    assert rows_of(lake, "SELECT count(*) FROM gaps WHERE state != 'repaired'") == [(0,)]
    return found


@pytest.mark.parametrize("connections", [1, 2])
def test_every_damaged_frame_is_survived_and_repaired(tmp_path: Path, connections: int) -> None:
    # The last one ends the connection: what is on its way behind it would be lost with it.
    order = sorted(TAMPERINGS, key=lambda how: how == "huge")
    plans = [Tamper(how, when=When(frame=60 + 12 * i)) for i, how in enumerate(order)]
    lake, faults = Lake(tmp_path), Faults(plans)
    found = run_through(lake, faults, connections_per_symbol=connections)
    assert len(faults.fired) == len(TAMPERINGS)
    assert found.pop("right") > 200
    assert found == CLEAN
    assert counter(lake, "malformed") >= 15


@pytest.mark.parametrize("connections", [1, 2])
def test_faults_of_all_kinds(tmp_path: Path, connections: int) -> None:
    lake, faults = Lake(tmp_path), drawn_faults(seed=11, count=25, frames=1000)
    often = {"connection_hours": 3 / 3600, "silence_seconds": 3.0}
    found = run_through(lake, faults, connections_per_symbol=connections, **often)
    assert found.pop("right") > 200
    assert found == CLEAN


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("skew_ms", [-5_000, 5_000])
def test_the_clocks_need_not_agree(tmp_path: Path, skew_ms: int, connections: int) -> None:
    async def scenario() -> Counter[str]:
        lake = Lake(tmp_path)
        start_ms = time.time_ns() // 1_000_000 + skew_ms
        faults = Faults([Tamper("lost", when=When(frame=50, times=5))])
        async with SimulatedExchange(market(), faults=faults, start_ms=start_ms) as exchange:
            given = {"warm_start_minutes": 1, "connections_per_symbol": connections}
            async with collecting(lake, settings_for(exchange, **given)):
                # What was lost comes by repair, or on a slow machine by the warm start.
                await until(lambda: ticks(lake) > 10_000 and not faults.pending)
                await all_caught_up(lake, exchange)
            return Counter(differences(lake, exchange))

    found = asyncio.run(scenario())
    assert found.pop("right") > 10_000
    assert found == CLEAN


def killed_again_and_again(lake: Lake, kills: int, seed: int, connections: int = 2) -> Counter[str]:
    """SIGKILL at random moments; then one collector that may finish its repairs."""
    dice = random.Random(seed)
    with exchange_in_thread(market(rate=200)) as exchange:
        overrides = {
            "symbols": SYMBOLS,
            "exchange": {"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
            "collector": {
                "warm_start_minutes": 1,
                "flush_interval": 0.02,
                "request_weight": 2400,
                "connections_per_symbol": connections,
            },
        }
        for _ in range(kills):
            kill_while_it_stores(lake, overrides, dice.uniform(0.0, 0.7))
        now_ms = exchange.call(SimulatedExchange.clock_ms)
        with started(lake, overrides) as process:
            wait_until(lambda: ticks(lake) > 500 and caught_up(lake, now_ms), 120)
            process.terminate()
            assert process.wait(PATIENCE) == 0
        return Counter(differences(lake, exchange))


def kill_while_it_stores(lake: Lake, overrides: dict[str, Any], seconds: float) -> None:
    beginning = ticks(lake) if lake.ticks_db.exists() else 0
    with started(lake, overrides):
        wait_until(lambda: lake.ticks_db.exists() and _grown(lake, beginning))
        time.sleep(seconds)


def _grown(lake: Lake, beginning: int) -> bool:
    has_table = rows_of(lake, "SELECT 1 FROM sqlite_master WHERE name = 'service_status'")
    return bool(has_table) and ticks(lake) > beginning


@pytest.mark.parametrize("connections", [1, 2])
def test_sigkill_at_any_moment(tmp_path: Path, connections: int) -> None:
    lake = Lake(tmp_path)
    found = killed_again_and_again(lake, kills=2, seed=1, connections=connections)
    assert found.pop("right") > 500
    assert found == CLEAN
    causes = {row[0] for row in rows_of(lake, "SELECT DISTINCT cause FROM gaps")}
    assert "restart" in causes


@pytest.mark.soak
def test_sigkill_at_many_moments(tmp_path: Path) -> None:
    found = killed_again_and_again(Lake(tmp_path), kills=40, seed=2)
    print(f"\n40 SIGKILLs: {dict(found)}")
    assert found.pop("right") > 10_000
    assert found == CLEAN


@pytest.mark.soak
def test_hundreds_of_faults(tmp_path: Path) -> None:
    lake, faults = Lake(tmp_path), Faults(random_faults(seed=7, count=300, frames=45_000))
    with memory_sampled() as samples:
        found = run_through(lake, faults, 200.0, connection_hours=10 / 3600, silence_seconds=3.0)
    early, most = samples[len(samples) // 4], max(samples)
    kinds = Counter(type(plan).__name__ for plan in faults.fired)
    print(f"\n{len(faults.fired)} faults {dict(kinds)}: {dict(found)}")
    print(f"memory after a quarter of the time {early:.0f} MiB, most {most:.0f} MiB")
    assert len(faults.fired) == 300
    assert found.pop("right") > 30_000
    assert found == CLEAN
    assert most - early < 100


@contextmanager
def memory_sampled() -> Iterator[list[float]]:
    """Resident memory of this process in MiB, sampled until the end of the block."""
    samples, done = [], threading.Event()

    def sample() -> None:
        while not done.wait(0.5):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            samples.append(pages * resource.getpagesize() / 2**20)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        done.set()
        sampler.join()


TEXT = frame(7).encode()
DECODERS = [FrameDecoder("aggTrade"), FrameDecoder("trade")]


def mutated(dice: random.Random) -> bytes:
    """A frame with a few bytes changed, taken out, or repeated."""
    data = bytearray(TEXT)
    for _ in range(dice.randint(1, 6)):
        start, length = dice.randrange(len(data)), dice.randint(0, 8)
        part = dice.choice((dice.randbytes(length), data[start : start + length] * 2, b""))
        data[start : start + length] = part
        data = data or bytearray(b"{")
    return bytes(data)


def decoded(data: bytes) -> str:
    """What the decoders made of it; anything but a trade, a pass or a FrameError is a bug."""
    made = "error"
    for decoder in DECODERS:
        try:
            event = decoder.decode(data)
        except FrameError:
            continue
        if isinstance(event, Ignored):
            made = "ignored"
            continue
        assert 0 < event.price < 1e15
        assert 0 < event.qty < 1e15
        assert 0 <= event.trade_id < 2**53
        return "trade"
    return made


def fuzz(frames: int, seed: int) -> Counter[str]:
    dice = random.Random(seed)
    return Counter(decoded(mutated(dice)) for _ in range(frames))


def test_fuzzed_frames() -> None:
    made = fuzz(10_000, seed=1)
    assert made["trade"]
    assert made["error"] > 5_000


@pytest.mark.soak
def test_a_million_fuzzed_frames() -> None:
    print(f"\n1,000,000 fuzzed frames: {dict(fuzz(1_000_000, seed=2))}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(["e", "E", "s", "a", "t", "p", "q", "T", "m", "X"]), JSON),
    st.booleans(),
)
def test_any_json_is_a_trade_or_none(fields: dict[str, Any], combined: bool) -> None:
    event = json.loads(frame(7))["data"] | fields
    data = msgspec.json.encode({"stream": "x", "data": event} if combined else event)
    assert decoded(data) in ("trade", "ignored", "error")
    assert isinstance(DECODERS[0].decode(TEXT), AggTrade | MarketTrade)
