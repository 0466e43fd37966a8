"""The job works by the monotonic clock, and follows the commit that makes a bar final."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from analytics_job.scheduler import Scheduler
from analytics_job.ticks.arrivals import Arrivals
from spreadlake.lake import Lake
from spreadlake.service import StopSignal
from tests.analytics_job import harness
from tests.patience import PATIENCE
from tests.running import environment
from tests.stepped_clock import DAY, HOUR, SteppedClock
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT"]
TOML = """
symbols = ["AUSDT", "BUSDT"]
timeframes = ["1s"]
windows = [5]
lookbacks = [5]
[job]
interval = {interval}
"""


class _Trades:
    """A second of trades of both symbols at a time, as an exchange would date them."""

    def __init__(self, root: Path) -> None:
        self.lake = harness.TestLake(root)
        self.second = 1_700_000_000
        self._id = 0

    def go_on(self) -> None:
        """One more second of trades, and the first of the next, which makes it final."""
        trades: list[Trade] = []
        for offset in (100, 600, 1_300):
            self._id += 1
            for symbol in SYMBOLS:
                price = 100.0 + (self._id * 37 % 11) / 7 + len(trades) % 3
                time_ms = self.second * 1000 + offset
                trades.append(Trade(symbol, self._id, time_ms, price, 1.0, buyer_is_maker=False))
        self.lake.store(trades)
        self.second += 1

    def last_bar(self) -> int:
        if not self.lake.has_table("bars"):
            return 0
        return max((row["time"] for row in self.lake.table("bars")), default=0)


@contextmanager
def _running(root: Path, clock: SteppedClock | None, interval: float) -> Iterator[None]:
    config = root / "spreadlake.toml"
    config.write_text(TOML.format(interval=interval))
    command = [sys.executable, "-P", "-m", "spreadlake", "analyse"]
    variables = {} if clock is None else dict(clock.variables)
    with (root / "log.txt").open("w") as log:
        job = subprocess.Popen(
            [*command, "--data", str(root), "--config", str(config)],
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield
            assert job.poll() is None, (root / "log.txt").read_text()
        finally:
            job.terminate()
            job.wait(PATIENCE)


def _goes_on(trades: _Trades) -> None:
    """Three more seconds become bars, each soon after its trades."""
    for _ in range(3):
        trades.go_on()
        harness.wait_until(lambda: trades.last_bar() == trades.second - 1, 60)


@pytest.mark.parametrize("step", [-HOUR, -20_000 * DAY, 7 * DAY, 30 * DAY])
def test_bars_keep_coming_when_the_wall_clock_is_set(tmp_path: Path, step: int) -> None:
    clock = SteppedClock(tmp_path)
    trades = _Trades(tmp_path)
    with _running(tmp_path, clock, interval=0.05):
        _goes_on(trades)
        clock.step(step)
        _goes_on(trades)
        clock.step(0)
        _goes_on(trades)
    trades.lake.close()


def test_a_step_follows_the_commit_that_makes_a_bar_final(tmp_path: Path) -> None:
    trades = _Trades(tmp_path)
    trades.go_on()
    # The schedule alone would take longer than is waited for.
    with _running(tmp_path, None, interval=60):
        harness.wait_until(lambda: trades.last_bar() > 0)
        _goes_on(trades)
    trades.lake.close()


def test_a_look_at_the_lake_tells_the_commit_that_is_waited_for(tmp_path: Path) -> None:
    wanted: list[int | None] = [None]
    with closing(Arrivals(Lake(tmp_path), lambda: wanted[0])) as arrived:
        assert not arrived()  # there is no lake yet
        lake = harness.TestLake(tmp_path)
        _store(lake, 1, 3_000)
        assert not arrived()  # nobody knows what is waited for
        wanted[0] = 2_000
        _store(lake, 2, 1_999)
        assert not arrived()
        _store(lake, 3, 2_000, 1_000)
        assert arrived()
        assert not arrived()  # told once
        _store(lake, 5, 2_100)
        assert arrived()
        _store(lake, 6, 3_600_000)
        assert not arrived()  # a time that nobody waits for
        lake.close()


def _store(lake: harness.TestLake, trade_id: int, *times_ms: int) -> None:
    lake.store(
        Trade("AUSDT", trade_id + n, time_ms, 1.0, 1.0, buyer_is_maker=False)
        for n, time_ms in enumerate(times_ms)
    )


class _Stop(StopSignal):
    """Without the signals of a process."""

    def __init__(self) -> None:
        self._event, self._callbacks = threading.Event(), []


def test_work_that_is_late_runs_once_and_never_beside_itself() -> None:
    now, stop, scheduler = [0.0], _Stop(), Scheduler(lambda: now[0])
    beside, runs, others = threading.Lock(), list[float](), list[float]()

    def run() -> None:
        assert beside.acquire(blocking=False)
        runs.append(now[0])
        if len(runs) == 2:
            now[0] += 1_000_000.0  # so long did this run take
        elif len(runs) == 4:
            stop.set()
        beside.release()

    def other() -> None:
        with beside:
            others.append(now[0])

    scheduler.add("work", run, 1.0, early=lambda: len(runs) in (1, 3))
    scheduler.add("other", other, 1.0)
    ended: list[bool] = []
    scheduler.run(stop, on_end=lambda: ended.append(True))
    # At once, early, late, early: and not a million times for all that was missed.
    assert runs == [0.0, 0.0, 1_000_000.0, 1_000_000.0]
    assert others == [0.0, 1_000_000.0]
    assert ended == [True]


def test_a_failure_ends_the_pace() -> None:
    stop, scheduler = _Stop(), Scheduler()
    told = threading.Event()

    def fail() -> None:
        raise ValueError("no room")

    scheduler.add("waits", lambda: told.wait(PATIENCE), 1.0, thread="slow")
    scheduler.add("fails", fail, 0.05)
    began = time.monotonic()
    with pytest.raises(ValueError, match="no room"):
        scheduler.run(stop, on_end=told.set)
    assert time.monotonic() - began < 60


def test_what_a_run_fails_with_is_raised_and_not_told_by_the_scheduler() -> None:
    """A process of its own: the log of this one is the tests'."""
    code = (
        "from analytics_job.scheduler import Scheduler\n"
        "from spreadlake.logs import configure_logs\n"
        "from spreadlake.service import StopSignal\n"
        "configure_logs('job')\n"
        "scheduler = Scheduler()\n"
        "scheduler.add('roll', lambda: 1 / 0, 1.0)\n"
        "try:\n"
        "    scheduler.run(StopSignal(None), on_end=lambda: None)\n"
        "except ZeroDivisionError:\n"
        "    print('raised')\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr) == ("raised\n", "")
