"""A locked or full database, a killed job: nothing is lost, nothing is counted twice."""

import contextlib
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.lake import Lake
from tests.analytics_job import harness
from tests.analytics_job.markets import walk
from tests.patience import PATIENCE
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
TRADES = walk(SYMBOLS, 300, seed=31, per_second=1.5)
CONFIG: dict[str, Any] = {
    "symbols": SYMBOLS,
    "timeframes": ["1s", "5s"],
    "windows": [20],
    "lookbacks": [50],
    "max_stale_bars": 20,
    "job": {"tests_interval": 60, "interval": 0.05},
    "alerts": [{"name": "z", "window": 20, "threshold": 1.2, "close_below": 0.4, "min_bars": 2}],
}
TOML = """
symbols = ["AUSDT", "BUSDT", "CUSDT"]
timeframes = ["1s", "5s"]
windows = [20]
lookbacks = [50]
max_stale_bars = 20
[job]
tests_interval = 60
interval = 0.05
[[alerts]]
name = "z"
window = 20
threshold = 1.2
close_below = 0.4
min_bars = 2
"""


def _job(lake: harness.TestLake, config: dict[str, Any] = CONFIG) -> AnalyticsJob:
    """One that gives up on a locked database after a moment rather than after seconds."""
    job = AnalyticsJob(lake.lake, harness.settings(**config))
    job._db.execute("PRAGMA busy_timeout=30")
    return job


def _expected(root: Path, trades: list[Trade] = TRADES, **edit: Any) -> dict[str, Any]:
    lake = harness.TestLake(root)
    lake.store(trades)
    job = AnalyticsJob(lake.lake, harness.settings(**(CONFIG | edit)))
    job.step()
    job.finish_tests()
    job.close()
    lake.close()
    return _tables(lake)


def _tables(lake: harness.TestLake) -> dict[str, Any]:
    return lake.tables() | {"pair_tests": lake.table("pair_tests")}


def _status(lake: harness.TestLake) -> dict[str, Any]:
    return harness.job_status(lake)


def _lock(lake: harness.TestLake) -> sqlite3.Connection:
    db = sqlite3.connect(lake.lake.analytics_db, isolation_level=None, check_same_thread=False)
    db.execute("BEGIN IMMEDIATE")
    return db


def test_a_locked_database_is_told_and_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told once in a while, however often it is met."""
    monkeypatch.setattr("analytics_job.job._COMPLAINT_SECONDS", 1e6)
    lake = harness.TestLake(tmp_path / "locked")
    job = _job(lake)
    for low in range(0, len(TRADES), 150):
        lake.store(TRADES[low : low + 70])
        job.step()
        locked = _lock(lake)
        lake.store(TRADES[low + 70 : low + 150])
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                job.step()
        locked.close()
        job.step()
    assert "analytics.db cannot be written: database is locked; trying again" in caplog.text
    assert len(caplog.records) == 1
    job.finish_tests()
    job.close()
    assert _status(lake)["error"] == ""
    assert _tables(lake) == _expected(tmp_path / "once")
    lake.close()


def test_late_trades_met_by_a_locked_database_are_taken_in_afterwards(tmp_path: Path) -> None:
    late = TRADES[100:400:40]
    lake = harness.TestLake(tmp_path / "locked")
    job = _job(lake)
    lake.store([t for t in TRADES if t not in late])
    job.step()
    locked = _lock(lake)
    lake.store(late)
    job.step()
    locked.close()
    job.step()
    job.finish_tests()
    job.close()
    assert _tables(lake) == _expected(tmp_path / "once")
    lake.close()


def test_an_edit_that_meets_a_locked_database_is_taken_on_afterwards(tmp_path: Path) -> None:
    edit: dict[str, Any] = {"windows": [20, 30], "pairs": [["AUSDT", "CUSDT"]]}
    lake = harness.TestLake(tmp_path / "locked")
    job = _job(lake, CONFIG | {"pairs": [["AUSDT", "CUSDT"]]})
    lake.store(TRADES[:500])
    job.step()
    locked = _lock(lake)
    job.configure(harness.settings(**(CONFIG | edit)))
    job.step()
    locked.close()
    lake.store(TRADES[500:])
    job.step()
    job.finish_tests()
    job.close()
    assert _tables(lake) == _expected(tmp_path / "once", **edit)
    lake.close()


def test_results_of_slow_tests_that_meet_a_locked_database_are_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = harness.TestLake(tmp_path / "locked")
    job = _job(lake)
    lake.store(TRADES)
    job.step()
    job.start_beside()
    assert job._slow is not None
    monkeypatch.setattr(job._slow._process, "compute", lambda compute, due: compute(due))
    slow = threading.Thread(target=_run_while_due, args=(job, lake))
    slow.start()
    locked = _lock(lake)
    batches = job._slow._batches
    harness.wait_until(lambda: not batches.empty())
    job.step()
    assert "locked" in job._error
    assert not lake.table("pair_tests")
    locked.close()

    def done() -> bool:
        job.step()
        return not slow.is_alive()

    harness.wait_until(done)
    job.stop_beside()
    job.close()
    assert _tables(lake) == _expected(tmp_path / "once")
    lake.close()


def _run_while_due(job: AnalyticsJob, lake: harness.TestLake) -> None:
    while lake.table("tests_due"):
        job.run_slow_tests()


@pytest.mark.parametrize("room", [0, 1, 2, 4])
def test_a_full_disk_in_the_middle_of_a_step_leaves_nothing_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, room: int
) -> None:
    """Room for so many pages more: the error comes now here, now there."""
    lake = harness.TestLake(tmp_path / "full")
    job = _job(lake)
    for low in range(0, len(TRADES), 450):
        lake.store(TRADES[low : low + 350])
        job.step()
        pages = job._db.execute("PRAGMA page_count").fetchone()[0]
        job._db.execute(f"PRAGMA max_page_count={pages + room}")
        lake.store(TRADES[low + 350 : low + 450])
        job.step()
        job.step()
        job._db.execute("PRAGMA max_page_count=1000000")
        job.step()
    assert "analytics.db cannot be written: database or disk is full" in caplog.text
    job.finish_tests()
    job.close()
    assert _tables(lake) == _expected(tmp_path / "once")
    lake.close()


def test_a_lake_without_ticks_yet_is_waited_for(tmp_path: Path) -> None:
    """The job may be up before the collector has made its file, or its tables."""
    root = tmp_path / "lake"
    root.mkdir()
    job = AnalyticsJob(Lake(root), harness.settings(**CONFIG))
    job.step()
    (root / "ticks.db").touch()
    job.step()
    lake = harness.TestLake(root)
    job.step()
    lake.store(TRADES)
    job.step()
    job.finish_tests()
    job.close()
    assert _tables(lake) == _expected(tmp_path / "once")
    lake.close()


# --- the real command, killed


def _start(root: Path) -> subprocess.Popen[bytes]:
    with (root / "log.txt").open("ab") as log:
        return subprocess.Popen(_command(root), stderr=log, stdout=log)


def _command(root: Path) -> list[str]:
    config = root / "spreadlake.toml"
    config.write_text(TOML)
    command = [sys.executable, "-m", "spreadlake", "analyse"]
    return [*command, "--data", str(root), "--config", str(config)]


def _kill_at_random_moments(root: Path, kills: int, seed: int) -> None:
    """Trades arrive all the time, some late; the job is killed and started again."""
    chance = random.Random(seed)
    late = TRADES[50:800:25]
    arriving = [t for t in TRADES if t not in late]
    for trade in late:
        arriving.insert(chance.randrange(len(arriving)), trade)
    lake = harness.TestLake(root / "killed")
    share = -(-len(arriving) // kills)
    for at in range(kills):
        process = _start(root / "killed")
        try:
            harness.wait_until(partial(_seen, lake, process.pid))
            for low in range(at * share, (at + 1) * share, 20):
                lake.store(arriving[low : min(low + 20, (at + 1) * share)])
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.25))
            assert process.poll() is None, (root / "killed" / "log.txt").read_text()
        finally:
            process.kill()
            process.wait()
    job = _job(lake)
    job.step()
    job.finish_tests()
    job.close()
    assert _tables(lake) == _expected(root / "once")
    lake.close()


def _seen(lake: harness.TestLake, pid: int) -> bool:
    return lake.has_table("service_status") and _status(lake).get("pid") == pid


def test_a_killed_job_goes_on_where_it_was(tmp_path: Path) -> None:
    _kill_at_random_moments(tmp_path, kills=2, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
def test_a_job_killed_again_and_again_goes_on_where_it_was(tmp_path: Path, seed: int) -> None:
    _kill_at_random_moments(tmp_path, kills=20, seed=seed)


def test_a_stopped_job_leaves_its_state_and_ends_well(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    lake.store(TRADES)
    job = _start(tmp_path)
    try:
        harness.wait_until(lambda: _seen(lake, job.pid))
        job.send_signal(signal.SIGTERM)
        assert job.wait(PATIENCE) == 0
    finally:
        job.kill()
    assert _status(lake)["state"] == "stopped"
    assert max(row["time"] for row in lake.table("bars")) == TRADES[-1].time_ms // 1000 - 1
    lake.close()


def test_a_killed_job_takes_the_process_of_its_slow_statistics_along(tmp_path: Path) -> None:
    """All that it started holds its output open: the end of it is the end of them."""
    lake = harness.TestLake(tmp_path)
    lake.store(TRADES)
    job = subprocess.Popen(
        _command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        harness.wait_until(lambda: lake.has_table("pair_tests") and lake.table("pair_tests") != [])
        job.kill()
        job.communicate(timeout=PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()
    lake.close()


def test_a_second_job_on_the_same_lake_is_refused(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    job = _start(tmp_path)
    try:
        harness.wait_until(lambda: _seen(lake, job.pid))
        second = _start(tmp_path)
        assert second.wait(PATIENCE) == 2
        assert f"process {job.pid}" in (tmp_path / "log.txt").read_text()
    finally:
        job.kill()
        job.wait()
    lake.close()
