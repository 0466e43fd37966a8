"""Roll-ups are always those of the rows: live, late, computed again, killed in between."""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from spreadlake.config import Settings
from tests.analytics_job import harness
from tests.analytics_job.markets import EPOCH, EPOCH_MS, walk
from tests.crashes import Crash, CrashError
from tests.rollups import expected_rollups, kept_rollups

SYMBOLS = ["AUSDT", "BUSDT", "CUSDT"]
TRADES = walk(SYMBOLS, 1500, seed=5, per_second=0.4)
CONFIG: dict[str, Any] = {
    "symbols": SYMBOLS,
    "pairs": "all",
    "timeframes": ["1s", "5s"],
    "windows": [20, 50],
    "lookbacks": [60],
    "job": {"tests_interval": 100_000, "break_minutes": 2},
}
LATE = TRADES[300:340] + TRADES[1000:1003]


def config(**edit: Any) -> Settings:
    return harness.settings(**(CONFIG | edit))


def assert_true(lake: harness.TestLake) -> list[dict[str, Any]]:
    """Every span that is over has its roll-up and no other has one; those there are."""
    kept = kept_rollups(lake.lake)
    assert kept == expected_rollups(lake.lake)
    return kept


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[harness.TestLake]:
    lake = harness.TestLake(tmp_path / "lake")
    yield lake
    lake.close()


def test_each_span_has_its_roll_up_as_soon_as_it_is_over(lake: harness.TestLake) -> None:
    """Whatever the steps and restarts."""
    job = AnalyticsJob(lake.lake, config())
    seen = set()
    for number, low in enumerate(range(0, len(TRADES), 150)):
        lake.store(TRADES[low : low + 150])
        job.step()
        seen.add(len(assert_true(lake)))
        if number % 3 == 1:
            job.close()
            job = AnalyticsJob(lake.lake, config())
    job.close()
    counts = Counter((r["timeframe"], r["pair"], r["window_bars"]) for r in kept_rollups(lake.lake))
    assert set(counts.values()) == {24, 4}
    assert len(seen) > 8


@pytest.mark.parametrize("hop", [10_000, 100])
def test_late_trades_write_those_of_all_they_touch_again(
    lake: harness.TestLake, monkeypatch: pytest.MonkeyPatch, hop: int
) -> None:
    """Also where a hop of rows is shorter than a span."""
    monkeypatch.setattr("analytics_job.history.backfill._LIVE_ROWS", hop)
    job = AnalyticsJob(lake.lake, config())
    job.history_seconds = 0.001
    lake.store(t for t in TRADES[:1600] if t not in LATE)
    job.step()
    before = assert_true(lake)
    lake.store(LATE)
    lake.store(TRADES[1600:1640])
    job.step()
    assert bool(lake.table("rows_due")) == (hop == 100)
    while lake.table("rows_due"):
        job.step()
    after = assert_true(lake)
    changed = {row["time"] for row in before} - {r["time"] for r in after if r in before}
    assert len(changed) > 2
    lake.store(TRADES[1640:])
    job.step()
    assert_true(lake)
    job.close()
    once = harness.run_job(lake.lake.root.parent / "once", config(), [TRADES])
    assert kept_rollups(once.lake) == kept_rollups(lake.lake)
    once.close()


def test_those_of_a_span_with_a_break_have_the_rows_there_are(lake: harness.TestLake) -> None:
    gone = [t for t in TRADES if not 400_090 <= t.time_ms - EPOCH_MS < 800_030]
    job = AnalyticsJob(lake.lake, config())
    lake.store(gone)
    job.step()
    kept = assert_true(lake)
    bars = {row["time"] - EPOCH: row["bars"] for row in kept if row["timeframe"] == "1s"}
    assert 0 < bars[360] < 60
    assert not {420, 480, 540, 600, 660, 720} & bars.keys()
    lake.store(t for t in TRADES if t not in gone)
    job.step()
    kept = assert_true(lake)
    bars = {row["time"] - EPOCH: row["bars"] for row in kept if row["timeframe"] == "1s"}
    assert bars[360] == bars[600] == 60
    job.close()


def test_a_rebuild_and_another_configuration_leave_none_as_it_was(lake: harness.TestLake) -> None:
    lake.store(TRADES)
    job = AnalyticsJob(lake.lake, config())
    job.step()
    live = assert_true(lake)
    for start in (EPOCH + 631, None):
        job.rebuild(start)
        job.step()
        assert assert_true(lake) == live
    job.configure(config(prices="log", windows=[20]))
    job.step()
    kept = kept_rollups(lake.lake)
    logs = [row for row in kept if row["window_bars"] == 20]
    assert logs == expected_rollups(lake.lake)
    assert {row["prices"] for row in logs} == {"log"}
    gone = [row for row in kept if row["window_bars"] == 50]
    assert gone == [row for row in live if row["window_bars"] == 50], "as their rows stay"
    job.close()


def test_a_crash_at_any_moment_loses_and_doubles_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the rows and their roll-up, and after it, live and where rows are computed again."""
    crash = Crash()
    for name in ("save_rollups", "remove_rollups"):
        function = crash.around(getattr(sys.modules["analytics_job.pairs.rollups"], name))
        monkeypatch.setattr(f"analytics_job.pairs.rollups.{name}", function)
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, config())
    crashes = 0
    for batch in ([t for t in TRADES[:800] if t not in LATE], LATE, TRADES[800:900]):
        lake.store(batch)
        for moment in range(1, 40, 3):
            crash.left = moment
            try:
                job.step()
            except CrashError:
                crashes += 1
                job._db.close()
                job = AnalyticsJob(lake.lake, config())
        crash.left = 0
        job.step()
        assert_true(lake)
    job.close()
    assert crashes > 5
    lake.close()
