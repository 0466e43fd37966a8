"""Whatever step of rolling is the last one before a crash, nothing is lost and nothing twice."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from collector.roll import roller
from spreadlake.lake import HOUR_MS, Lake
from tests.collector.lakes import PER_HOUR, START_MS, rows_of
from tests.collector.rolling import everything, roll_until, three_hours
from tests.crashes import Crash, CrashError


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return three_hours(tmp_path)


CRASHING = """
import os, signal, sys
from pathlib import Path
step = int(sys.argv[2])
def counted(function):
    def call(*arguments, **keywords):
        global step
        step -= 1
        if step == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **keywords)
        step -= 1
        if step == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
import polars as pl
from collector.roll import roller
from spreadlake.lake.ticks import partitions
from spreadlake.lake import Lake, open_ticks_writer
os.fsync = counted(os.fsync)
Path.replace = counted(Path.replace)
Path.mkdir = counted(Path.mkdir)
pl.DataFrame.write_parquet = counted(pl.DataFrame.write_parquet)
for name in ("record_roll", "delete_rows", "give_back_pages"):
    setattr(roller, name, counted(getattr(roller, name)))
roller._ROWS = 100
lake = Lake(Path(sys.argv[1]))
roller.roll_all(lake, open_ticks_writer(lake), int(sys.argv[3]))
print("survived", step)
"""


def crash_at(lake: Lake, step: int, before_ms: int) -> bool:
    """Rolls in a process that is killed at its `step`; False if it came to its end before."""
    done = subprocess.run(
        [sys.executable, "-c", CRASHING, str(lake.root), str(step), str(before_ms)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return done.returncode == -9


@pytest.mark.soak
def test_sigkill_at_each_step_of_rolling(lake: Lake) -> None:
    before, step = everything(lake), 1
    while crash_at(lake, step, START_MS + 2 * HOUR_MS):
        assert everything(lake).equals(before)
        step += 1
    assert step > 30
    assert everything(lake).equals(before)
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(2 * PER_HOUR,)]


def test_sigkill_while_rolling(lake: Lake) -> None:
    before = everything(lake)
    assert crash_at(lake, 27, START_MS + 2 * HOUR_MS)
    assert rows_of(lake, "SELECT count(*) FROM ticks")[0][0] != 2 * PER_HOUR
    assert everything(lake).equals(before)
    roll_until(lake, START_MS + 2 * HOUR_MS)
    assert everything(lake).equals(before)
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(2 * PER_HOUR,)]


def test_a_crash_before_or_after_any_step_loses_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = Crash()
    steps = [(os, "fsync"), (Path, "replace"), (Path, "mkdir"), (pl.DataFrame, "write_parquet")]
    steps += [(roller, n) for n in ("record_roll", "delete_rows", "give_back_pages")]
    for owner, name in steps:
        monkeypatch.setattr(owner, name, crash.around(getattr(owner, name)))
    monkeypatch.setattr(roller, "_ROWS", 100)
    before, crashes, finished = everything(lake), 0, False
    while not finished:
        # Each attempt gets further than the one before it, on what that one left behind.
        crash.left = crashes + 1
        try:
            roll_until(lake, START_MS + 2 * HOUR_MS)
            finished = True
        except CrashError:
            crashes += 1
        assert everything(lake).equals(before)
    assert crashes > 10
    assert rows_of(lake, "SELECT count(*) FROM ticks") == [(2 * PER_HOUR,)]
