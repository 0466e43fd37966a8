"""Captures, stores and Redis, each killed again and again: every trade once, as it was made."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from simulator import ExchangeHandle, SimulatedExchange, exchange_in_thread
from spreadlake.lake import Lake
from tests.collector.broker.servers import RedisServer, redis_server
from tests.collector.lakes import rows_of, wait_until
from tests.collector.live import SYMBOLS, caught_up, differences, has_ticks, market, ticks
from tests.collector.processes import started

CLEAN = {"missing": 0, "twice": 0, "wrong": 0}
Process = AbstractContextManager[subprocess.Popen[bytes]]


class Service:
    """A process that is started again after it was killed."""

    def __init__(self, start: Callable[[], Process]) -> None:
        self._start = start
        self._held = ExitStack()
        self._process = self._held.enter_context(start())

    def killed(self, how: signal.Signals) -> None:
        """Ends it, or has it sleep for a while, and starts another where it ended."""
        os.kill(self._process.pid, how)
        if how is signal.SIGSTOP:
            time.sleep(3.0)  # longer than the lease
            os.kill(self._process.pid, signal.SIGCONT)
            return
        self._held.close()
        self._process = self._held.enter_context(self._start())

    def close(self) -> None:
        self._held.close()


def overrides(exchange: ExchangeHandle) -> dict[str, Any]:
    return {
        "symbols": SYMBOLS,
        "exchange": {"ws_url": exchange.ws_url, "rest_url": exchange.rest_url},
        "collector": {"warm_start_minutes": 1, "request_weight": 2400, "funding": False},
        "redis": {"lease_seconds": 1.5},
    }


def through_chaos(tmp_path: Path, seconds: float, seed: int) -> Counter[str]:
    """Kills one after the other until the time is over; what the lake lacks when all is quiet."""
    lake, dice = Lake(tmp_path / "lake"), random.Random(seed)
    done: Counter[str] = Counter()
    with (
        exchange_in_thread(market(rate=150)) as exchange,
        redis_server(tmp_path / "redis") as redis,
    ):
        given = overrides(exchange)
        nowhere = Lake(tmp_path / "nowhere")
        with ExitStack() as services:
            captures = [Service(lambda: started(nowhere, given, to=redis.url)) for _ in range(2)]
            store = {"from": redis.url}
            stores = [Service(lambda: started(lake, given, **store)) for _ in range(2)]
            for service in (*captures, *stores):
                services.callback(service.close)
            wait_until(lambda: has_ticks(lake) and ticks(lake) > 100)
            until = time.monotonic() + seconds
            while time.monotonic() < until or len(done) < 3:
                done[strike(dice, redis, captures, stores)] += 1
                time.sleep(dice.uniform(0.0, 1.5))
            now_ms = exchange.call(SimulatedExchange.clock_ms)
            wait_until(lambda: caught_up(lake, now_ms))
        print(f"\n{dict(done)}; {ticks(lake)} trades")
        assert not nowhere.root.exists()
        return Counter(differences(lake, exchange))


def strike(
    dice: random.Random, redis: RedisServer, captures: list[Service], stores: list[Service]
) -> str:
    what = dice.choice(["capture", "store", "store sleeps", "redis"])
    if what == "capture":
        dice.choice(captures).killed(signal.SIGKILL)
    elif what == "store":
        dice.choice(stores).killed(signal.SIGKILL)
    elif what == "store sleeps":
        dice.choice(stores).killed(signal.SIGSTOP)
    else:
        redis.kill()
        time.sleep(dice.uniform(0.0, 1.0))
        redis.start()
    return what


def test_captures_stores_and_redis_are_killed(tmp_path: Path) -> None:
    found = through_chaos(tmp_path, seconds=8.0, seed=3)
    assert found.pop("right") > 500
    assert found == CLEAN


@pytest.mark.soak
def test_they_are_killed_for_minutes(tmp_path: Path) -> None:
    found = through_chaos(tmp_path, seconds=240.0, seed=4)
    print(dict(found))
    assert found.pop("right") > 20_000
    assert found == CLEAN
    lost = "SELECT count(*) FROM gaps WHERE state != 'repaired'"
    assert rows_of(Lake(tmp_path / "lake"), lost) == [(0,)]
