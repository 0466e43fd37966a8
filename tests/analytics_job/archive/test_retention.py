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


def _crash(*_: object) -> None:
    raise KeyboardInterrupt
