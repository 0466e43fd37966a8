"""`pair_tests`: at boundaries of exchange time, the same live as in one pass, never in the way."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics_job.background import _pool
from analytics_job.job import AnalyticsJob
from analytics_job.stationarity.closes import read_closes
from analytics_job.stationarity.worker import StationarityWorker
from spreadlake.quant.stationarity import stationarity
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, walk
from tests.patience import PATIENCE
from tests.trades import Trade

SYMBOLS = ["AUSDT", "BUSDT"]
BEGIN = EPOCH + 17
TRADES = walk(SYMBOLS, 420, seed=21, per_second=0.8, start=BEGIN)
INTERVAL, LOOKBACKS = 50, [40, 90]
# Every crossing is an event.
PLAIN: dict[str, Any] = {
    "window": 20, "threshold": 1.0, "close_below": 1.0, "min_bars": 1, "quiet_seconds": 0
}  # fmt: skip
CONFIG = harness.settings(
    symbols=SYMBOLS,
    timeframes=["1s", "5s", "1m"],
    windows=[20],
    lookbacks=LOOKBACKS,
    max_stale_bars=20,
    job={"tests_interval": INTERVAL, "interval": 0.05},
    alerts=[
        PLAIN | {"name": "free"},
        PLAIN | {"name": "gated", "max_adf_pvalue": 0.3},
    ],
)
Key = tuple[str, int, int]


def _final() -> int:
    return (TRADES[-1].time_ms - 250) // 1000


def _tables(lake: harness.TestLake) -> dict[str, Any]:
    return lake.tables() | {
        "pair_tests": lake.table("pair_tests"),
        "tests_due": lake.table("tests_due"),
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """In one pass, here and now."""
    lake = harness.TestLake(tmp_path_factory.mktemp("once"))
    lake.store(TRADES)
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    job.finish_tests()
    job.close()
    lake.close()
    return _tables(lake)


def test_rows_are_at_the_last_bar_before_each_boundary(expected: dict[str, Any]) -> None:
    rows = {(r["timeframe"], r["time"], r["lookback_bars"]) for r in expected["pair_tests"]}
    want: set[Key] = set()
    for timeframe, length in (("1s", 1), ("5s", 5), ("1m", 60)):
        for boundary in range(-(-BEGIN // INTERVAL) * INTERVAL, _final() + 1, INTERVAL):
            time = boundary // length * length - length
            if time >= BEGIN // length * length:
                want |= {(timeframe, time, lookback) for lookback in LOOKBACKS}
    assert rows == want
    assert not expected["tests_due"]


def test_a_row_is_that_of_its_closes_and_nothing_later(expected: dict[str, Any]) -> None:
    closes: dict[tuple[str, str], dict[int, float]] = {}
    for bar in expected["bars"]:
        closes.setdefault((bar["symbol"], bar["timeframe"]), {})[bar["time"]] = bar["close"]
    tested = 0
    for row in expected["pair_tests"]:
        a, b = (closes[symbol, row["timeframe"]] for symbol in SYMBOLS)
        times = sorted(t for t in a.keys() & b.keys() if t <= row["time"])[-row["lookback_bars"] :]
        want = stationarity(
            harness.floats(a[t] for t in times), harness.floats(b[t] for t in times)
        )
        assert row["observations"] == len(times)
        assert row["adf_pvalue"] == want.adf_pvalue
        assert row["robust_beta"] == want.robust_beta
        assert row["cointegration_pvalue"] == want.cointegration_pvalue
        tested += row["adf_pvalue"] is not None
    assert tested > 10


def test_a_gated_rule_opens_only_where_the_latest_test_allows(expected: dict[str, Any]) -> None:
    tests = {
        (t["lookback_bars"], t["time"]): t["adf_pvalue"]
        for t in expected["pair_tests"]
        if t["timeframe"] == "1s"
    }
    events = expected["alert_events"]
    gated = [e for e in events if e["rule"] == "gated"]
    assert 0 < len(gated) < sum(e["rule"] == "free" for e in events)
    for event in gated:
        known = [t for (lookback, t) in tests if lookback == event["lookback_bars"]]
        latest = tests[event["lookback_bars"], max(t for t in known if t <= event["opened_at"])]
        assert latest is not None
        assert latest <= 0.3


@pytest.mark.parametrize("late", [[], [60, 61, 200, 201, 202], list(range(0, 600, 50))])
def test_late_trades_make_the_tests_due_that_they_touch(
    tmp_path: Path, expected: dict[str, Any], late: list[int]
) -> None:
    """And a gated rule looks again."""
    held = [TRADES[at] for at in late]
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store([t for t in TRADES if t not in held])
    job.step()
    job.finish_tests()
    for trade in held:
        lake.store([trade])
        job.step()
        job.finish_tests()
    job.close()
    assert _tables(lake) == expected
    lake.close()


def test_a_late_trade_leaves_the_tests_alone_that_it_does_not_touch(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    held = [t for t in TRADES if BEGIN + 95 <= t.time_ms // 1000 < BEGIN + 99]
    assert held
    lake.store([t for t in TRADES if t not in held])
    job.step()
    job.finish_tests()
    lake.store(held)
    job.step()
    due = lake.table("tests_due")
    reach = max(LOOKBACKS)
    for row in due:
        length = {"1s": 1, "5s": 5, "1m": 60}[row["timeframe"]]
        assert BEGIN + 95 - length <= row["time"] <= BEGIN + 120 + (reach + 1) * length
    assert {row["timeframe"] for row in due} == {"1s", "5s", "1m"}
    job.close()
    lake.close()


# --- beside the steps


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[harness.TestLake, AnalyticsJob]]:
    """A job whose slow statistics run on a thread and a process of their own."""
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    job.start_beside()
    stop = threading.Event()

    def run_slow_tests() -> None:
        while not stop.wait(0.01):
            job.run_slow_tests()

    thread = threading.Thread(target=run_slow_tests)
    thread.start()
    yield lake, job
    stop.set()
    job.stop_beside()
    thread.join()
    job.close()
    lake.close()


def _step_until_ended(job: AnalyticsJob, thread: threading.Thread) -> None:
    def ended() -> bool:
        job.step()
        return not thread.is_alive()

    harness.wait_until(ended)


def _until_tested(lake: harness.TestLake, job: AnalyticsJob) -> None:
    def tested() -> bool:
        job.step()
        return not lake.table("tests_due")

    harness.wait_until(tested)


def test_live_in_small_steps_gives_the_same_rows(
    running: tuple[harness.TestLake, AnalyticsJob], expected: dict[str, Any]
) -> None:
    """With late trades, whose tests may be on their way just then, and a process that is killed.

    The last of them come after that, so that there is more for another process to compute.
    """
    lake, job = running
    held, last = TRADES[40:400:9], TRADES[45:300:60]
    rest = [t for t in TRADES if t not in held + last]
    for at in range(0, len(rest), 10):
        lake.store([*rest[at : at + 10], *held[at // 10 : at // 10 + 1]])
        job.step()
    assert job._slow is not None
    process = job._slow._process
    harness.wait_until(lambda: process._pool is not None and bool(process._pool._processes))
    first = process._pool
    assert first is not None
    for pid in list(first._processes):
        os.kill(pid, signal.SIGKILL)
    lake.store(held + last)
    _until_tested(lake, job)
    assert process._pool is not first
    assert _tables(lake) == expected


def test_results_of_closes_that_changed_meanwhile_are_not_stored(
    tmp_path: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late trade is taken in between reading the closes and storing what came of them."""
    held = TRADES[100]
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store([t for t in TRADES if t != held])
    job.step()
    slow = StationarityWorker()
    job._slow = slow
    taken = threading.Event()

    def late_trade(compute: Any, batches: Any) -> Any:
        lake.store([held])
        job.step()
        monkeypatch.undo()
        taken.set()  # until then this thread has the job to itself
        return compute(batches)

    monkeypatch.setattr(slow._process, "compute", late_trade)
    thread = threading.Thread(target=job.run_slow_tests)
    thread.start()
    assert taken.wait(PATIENCE)
    _step_until_ended(job, thread)
    left = {(r["timeframe"], r["time"]) for r in lake.table("tests_due")}
    assert any(timeframe == "1s" for timeframe, _ in left)
    job.finish_tests()
    job.close()
    slow.close()
    assert _tables(lake) == expected
    lake.close()


def test_what_was_not_computed_when_the_job_ended_stays_due(
    tmp_path: Path, expected: dict[str, Any]
) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store(TRADES)
    job.step()
    job.start_beside()
    thread = threading.Thread(target=job.run_slow_tests)
    thread.start()
    job.stop_beside()  # while the process is still starting
    harness.wait_until(lambda: not thread.is_alive())
    job.close()
    due = lake.table("tests_due")
    assert due
    assert not lake.table("pair_tests")
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    assert lake.table("tests_due") == due
    job.finish_tests()
    job.close()
    assert _tables(lake) == expected
    lake.close()


def test_a_job_that_ends_while_closes_are_read_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is not computed any more, and stays due."""
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store(TRADES)
    job.step()
    slow = job._slow = StationarityWorker()

    def read_and_end(*arguments: Any) -> Any:
        slow.close()
        return read_closes(*arguments)

    monkeypatch.setattr("analytics_job.stationarity.worker.read_closes", read_and_end)
    job.run_slow_tests()
    assert lake.table("tests_due")
    job.close()
    lake.close()


def _here(compute: Any, batches: Any) -> Any:
    return compute(batches)


def test_the_newest_are_computed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics_job.stationarity.worker._BATCH", 5)
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, CONFIG)
    lake.store(TRADES)
    job.step()
    newest = sorted((row["time"] for row in lake.table("tests_due")), reverse=True)[:5]
    slow = StationarityWorker()
    job._slow = slow
    monkeypatch.setattr(slow._process, "compute", _here)
    thread = threading.Thread(target=job.run_slow_tests)
    thread.start()
    _step_until_ended(job, thread)
    assert sorted((row["time"] for row in lake.table("pair_tests")), reverse=True) == newest
    job.close()
    slow.close()
    lake.close()


def test_a_trade_that_never_had_a_partner(tmp_path: Path) -> None:
    """Tests of a pair without bars leave no row, and are not due for ever."""
    lake = harness.TestLake(tmp_path)
    lake.store(
        [Trade("AUSDT", n, (BEGIN + n) * 1000, 100.0 + n % 3, 1.0, False) for n in range(200)]
    )
    job = AnalyticsJob(lake.lake, CONFIG)
    job.step()
    assert lake.table("tests_due")
    job.finish_tests()
    assert not lake.table("tests_due")
    assert not lake.table("pair_tests")
    job.close()
    lake.close()


def test_the_process_stands_back() -> None:
    pool = _pool()
    try:
        assert pool.submit(os.nice, 0).result(90) >= 10
    finally:
        pool.shutdown()
