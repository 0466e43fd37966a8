"""The exchange for code that blocks."""

import socket
import threading
import time
from pathlib import Path

import httpx
import pytest

from simulator import (
    Recording,
    SyntheticMarket,
    Tamper,
    exchange_in_thread,
    run_simulator,
)
from spreadlake.errors import InputError, RecordingError
from spreadlake.service import StopSignal
from tests.patience import Deadline
from tests.simulator.clients import SYMBOLS
from tests.simulator.test_recording import recorded, wrapped


def test_it_runs_until_it_is_told_to_stop() -> None:
    stop = StopSignal()
    answers: list[int] = []

    def ready(ws_url: str, rest_url: str) -> None:
        def ask() -> None:
            answers.append(httpx.get(f"{rest_url}/fapi/v1/time").json()["serverTime"])
            stop.set()

        assert ws_url.startswith("ws://127.0.0.1:")
        threading.Thread(target=ask).start()

    run_simulator(SyntheticMarket(1, SYMBOLS), stop, on_ready=ready, start_ms=5_000_000)
    assert answers[0] >= 5_000_000
    stop.set()


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}: .*in use"):
            run_simulator(
                SyntheticMarket(1, SYMBOLS), StopSignal(), on_ready=lambda *_: None, port=port
            )
        with (
            pytest.raises(InputError, match="cannot listen"),
            exchange_in_thread(SyntheticMarket(1, SYMBOLS), port=port),
        ):
            pass


def test_from_a_thread() -> None:
    with exchange_in_thread(SyntheticMarket(1, SYMBOLS), speed=50) as exchange:
        assert exchange.status()["source"] == "synthetic market, seed 1"
        deadline = Deadline()
        while not all(len(trades) for trades in exchange.truth().values()):
            assert not deadline.passed
            time.sleep(0.005)
        exchange.call(lambda served: served.faults.add(Tamper("lost")))
        assert exchange.call(lambda served: served.faults.pending) == 1
        assert httpx.get(f"{exchange.rest_url}/fapi/v1/ping").json() == {}
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{exchange.rest_url}/fapi/v1/ping")


def test_a_recording_that_vanishes_ends_the_run(tmp_path: Path) -> None:
    path = recorded(tmp_path / "r", [wrapped(1)])
    recording = Recording([path])
    path.unlink()

    def ready(ws_url: str, rest_url: str) -> None:
        from websockets.sync.client import connect

        threading.Thread(
            target=lambda: connect(f"{ws_url}/market/ws/btcusdt@aggTrade"), daemon=True
        ).start()

    with pytest.raises(RecordingError, match="does not exist"):
        run_simulator(recording, StopSignal(), on_ready=ready)
