"""The process beside the job ends with it, at whatever moment that is."""

import threading
from concurrent.futures import Future

import pytest

from analytics_job import background
from analytics_job.background import NicedProcess


class _Process:
    def __init__(self) -> None:
        self.terminated = threading.Event()

    def terminate(self) -> None:
        self.terminated.set()


class _SlowPool:
    """A pool whose process is there a while after the first thing was submitted."""

    def __init__(self) -> None:
        self._processes: dict[int, _Process] = {}
        self.process = _Process()
        self.starting, self.may_start = threading.Event(), threading.Event()

    def submit(self, *_: object) -> "Future[int]":
        self.starting.set()
        self.may_start.wait(30)
        self._processes[1] = self.process
        return Future()

    def shutdown(self, **_: object) -> None:
        """As that of a pool."""


def test_a_process_that_is_just_being_started_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = _SlowPool()
    monkeypatch.setattr(background, "_pool", lambda: pool)
    beside = NicedProcess("test")
    computing = threading.Thread(target=lambda: beside.compute(int))
    computing.start()
    assert pool.starting.wait(30)
    closing = threading.Thread(target=beside.close)
    closing.start()
    closing.join(0.2)  # waits for the process, which it could not end yet
    pool.may_start.set()
    closing.join(30)
    assert pool.process.terminated.is_set()
    computing.join(30)
    assert not computing.is_alive()
    assert beside.compute(int) is None
