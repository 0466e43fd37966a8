"""Old bars, rows and tests in Parquet: nothing lost or doubled, late trades still reach them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from analytics_job.job import AnalyticsJob
from tests.analytics_job import harness
from tests.analytics_job.archiving import CONFIG, EPOCH_MS, HOURS, merged, roll, trades


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    lake = harness.TestLake(tmp_path_factory.mktemp("all"))
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG, max_stale_bars=25))
    lake.store(trades())
    job.step()
    job.finish_tests()
    job.close()
    lake.close()
    found = merged(lake)
    rules = [event[1] for event in found["events"]]
    assert 0 < rules.count("gated") < rules.count("z")
    return found


@pytest.mark.parametrize("tests_first", [True, False])
def test_rolled_and_repaired_lakes_read_as_one_that_kept_everything(
    tmp_path: Path, expected: dict[str, Any], tests_first: bool
) -> None:
    """Also where the closes that a test takes have rolled away before it was computed."""
    config = harness.settings(
        **CONFIG, max_stale_bars=25, storage={"analytics_hours": {"1s": 1, "1m": 1}}
    )
    every = trades()
    late = every[100:140] + every[399:402]
    lake = harness.TestLake(tmp_path)
    for batch in ([t for t in every if t not in late], late):
        lake.store(batch)
        job = AnalyticsJob(lake.lake, config)
        job.step()
        for finish in (tests_first, True):
            if finish:
                job.finish_tests()
            roll(job)
        hot = [row for row in lake.table("bars") if row["timeframe"] == "1s"]
        assert min(row["time"] for row in hot) >= (EPOCH_MS // 1000) + (HOURS - 2) * 3600
        hot = [row for row in lake.table("pair_tests") if row["timeframe"] == "1s"]
        assert min(row["time"] for row in hot) >= (EPOCH_MS // 1000) + (HOURS - 2) * 3600
        job.close()
        with closing(sqlite3.connect(lake.lake.analytics_db)) as db:
            assert db.execute("PRAGMA freelist_count").fetchone() == (0,), "the file shrinks"
    assert merged(lake) == expected
    for table in ("pair_analytics", "pair_tests"):
        assert list(tmp_path.glob(f"{table}/timeframe=1s/pair=AUSDT%2FBUSDT/date=*/*.parquet"))
    assert not list(tmp_path.rglob("*.tmp"))
    lake.close()


def test_a_crash_between_the_file_and_the_delete_changes_nothing(
    tmp_path: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = harness.settings(**CONFIG, max_stale_bars=25, storage={"analytics_hours": {"1s": 1}})
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, config)
    lake.store(trades())
    job.step()
    job.finish_tests()
    with monkeypatch.context() as patch:
        patch.setattr("analytics_job.archive.retention.Retention._delete", _crash)
        with pytest.raises(KeyboardInterrupt):
            job.roll_piece()
    assert merged(lake) == expected
    job.close()
    job = AnalyticsJob(lake.lake, config)
    roll(job)
    job.close()
    assert merged(lake) == expected
    lake.close()


def test_rows_of_a_pair_that_is_no_longer_followed_roll_as_well(
    tmp_path: Path, expected: dict[str, Any]
) -> None:
    kept = CONFIG | {"max_stale_bars": 25, "storage": {"analytics_hours": {"1s": 1, "1m": 1}}}
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, harness.settings(**kept))
    lake.store(trades())
    job.step()
    job.finish_tests()
    job.configure(harness.settings(**kept, pairs=[]))
    assert lake.table("pair_status") == []
    before = {name: expected[name] for name in ("bars", "rows", "tests", "csv")}
    assert {name: merged(lake)[name] for name in before} == before
    roll(job)
    for table in ("pair_analytics", "pair_tests"):
        hot = [row for row in lake.table(table) if row["timeframe"] == "1s"]
        assert min(row["time"] for row in hot) >= (EPOCH_MS // 1000) + (HOURS - 2) * 3600
    assert {name: merged(lake)[name] for name in before} == before
    job.close()
    lake.close()


def test_what_is_to_be_rolled_is_found_with_a_seek_each(tmp_path: Path) -> None:
    lake = harness.TestLake(tmp_path)
    job = AnalyticsJob(lake.lake, harness.settings(**CONFIG))
    asked: list[str] = []
    job._db.set_trace_callback(asked.append)
    lake.store(trades()[:200])
    job.step()
    roll(job)
    job._db.set_trace_callback(None)
    plans = {
        row[3]
        for sql in asked
        if ") > (" in sql
        for row in job._db.execute(f"EXPLAIN QUERY PLAN {sql}")
    }
    names = ("(symbol,timeframe)", "(pair,timeframe)", "(pair,timeframe,window_bars,lookback_bars)")
    for columns in names:
        assert [plan for plan in plans if plan.startswith("SEARCH ") and f"({columns}>" in plan]
    assert all(plan.startswith("SEARCH ") for plan in plans), plans
    job.close()
    lake.close()


def _crash(*_: object) -> None:
    raise KeyboardInterrupt
